"""The queue's file: every entry with its state, in one SQLite database that no crash leaves half-written.

Each change is one transaction that takes the write lock first (``BEGIN IMMEDIATE``), so that two processes never take
the same entry. The file is readable by its owner alone: an entry holds environment variables, as WANDB_API_KEY.
"""

import contextlib
import json
import random
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sign_recog.queue.entries import (
    CURRENT,
    DONE,
    FAILED,
    FILE,
    STATES,
    STOPPED,
    TO_RUN,
    Entry,
    Plan,
    QueueError,
    WorkerRow,
)

_VERSION = 1
_SCHEMA = """
CREATE TABLE entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT, state TEXT NOT NULL, position REAL, key TEXT NOT NULL,
    arguments TEXT NOT NULL, program TEXT NOT NULL, folder TEXT NOT NULL, environment TEXT NOT NULL,
    git_commit TEXT, run_dir TEXT NOT NULL, devices INTEGER NOT NULL,
    added REAL NOT NULL, started REAL, ended REAL, starts INTEGER NOT NULL DEFAULT 0,
    process TEXT, gpus TEXT NOT NULL DEFAULT '[]', error TEXT NOT NULL DEFAULT '');
CREATE UNIQUE INDEX one_of_a_kind ON entries (key) WHERE state IN ('to-run', 'current');
CREATE TABLE worker (process TEXT NOT NULL, wish TEXT NOT NULL, note TEXT NOT NULL);
"""


