"""What the workers that share an output folder have done: one file of lines a worker, which only it writes.

``<folder>/.progress/<worker>.jsonl`` begins with who the worker is. Then comes a line for every clip that it finished,
found finished, or failed at, and one when it ends. While it lives it touches the file every 15 s, so that others, also
on other machines, see that it does. No file is written by two, so nothing needs the locks that cluster file systems
often lack; a line cut short by a kill is ignored. Times are the file system's, not the machines'.
"""

import contextlib
import errno
import json
import os
import re
import secrets
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sign_recog.storage.process import birth, machine

FOLDER = ".progress"  # in an extraction's folder
BEAT_S = 15.0
STALE_S = 120.0  # a worker that was silent for so long is dead; network file systems show times up to 60 s late

Stamp = tuple[int, int]  # size in bytes, time of change in ns


def stamp_of(path: Path) -> Stamp | None:
    """What changes when a file does; None = there is none."""
    try:
        stat = os.stat(path)  # noqa: PTH116 - twice as fast as Path.stat, over tens of thousands of files
    except (FileNotFoundError, NotADirectoryError):
        return None
    return stat.st_size, stat.st_mtime_ns


@dataclass(frozen=True)
class Worker:
    """Who a worker is.

    Attributes:
        name: Also that of its ledger.
        machine: This start of its machine and its process namespace; "" = not known.
        born: When its process began, in the kernel's ticks, since process ids are used again; "" = not known.
        started: Seconds since 1970, as all times here.
        settings: Digest of the settings that it works with.
    """

    name: str
    host: str
    machine: str
    pid: int
    born: str
    started: float
    settings: str

    @staticmethod
    def here(settings: str) -> "Worker":
        """This process, under a name that no other start of it has."""
        host, pid = socket.gethostname(), os.getpid()
        name = f"{re.sub('[^A-Za-z0-9.-]', '-', host)[:60]}_{pid}_{secrets.token_hex(4)}"
        return Worker(name, host, machine(), pid, birth(pid), time.time(), settings)

    @property
    def has_gone(self) -> bool:
        """Whether it was a process of this machine that is no more; of others nothing is known."""
        return bool(self.machine and self.born) and self.machine == machine() and birth(self.pid) != self.born


@dataclass(frozen=True)
class Word:
    """The latest word on a clip.

    Attributes:
        state: "done", "found" (finished before the worker looked) or "failed".
        at: When.
        frames: In the clip, where it was done.
        reason: Why it failed.
        about: What its file was made of, as the worker says it: span and settings.
        output, video: Stamps when it was said; None = there was no such file.
    """

    worker: str
    state: str
    at: float
    frames: int = 0
    reason: str = ""
    about: Any = None
    output: Stamp | None = None
    video: Stamp | None = None


