"""The worker: takes one entry after another, runs each as a process of its own, and says how it ended.

It may be killed at any moment. Runs go on without it, and the next worker looks after them; those that a power cut
has ended go back to the head of the queue, and continue from their last checkpoint when their turn comes.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from sign_recog.queue import processes
from sign_recog.queue.entries import AFTER, CURRENT, DONE, FAILED, NOW, STOPPED, TO_RUN, Entry, QueueError
from sign_recog.queue.gpus import FreeGpus
from sign_recog.queue.plans import is_kept
from sign_recog.queue.store import Store
from sign_recog.storage.lock import FolderInUse, locked

logger = logging.getLogger(__name__)
LOG_END = 20  # lines of a failed run's log that are kept with its error


@dataclass(frozen=True)
class Options:
    """How a worker goes about it.

    Attributes:
        gpus: That it may use, a run each; None = one run at a time, without GPUs.
        until_empty: End when nothing is left to run; else wait for more.
        grace_s: Seconds that a run has to end after SIGTERM.
        tick_s: Seconds between two looks at the queue.
    """

    gpus: FreeGpus | None
    stop_on_failure: bool
    until_empty: bool
    grace_s: float
    tick_s: float = 0.2


@contextmanager
def only_worker(store: Store) -> Iterator[None]:
    """Be the one worker of the queue.

    Raises:
        QueueError: If there is one.
    """
    try:
        with locked(store.folder):
            store.begin_work(processes.identity(os.getpid()) or "")
            yield
    except FolderInUse as error:
        row = store.worker()
        pid = f" (process {processes.pid_of(row.process)})" if row else ""
        raise QueueError(f"A worker{pid} is at the queue in {store.folder} already; `queue stop` ends it.") from error


def working(store: Store) -> bool:
    """Whether a worker is at the queue."""
    row = store.worker()
    return row is not None and processes.is_alive(row.process)


class Worker:
    """Runs the entries of ``store``; to be used inside :func:`only_worker`."""

    def __init__(self, store: Store, options: Options):
        self._store, self._options = store, options
        self._own: dict[int, subprocess.Popen[bytes]] = {}
        self._signalled = False
        self._failed = False
        self._halted = ""

    def run(self) -> bool:
        """Until it is stopped, or nothing is left and it should not wait; return whether no run failed."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._signal)
        recover(self._store)
        while True:
            for entry in self._store.entries(CURRENT):
                self._settle(entry)
            row = self._store.worker()
            wish = NOW if self._signalled else row.wish if row else ""
            current = self._store.entries(CURRENT)
            if wish == NOW:
                stop_runs(self._store, current, self._options.grace_s, self._own)
                self._say("stopped")
                return not self._failed
            ending = wish == AFTER or bool(self._halted)
            if ending and not current:
                self._say(f"stopped: {self._halted}" if self._halted else "stopped after the run")
                return not self._failed
            if not ending:
                self._start_what_can(current)
                if self._options.until_empty and not self._store.entries(CURRENT, TO_RUN):
                    self._say("ended: nothing was left to run")
                    return not self._failed
            time.sleep(self._options.tick_s)

    def _signal(self, number: int, frame: FrameType | None) -> None:
        self._signalled = True

    def _fail(self, entry_id: int, error: str) -> None:
        self._store.end(entry_id, FAILED, error)
        self._failed = True
        if self._options.stop_on_failure:
            self._halted = f"entry {entry_id} failed, and --stop-on-failure was given"
        logger.info("entry %d: failed: %s", entry_id, error.splitlines()[0])

    def _say(self, note: str) -> None:
        self._store.say(note)
        logger.info("%s", note)

    def _start_what_can(self, current: list[Entry]) -> None:
        gpus, waiting = self._options.gpus, self._store.entries(TO_RUN)
        if gpus is None:
            if not current and waiting and (entry := self._store.take(None)):
                self._start(entry)
            return
        taken = {gpu for entry in current for gpu in entry.gpus}
        free = gpus.free(taken)
        while waiting and (entry := self._store.take(self._enough(waiting[0], free))):
            self._start(entry)
            free = [gpu for gpu in free if gpu not in entry.gpus]
            waiting = self._store.entries(TO_RUN)
        self._store.say(f"waits for a free GPU ({gpus.note})" if waiting and len(taken) < len(gpus.gpus) else "")

    def _enough(self, head: Entry, free: list[str]) -> list[str]:
        """``free``; an entry that asks for more GPUs than there are fails instead of blocking the queue."""
        gpus = self._options.gpus
        if gpus is None or head.devices <= len(gpus.gpus):
            return free
        error = f"It needs {head.devices} GPUs (trainer.devices), and the worker has {len(gpus.gpus)}."
        self._fail(head.id, f"{error} `queue edit {head.id} trainer.devices=1`, then `queue retry {head.id}`.")
        return []

    def _start(self, entry: Entry) -> None:
        env = {name: value for name, value in os.environ.items() if not is_kept(name)} | entry.environment
        if self._options.gpus is not None:
            env |= {"CUDA_VISIBLE_DEVICES": ",".join(entry.gpus), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
        log = self._store.log(entry.id)
        log.parent.mkdir(exist_ok=True)
        where = f" on GPU {', '.join(entry.gpus)}" if entry.gpus else ""
        try:
            with log.open("ab") as out:
                head = f"== start {entry.starts}, {time.strftime('%Y-%m-%d %H:%M:%S')}{where}: {entry.title}\n"
                out.write(head.encode())
                out.flush()
                process = subprocess.Popen(
                    [*entry.program, *entry.arguments], cwd=entry.folder, env=env | {"PYTHONUNBUFFERED": "1"},
                    stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
                )  # fmt: skip
        except OSError as error:
            self._fail(entry.id, f"It could not be started: {error}")
            return
        self._own[entry.id] = process
        self._store.set_process(entry.id, processes.identity(process.pid))
        logger.info("entry %d%s: %s", entry.id, where, entry.title)

    def _settle(self, entry: Entry) -> None:
        """If a run has ended, keep how."""
        process, code = self._own.get(entry.id), None
        if process is None:
            if processes.is_alive(entry.process):
                return  # of an earlier worker
        else:
            if os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                return
            processes.kill_group(str(process.pid))  # what it left behind would keep its GPU
            code = process.wait()
            del self._own[entry.id]
        state, error = outcome(self._store, entry, code)
        if state == STOPPED and not self._signalled:
            time.sleep(1)  # a machine that goes down signals all processes, this one perhaps a moment later
        if self._options.gpus is not None:
            self._options.gpus.given_back(entry.gpus)
        if state == TO_RUN or (state == STOPPED and self._signalled):
            self._store.put_back([entry.id])
        elif state == FAILED:
            self._fail(entry.id, error)
        else:
            self._store.end(entry.id, state, error)
            logger.info("entry %d: %s", entry.id, state)


def recover(store: Store) -> list[Entry]:
    """Settle current entries whose process is gone: those that had not come to their end go back to the head."""
    gone = [entry for entry in store.entries(CURRENT) if not processes.is_alive(entry.process)]
    back = []
    for entry in gone:
        state, error = outcome(store, entry, None)
        if state in (DONE, FAILED):
            store.end(entry.id, state, error)
        else:
            back.append(entry)
    store.put_back([entry.id for entry in back])
    return back


def stop_runs(store: Store, entries: list[Entry], grace_s: float, own: dict[int, Any] | None = None) -> list[Entry]:
    """End ``entries`` and put them back to the head of the queue; one that ends well meanwhile is done."""
    for entry in entries:
        processes.ask_to_end(entry.process)
    back, until = [], time.monotonic() + grace_s
    for entry in entries:
        processes.end(entry.process, max(0.0, until - time.monotonic()))
        process, code = (own or {}).get(entry.id), None
        if process is not None:
            processes.kill_group(str(process.pid))
            code = process.wait()
        state, error = outcome(store, entry, code)
        if state == DONE:
            store.end(entry.id, state, error)
        else:
            back.append(entry)
    store.put_back([entry.id for entry in back])
    return back


def outcome(store: Store, entry: Entry, code: int | None) -> tuple[str, str]:
    """State and error of a run that has ended.

    Args:
        code: Its exit code; None = nobody saw it end, and what counts is ``status.json`` in its run folder.
    """
    status = _status(entry)
    said = status.get("state")
    if code == 0 or (code is None and said == "finished"):
        return DONE, ""
    if code is None and said != "failed":
        return TO_RUN, ""
    ended_by_signal = code is not None and -code in (signal.SIGTERM, signal.SIGINT)
    if said == "stopped" or ended_by_signal:
        return STOPPED, status.get("error") or f"It was ended by {signal.Signals(-(code or 0)).name}."
    how = f"It was killed by {signal.Signals(-code).name}." if code and code < 0 else f"It ended with code {code}."
    error = status.get("error") if said == "failed" else None
    tail = log_end(store.log(entry.id))
    return FAILED, "\n".join(part for part in (error or how, tail and f"The end of its log:\n{tail}") if part)


def _status(entry: Entry) -> dict[str, Any]:
    """What the latest start of the run says of itself."""
    path = entry.run_dir / "status.json"
    try:
        if path.stat().st_mtime < (entry.started or 0) - 1:
            return {}  # an earlier start's
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def log_end(log: Path, lines: int = LOG_END) -> str:
    """The last lines of a log; "" if there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 2**16))
            return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-lines:])
    except OSError:
        return ""


def spawn(arguments: list[str], log: Path) -> subprocess.Popen[bytes]:
    """Start a worker that outlives this terminal."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        return subprocess.Popen(
            [sys.executable, str(Path(__file__).parents[2] / "run.py"), "queue", *arguments],
            stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
