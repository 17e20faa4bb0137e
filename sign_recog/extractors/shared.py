"""An extraction's output folder, which any number of workers may share: what is finished, and whose turn it is."""

import json
import logging
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

from sign_recog.config.identity import digest
from sign_recog.errors import DataError
from sign_recog.extractors.failures import FAILED, write_failures
from sign_recog.extractors.shards import Job, longest_first
from sign_recog.storage import atomic
from sign_recog.storage.claims import Claims
from sign_recog.storage.fingerprint import fingerprint
from sign_recog.storage.ledger import FOLDER, Ledger, Ledgers, Stamp, Word, stamp_of, time_of

logger = logging.getLogger(__name__)

SETTINGS = "extraction.json"
_FRESH_S = 1.0  # what was read of other workers so lately need not be read again before a claim


class Sequence(Protocol):
    """What all files hold."""

    meta: dict[str, Any]


class OtherSettings(DataError):
    """The folder's files were made with other settings."""


class SharedFolder:
    """One worker's view of the folder; it becomes visible to others when it first claims or remembers something."""

    def __init__(self, out_dir: Path, description: dict[str, Any], read: Callable[[Path], Sequence]) -> None:
        """Open it.

        Raises:
            OtherSettings: If it holds files of other extractor settings, or another worker begins with other ones.
            DataError: If its extraction.json is damaged.
        """
        self.out_dir, self._description, self._read = out_dir, description, read
        self._settings = digest(description)
        self._ledgers = Ledgers(out_dir)
        self._ledger: Ledger | None = None
        self._claims: Claims | None = None
        self._before: dict[str, Word] = {}
        self._videos: dict[Path, Stamp | None] = {}
        self._looked = 0.0
        self._refresh()
        self._check_settings(out_dir / SETTINGS)

    def unfinished(self, jobs: Iterable[Job], *, only_failed: bool = False) -> dict[str, Job]:
        """The clips that are not finished, longest first, by name.

        A file whose size and time are those that a worker wrote down is not opened; another one is opened once.

        Args:
            only_failed: Those that the workers' latest word calls failed, even by one that is still at work.
        """
        self._before = self._words_of_before(only_failed)
        if only_failed:
            jobs = [job for job in jobs if (word := self._before.get(job.clip_id)) and word.state == "failed"]
        prints: dict[Path, str | None] = {}  # clips of one video share its fingerprint
        todo, found = list[Job](), list[Job]()
        for job in jobs:
            output = stamp_of(job.output(self.out_dir))
            if output is None:
                todo.append(job)
            elif not self._is_known(job, output):
                (found if self._is_whole(job, prints) else todo).append(job)
        try:
            for job in found:
                self._own().say(job.clip_id, "found", **self._stamps(job))
        except OSError as error:
            logger.warning("%s cannot be written (%s), so all files are opened each time.", self.out_dir, error)
        return {job.clip_id: job for job in longest_first(todo)}

    def claimed(self, jobs: Iterable[Job]) -> "Iterator[Job] | None":
        """An iterator that claims the job it gives, and may be used by several threads; None = nothing can be claimed.

        Raises:
            OSError: If the disk is full; the iterator too.
        """
        iterator = _Claimed(list(jobs), self._take)
        return iterator if iterator.look_ahead() else None

    @property
    def held(self) -> list[str]:
        """The clips that were claimed and are neither finished nor failed."""
        return [] if self._claims is None else self._claims.held

    def finish(self, job: Job, num_frames: int) -> None:
        """Write down that a claimed clip's file is there."""
        self._own().say(job.clip_id, "done", frames=num_frames, **self._stamps(job))
        self._claiming().release(job.clip_id)

    def fail(self, job: Job, reason: str) -> bool:
        """Write down why a claimed clip has no file; one from before is not of this video and removed.

        False = this process was stopped for so long that another has taken the clip over, and nothing is done.
        """
        if self._claiming().forget_lost(job.clip_id):
            return False
        job.output(self.out_dir).unlink(missing_ok=True)
        self._own().say(job.clip_id, "failed", reason=" ".join(reason.split()), about=self._about(job))
        self._claiming().release(job.clip_id)
        return True

    def settled_by_others(self, jobs: Iterable[Job]) -> list[tuple[Job, str | None]]:
        """The clips that other workers finished (None) or failed at (the reason) since :meth:`unfinished`."""
        self._refresh()
        return [(job, word.reason or None) for job in jobs if (word := self._news(job)) is not None]

    def holder(self, job: Job) -> str | None:
        """The living worker that has claimed a clip; None = it can be claimed."""
        return self._claiming().holder(job.clip_id)

    def write_failed(self) -> None:
        """The table of all clips whose latest word is a failure, whichever worker's; no table where there is none."""
        try:
            for _ in range(3):  # a worker that fails at a clip meanwhile may have read what was there before
                before = dict(self._ledgers.words)
                write_failures(self.out_dir, before)
                self._refresh()
                if before == self._ledgers.words:
                    return
        except OSError as error:  # what is wrong with the disk, the clips have met too
            logger.warning("%s: cannot be written (%s).", self.out_dir / FAILED, error)

    def close(self) -> None:
        """Give back what is still claimed, and say that this worker has ended."""
        for clip_id in self.held:
            self._claiming().release(clip_id)
        if self._ledger is not None:
            self._ledger.close()

    def _own(self) -> Ledger:
        if self._ledger is None:
            self._ledger = Ledger(self.out_dir, self._settings)
        return self._ledger

    def _claiming(self) -> Claims:
        if self._claims is None:
            self._claims = Claims(self.out_dir, self._ledgers, self._own())
        return self._claims

    def _refresh(self) -> None:
        self._ledgers.refresh()
        self._looked = time.monotonic()

    def _take(self, job: Job) -> bool:
        if time.monotonic() - self._looked > _FRESH_S:
            self._refresh()
        claims = self._claiming()
        if self._news(job) is not None or claims.take(job.clip_id) is not None:
            return False
        self._refresh()  # it may have been finished before it was claimed
        if self._news(job) is not None:
            claims.release(job.clip_id)
            return False
        if claims.takes_over(job.clip_id):
            _remove_half_written(job.output(self.out_dir))
        return True

    def _news(self, job: Job) -> Word | None:
        """What another worker said of a clip since :meth:`unfinished`, or of its failure while it was at work then."""
        word = self._ledgers.words.get(job.clip_id)
        if word is None or word.about != self._about(job):
            return None
        if self._ledger is not None and word.worker == self._ledger.worker.name:
            return None
        return word if word is not self._before.get(job.clip_id) else None

    def _words_of_before(self, only_failed: bool) -> dict[str, Word]:
        """The ledgers' words; failures of workers still at work are news, unless failed clips are asked for."""
        words = dict(self._ledgers.words)
        if only_failed:
            return words
        now = time_of(self.out_dir / FOLDER)
        return {
            clip_id: word
            for clip_id, word in words.items()
            if word.state != "failed" or not self._ledgers.is_living(word.worker, now)
        }

    def _about(self, job: Job) -> list[Any]:
        """What a file is made of besides its video, as a line of a ledger holds it."""
        return [self._settings, job.start_s, job.end_s]

    def _stamps(self, job: Job) -> dict[str, Any]:
        output, video = stamp_of(job.output(self.out_dir)), self._video(job)
        return {"about": self._about(job), "output": output, "video": video}

    def _video(self, job: Job) -> Stamp | None:
        if job.video not in self._videos:
            self._videos[job.video] = stamp_of(job.video)
        return self._videos[job.video]

    def _is_known(self, job: Job, output: Stamp) -> bool:
        word = self._before.get(job.clip_id)
        return (
            word is not None
            and word.state != "failed"
            and word.output == output
            and word.video == self._video(job)
            and word.about == self._about(job)
        )

    def _is_whole(self, job: Job, prints: dict[Path, str | None]) -> bool:
        try:
            meta = self._read(job.output(self.out_dir)).meta
        except DataError:  # damaged: extracted again, which reports its own error if that fails too
            return False
        if job.video not in prints:
            prints[job.video] = fingerprint(job.video) if job.video.exists() else None
        expected = {"extraction": self._description, "start_s": job.start_s, "end_s": job.end_s}
        if prints[job.video] is not None:
            expected["fingerprint"] = prints[job.video]
        return all(meta.get(name) == value for name, value in expected.items())

    def _check_settings(self, path: Path) -> None:
        """Keep one folder for one extractor setting."""
        before = _read_settings(path)
        files = (file for file in self.out_dir.rglob("*.npz") if not file.name.startswith("."))
        if before is not None and next(files, None) is not None:
            _refuse_others(path, before, self._description)
            return
        ledger = self._own()  # seen by others before they are looked at: of two that begin at once, one sees the other
        self._refresh()
        for worker in self._ledgers.living(ledger.now()):
            if worker.settings != self._settings:
                ledger.close()
                raise OtherSettings(
                    f"{self.out_dir}: process {worker.pid} on {worker.host} is extracting into this folder with other "
                    "settings. Wait until it has ended, give another paths.data_root, or set them as there."
                )
        if before != self._description:
            atomic.write_json(path, self._description)