class Ledgers:
    """All ledgers of a folder; :meth:`refresh` reads what was added.

    Attributes:
        words: clip_id -> the latest word on it.
        workers: Name -> worker, of those whose first line can be read.
        done: (time, worker, frames) of every clip that was extracted.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / FOLDER
        self.words: dict[str, Word] = {}
        self.workers: dict[str, Worker] = {}
        self.done: list[tuple[float, str, int]] = []
        self._read: dict[str, int] = {}  # name -> bytes
        self._touched: dict[str, float] = {}
        self._ended: set[str] = set()
        self._lock = threading.Lock()

    def refresh(self) -> None:
        """Read what is new; a worker that is known to be dead says nothing more."""
        with self._lock:
            try:
                names = [name for name in os.listdir(self.folder) if name.endswith(".jsonl")]  # noqa: PTH208
            except FileNotFoundError:
                return
            for worker in self._touched.keys() - {name.removesuffix(".jsonl") for name in names}:
                del self._touched[worker]
            for name in sorted(names):
                if name.removesuffix(".jsonl") not in self._ended:
                    with contextlib.suppress(FileNotFoundError):  # a worker that did nothing takes its ledger along
                        self._refresh(name)

    def _refresh(self, name: str) -> None:
        worker = name.removesuffix(".jsonl")
        with open(self.folder / name, "rb") as file:  # noqa: PTH123 - opening makes NFS ask the server
            stat = os.fstat(file.fileno())
            self._touched[worker] = stat.st_mtime
            before = self._read.get(worker, 0)
            if stat.st_size <= before:
                return
            file.seek(before)
            whole = file.read().rpartition(b"\n")[0]
        self._read[worker] = before + len(whole) + 1 if whole else before
        for line in whole.split(b"\n"):
            try:
                self._take(worker, json.loads(line))
            except (ValueError, TypeError, KeyError, AttributeError):
                continue  # cut short when the disk was full, or by a kill

    def _take(self, worker: str, said: dict[str, Any]) -> None:
        if "host" in said:
            self.workers[worker] = Worker(**said)
        elif "ended" in said:
            self._ended.add(worker)
        else:
            clip_id = said.pop("clip")
            stamps = {name: tuple(said[name]) for name in ("output", "video") if said.get(name) is not None}
            word = Word(worker=worker, **{**said, **stamps})
            if word.state == "done":
                self.done.append((word.at, worker, word.frames))
            before = self.words.get(clip_id)
            if before is None or before.at <= word.at:
                self.words[clip_id] = word

    def is_living(self, worker: str, now: float) -> bool | None:
        """Whether a worker is at work at the file system's time ``now``; None = it has no ledger."""
        if worker not in self._touched:
            return None
        known = self.workers.get(worker)
        gone = worker in self._ended or (known is not None and known.has_gone)
        return not gone and now - self._touched[worker] < STALE_S

    def living(self, now: float) -> list[Worker]:
        """The workers that are at work."""
        return [worker for name, worker in sorted(self.workers.items()) if self.is_living(name, now)]


class Ledger:
    """This worker's own. Methods may be called from several threads."""

    def __init__(self, folder: Path, settings: str) -> None:
        """Begin one, and a thread that touches it."""
        self.worker = Worker.here(settings)
        (folder / FOLDER).mkdir(parents=True, exist_ok=True)
        self.path = folder / FOLDER / f"{self.worker.name}.jsonl"
        self._lock, self._closed = threading.Lock(), threading.Event()
        self._cut, self._said_something = False, False
        self._append(vars(self.worker))
        self._ahead = self.path.stat().st_mtime - time.monotonic()
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()

    def say(self, clip_id: str, state: str, **more: Any) -> None:
        """Add a :class:`Word`; it is in the file when this returns.

        Raises:
            OSError: If the disk is full, or the folder is gone.
        """
        self._said_something = True
        self._append({"clip": clip_id, "state": state, "at": round(self.now(), 3), **more})

    def now(self) -> float:
        """The file system's time."""
        return time.monotonic() + self._ahead

    def close(self) -> None:
        """End it; one that says nothing is removed."""
        self._closed.set()
        with contextlib.suppress(OSError):  # on a full disk, or where somebody deleted the folder: it goes stale
            if self._said_something:
                self._append({"ended": round(self.now(), 3)})
            else:
                self.path.unlink(missing_ok=True)

    def _append(self, line: dict[str, Any]) -> None:
        text = json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        with self._lock, open(self.path, "ab", buffering=0) as file:  # noqa: PTH123 - closing makes NFS send it
            text = b"\n" + text if self._cut else text
            self._cut = True  # until all of it is written
            if file.write(text) != len(text):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))  # it takes a part first
            self._cut = False

    def _beat(self) -> None:
        while not self._closed.wait(BEAT_S):
            with contextlib.suppress(OSError):  # a file server that is away for a moment
                os.utime(self.path)
                self._ahead = self.path.stat().st_mtime - time.monotonic()


def time_of(folder: Path) -> float:
    """The time of the file system of ``folder``, by a file made there; this machine's where none may be made."""
    path = folder / f".now-{secrets.token_hex(4)}"
    try:
        path.touch()
        try:
            return path.stat().st_mtime
        finally:
            path.unlink(missing_ok=True)
    except OSError:
        return time.time()