class Store:
    """The entries of the queue in ``folder``."""

    def __init__(self, folder: Path):
        self.folder = folder.absolute()
        self.path = self.folder / FILE
        self.folder.mkdir(parents=True, exist_ok=True)
        self.path.touch(mode=0o600)
        self._connection = sqlite3.connect(self.path, timeout=60, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")  # what was said to be added outlives a power cut
        with self.change() as run:
            version = run("PRAGMA user_version").fetchone()[0]
            if version == 0:
                for statement in _SCHEMA.split(";")[:-1]:
                    run(statement)
                run(f"PRAGMA user_version = {_VERSION}")
            elif version != _VERSION:
                raise QueueError(f"{self.path} is of another version of this program. Move it away to begin anew.")

    def close(self) -> None:
        self._connection.close()

    @contextlib.contextmanager
    def change(self) -> Iterator[Any]:
        """A transaction, alone with the file; it happens as a whole or, after an error, not at all."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection.execute
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def log(self, entry_id: int) -> Path:
        """What an entry prints, over all its starts."""
        return self.folder / "logs" / f"{entry_id}.log"

    # What is there

    def entries(self, *states: str) -> list[Entry]:
        """Those of ``states``, or all: first those that run, then those to run in their order, then the others."""
        run, wanted = self._connection.execute, states or STATES
        marks = ", ".join("?" * len(wanted))
        rows = run(f"SELECT * FROM entries WHERE state IN ({marks}) ORDER BY position, id", wanted).fetchall()
        places = {entry_id: place for place, entry_id in enumerate(_waiting(run), start=1)} if TO_RUN in wanted else {}
        found = [_entry(row, places.get(row["id"], 0)) for row in rows]
        order = (CURRENT, TO_RUN)
        return sorted(
            found, key=lambda e: (order.index(e.state) if e.state in order else 2, e.place or e.ended or e.id)
        )

    def entry(self, entry_id: int) -> Entry:
        """One of them.

        Raises:
            QueueError: If there is none of this id.
        """
        found = [entry for entry in self.entries() if entry.id == entry_id]
        if not found:
            raise QueueError(
                f"{entry_id}: the queue in {self.folder} has no entry of this id. `queue list` shows them."
            )
        return found[0]

    # Changes

    def add(self, plans: Sequence[Plan], *, top: bool = False) -> list[int]:
        """Put ``plans`` at the end of the queue, or at its head; return their ids.

        Raises:
            QueueError: If one is to run or runs already; then none is added.
        """
        ids = []
        with self.change() as run:
            for plan in plans:
                self._refuse_twin(run, plan.key, " ".join(plan.arguments))
                values = {
                    "state": TO_RUN, "position": _end(run), "key": plan.key, "arguments": json.dumps(plan.arguments),
                    "program": json.dumps(plan.program), "folder": str(plan.folder),
                    "environment": json.dumps(plan.environment), "git_commit": plan.git_commit,
                    "run_dir": str(plan.run_dir), "devices": plan.devices, "added": time.time(),
                }  # fmt: skip
                names, marks = ", ".join(values), ", ".join("?" * len(values))
                ids.append(run(f"INSERT INTO entries ({names}) VALUES ({marks})", (*values.values(),)).lastrowid)
            if top:
                _to_head(run, ids)
        return ids

    def _refuse_twin(self, run: Any, key: str, title: str, *, besides: int = 0) -> None:
        found = "SELECT id, state FROM entries WHERE key = ? AND state IN ('to-run', 'current') AND id != ?"
        if twin := run(found, (key, besides)).fetchone():
            verb = "runs" if twin["state"] == CURRENT else "is to run"
            raise QueueError(
                f"{title}: entry {twin['id']} {verb} with the same settings and seed. Nothing was changed. Change a "
                "setting, or leave it out; skip_existing=true leaves out all that are there."
            )

    def edit(self, entry_id: int, plan: Plan) -> None:
        """Give an entry that is to run, or has failed and may be repeated, other arguments."""
        with self.change() as run:
            self._require(run, entry_id, TO_RUN, FAILED, STOPPED)
            self._refuse_twin(run, plan.key, " ".join(plan.arguments), besides=entry_id)
            run(
                "UPDATE entries SET key = ?, arguments = ?, run_dir = ?, devices = ? WHERE id = ?",
                (plan.key, json.dumps(plan.arguments), str(plan.run_dir), plan.devices, entry_id),
            )

    def move(self, ids: Sequence[int], place: int) -> None:
        """Put entries that are to run, in the order of ``ids``, to a place from 1; beyond the end is the end."""
        with self.change() as run:
            for entry_id in ids:
                self._require(run, entry_id, TO_RUN)
            others = [i for i in _waiting(run) if i not in ids]
            at = max(place, 1) - 1
            _renumber(run, [*others[:at], *ids, *others[at:]])

    def shuffle(self, seed: int | None = None) -> None:
        """Put those to run into a random order."""
        with self.change() as run:
            ids = _waiting(run)
            random.Random(seed).shuffle(ids)
            _renumber(run, ids)

    def remove(self, ids: Sequence[int]) -> None:
        """Forget entries that do not run, and what they printed; their run folders stay."""
        with self.change() as run:
            for entry_id in ids:
                self._require(run, entry_id, TO_RUN, DONE, FAILED, STOPPED)
                run("DELETE FROM entries WHERE id = ?", (entry_id,))
        for entry_id in ids:
            self.log(entry_id).unlink(missing_ok=True)

    def retry(self, ids: Sequence[int], *, top: bool = False) -> None:
        """Put entries that failed or were stopped into the queue again."""
        with self.change() as run:
            for entry_id in ids:
                row = self._require(run, entry_id, FAILED, STOPPED)
                self._refuse_twin(run, row["key"], f"entry {entry_id}")
                run(
                    "UPDATE entries SET state = ?, position = ?, error = '', ended = NULL WHERE id = ?",
                    (TO_RUN, _end(run), entry_id),
                )
            if top:
                _to_head(run, ids)

    def _require(self, run: Any, entry_id: int, *states: str) -> sqlite3.Row:
        row = run("SELECT * FROM entries WHERE id = ?", (entry_id,)).fetchone()
        if row is None:
            raise QueueError(
                f"{entry_id}: the queue in {self.folder} has no entry of this id. `queue list` shows them."
            )
        if row["state"] not in states:
            hint = " `queue stop` ends it." if row["state"] == CURRENT else ""
            raise QueueError(f"Entry {entry_id} is {row['state']}, and not {' or '.join(states)}.{hint}")
        return row

    # What a worker does

    def take(self, gpus: Sequence[str] | None) -> Entry | None:
        """Make the head of the queue current, on as many of the free ``gpus`` as it needs; None = there is none to run.

        None also if it needs more GPUs than are free: those behind it wait with it. ``gpus=None`` = there are no GPUs.
        """
        with self.change() as run:
            head = run("SELECT * FROM entries WHERE state = 'to-run' ORDER BY position, id LIMIT 1").fetchone()
            if head is None or (gpus is not None and head["devices"] > len(gpus)):
                return None
            given = [] if gpus is None else list(gpus[: head["devices"]])
            run(
                "UPDATE entries SET state = ?, gpus = ?, started = ?, ended = NULL, process = NULL, error = '', "
                "starts = starts + 1 WHERE id = ?",
                (CURRENT, json.dumps(given), time.time(), head["id"]),
            )
        return self.entry(head["id"])

    def set_process(self, entry_id: int, process: str | None) -> None:
        with self.change() as run:
            run("UPDATE entries SET process = ? WHERE id = ?", (process, entry_id))

    def end(self, entry_id: int, state: str, error: str = "") -> None:
        """An entry has come to an end, or cannot begin."""
        with self.change() as run:
            run(
                "UPDATE entries SET state = ?, error = ?, ended = ? WHERE id = ? AND state IN ('current', 'to-run')",
                (state, error, time.time(), entry_id),
            )

    def put_back(self, ids: Sequence[int]) -> None:
        """Current entries go to the head of the queue, in the order of ``ids``."""
        with self.change() as run:
            for entry_id in ids:
                self._require(run, entry_id, CURRENT)
                run("UPDATE entries SET state = 'to-run', process = NULL, gpus = '[]' WHERE id = ?", (entry_id,))
            _to_head(run, ids)

    def worker(self) -> WorkerRow | None:
        row = self._connection.execute("SELECT * FROM worker").fetchone()
        return None if row is None else WorkerRow(row["process"], row["wish"], row["note"])

    def begin_work(self, process: str) -> None:
        """This process is the worker from now on."""
        with self.change() as run:
            run("DELETE FROM worker")
            run("INSERT INTO worker VALUES (?, '', '')", (process,))

    def ask_worker(self, wish: str) -> None:
        with self.change() as run:
            run("UPDATE worker SET wish = ?", (wish,))

    def say(self, note: str) -> None:
        """What the worker tells those who look at the list."""
        row = self.worker()
        if row is not None and row.note != note:
            with self.change() as run:
                run("UPDATE worker SET note = ?", (note,))


def _entry(row: sqlite3.Row, place: int) -> Entry:
    own = dict(row)
    own.pop("position")
    for name in ("arguments", "program", "gpus"):
        own[name] = tuple(json.loads(own[name]))
    for name in ("folder", "run_dir"):
        own[name] = Path(own[name])
    return Entry(**own | {"environment": json.loads(own["environment"]), "place": place})


def _waiting(run: Any) -> list[int]:
    return [row["id"] for row in run("SELECT id FROM entries WHERE state = 'to-run' ORDER BY position, id")]


def _end(run: Any) -> float:
    return run("SELECT COALESCE(MAX(position), 0) + 1 FROM entries WHERE state = 'to-run'").fetchone()[0]


def _to_head(run: Any, ids: Sequence[int]) -> None:
    _renumber(run, [*ids, *(i for i in _waiting(run) if i not in ids)])


def _renumber(run: Any, ids: Sequence[int]) -> None:
    for number, entry_id in enumerate(ids, start=1):
        run("UPDATE entries SET position = ? WHERE id = ?", (number, entry_id))