class _Claimed:
    """Gives the jobs that ``take`` says yes to."""

    def __init__(self, jobs: list[Job], take: Callable[[Job], bool]) -> None:
        self._jobs, self._take, self._lock = iter(jobs), take, threading.Lock()
        self._ahead: list[Job] = []

    def __iter__(self) -> "_Claimed":
        return self

    def __next__(self) -> Job:
        with self._lock:
            if self._ahead:
                return self._ahead.pop()
            return next(job for job in self._jobs if self._take(job))

    def look_ahead(self) -> bool:
        """Whether there is a first one, which is then kept for the next to ask."""
        self._ahead = [job for job in [next(self, None)] if job is not None]
        return bool(self._ahead)


def _read_settings(path: Path) -> dict[str, Any] | None:
    """The description in the folder; None = there is none."""
    try:
        before: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        _flat(before)
    except FileNotFoundError:
        return None
    except (ValueError, AttributeError) as error:  # no UTF-8, no JSON, or no object of settings
        raise DataError(f"{path}: is damaged ({error}). Delete it and run the command again.") from error
    return before


def _refuse_others(path: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    old, new = _flat(before), _flat(now)
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    if names:
        raise OtherSettings(
            f"{path}: the files in this folder were made with other settings: "
            + "; ".join(f"{name} was {old.get(name)}, is now {new.get(name)}" for name in names)
            + f". Set them back, give another paths.data_root, or delete {path.parent} to extract again."
        )


def _flat(description: dict[str, Any]) -> dict[str, Any]:
    """By the names that the command line has."""
    own = {f"extractor.{k}" if k in ("layout", "weights") else k: v for k, v in description.items() if k != "options"}
    return own | {f"extractor.{k}": v for k, v in description.get("options", {}).items()}


def _remove_half_written(path: Path) -> None:
    """Remove what a killed worker left of ``path``; names are those that :func:`atomic.replaced` gives."""
    name = re.compile(rf"\.{re.escape(path.stem)}-[a-z0-9_]{{8}}{re.escape(atomic.PARTIAL + path.suffix)}")
    if path.parent.is_dir():
        for other in path.parent.iterdir():
            if name.fullmatch(other.name):
                other.unlink(missing_ok=True)
