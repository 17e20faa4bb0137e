"""Clips decoded by worker processes, ahead of whoever takes their windows.

Workers write pictures where both processes read them: a worker has some slots of shared memory, each of one window, and
waits when all of its own are full, so what waits is bounded. Over pipes go clips, slot numbers and times. A worker that
dies costs one attempt at its clip.
"""

import ctypes
import multiprocessing
import os
import shutil
import signal
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from math import prod
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import numpy as np

from sign_recog.errors import DataError, SignRecogError
from sign_recog.extractors import workers
from sign_recog.extractors.decoding import End, Window
from sign_recog.extractors.jobs import Job

Decode = Callable[[Job], Iterator[Window | End]]

_SHARED_MEMORY = Path("/dev/shm")  # where Linux keeps what processes share
_NICENESS = 10  # of decoding, where the network computes on the same cores


@dataclass(frozen=True)
class Again:
    """The clip's windows so far are void: its worker died, and it is decoded once more."""


class DecodedAhead:
    """Worker processes for one ``decode``; they start at once, and end with :meth:`close` or with this process.

    Args:
        decode: Sent to every worker; raises nothing.
        shape: Of a window, (n, H, W, 3).
        num_workers: 0 = decode in this process, and only when it is asked for.
        num_windows: Windows that may wait to be taken, of all workers; at least one each.
        polite: Whether workers leave the cores to the network when it wants them.

    Raises:
        SignRecogError: If processes cannot share so much memory.
    """

    def __init__(
        self, decode: Decode, shape: tuple[int, ...], *, num_workers: int, num_windows: int, polite: bool
    ) -> None:
        self._decode, self._workers = decode, list[_Decoder]()
        self._deaths, self._received_any = 0, False
        if not num_workers:
            return
        self.num_slots = max(num_windows, num_workers)
        _check_room(self.num_slots * prod(shape))
        memory: Any = multiprocessing.get_context("spawn").RawArray(ctypes.c_ubyte, self.num_slots * prod(shape))
        self._slots = np.frombuffer(memory, np.uint8).reshape(self.num_slots, *shape)
        for number in range(num_workers):
            own = range(number, self.num_slots, num_workers)
            self._workers.append(_Decoder(decode, memory, shape, own, polite))

    def items(self, jobs: Iterable[Job]) -> Generator[tuple[Job, Window | End | Again], None, None]:
        """Yield each job with its windows, in their order, and its end; those of several jobs are mixed.

        A window's pictures may be overwritten when the next item is asked for.

        Args:
            jobs: One is taken when a worker can begin on it.

        Raises:
            SignRecogError: If worker after worker dies before anything is decoded.
        """
        if not self._workers:
            for job in jobs:
                for decoded in self._decode(job):
                    yield job, decoded
            return
        todo, retried = iter(jobs), deque[tuple[Job, int]]()

        def give(worker: _Decoder) -> None:
            task = retried.popleft() if retried else None
            if task is None and (job := next(todo, None)) is not None:
                task = job, 1
            if task is not None and not worker.process.is_alive():
                worker.restart()
            worker.give(task)

        for worker in self._workers:
            give(worker)
        while busy := [worker for worker in self._workers if worker.task is not None]:
            heard = wait([worker.connection for worker in busy])
            for worker in busy:
                if worker.connection not in heard or worker.task is None:
                    continue
                job, attempt = worker.task
                item, slot = self._received(worker)
                if isinstance(item, Window):
                    yield job, item
                    worker.free(slot)
                    continue
                if isinstance(item, Again):
                    if attempt < workers._ATTEMPTS:
                        retried.append((job, attempt + 1))
                    else:
                        item = End(0, {}, DataError(f"{worker.death} So did the one before it, on the same clip."))
                give(worker)  # before whoever takes the item is busy with it
                for idle in self._workers if retried else ():
                    if idle.task is None:
                        give(idle)
                yield job, item

    def close(self) -> None:
        """End the workers; clips in work are given up."""
        for worker in self._workers:
            worker.stop()

    def _received(self, worker: "_Decoder") -> tuple[Window | End | Again, int]:
        """What a worker sent, and the slot it is in; Again = the worker died, and another stands in its place."""
        try:
            message = worker.connection.recv()
        except (EOFError, OSError):  # the other end is gone
            worker.death = worker.how_it_died()
            self._deaths += 1
            if not self._received_any and self._deaths >= workers._HOPELESS:
                raise SignRecogError(
                    f"{self._deaths} worker processes died before one clip was decoded. {worker.death}"
                ) from None
            worker.restart()
            return Again(), -1
        self._received_any = True
        if isinstance(message, End):
            return message, -1
        slot, num_padding, timestamps_ms = message
        return Window(self._slots[slot], num_padding, timestamps_ms), slot


class _Decoder(workers._Worker[Job, Any]):
    """One process, its slots, and the clip and attempt it is at."""

    death = ""

    def __init__(self, decode: Decode, memory: Any, shape: tuple[int, ...], slots: range, polite: bool) -> None:
        self._settings = (decode, memory, shape, slots, polite)
        super().__init__(decode)

    def restart(self) -> None:
        context = multiprocessing.get_context("spawn")  # a forked copy of native threads' locks can hang
        self.connection, far_end = context.Pipe()
        self.process = context.Process(target=_serve, args=(far_end, *self._settings), daemon=True)
        self.process.start()
        far_end.close()  # so that reading fails when the worker, the only holder, is gone
        self.task = None

    def free(self, slot: int) -> None:
        """Let the worker write into a slot again."""
        try:
            self.connection.send(slot)
        except OSError:
            return  # it died just now, as the next read will say


def _serve(
    connection: Connection, decode: Decode, memory: Any, shape: tuple[int, ...], slots: range, polite: bool
) -> None:
    """A worker's life: a clip comes, the numbers of slots with its windows go, until the other end closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends the workers
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    workers._end_with_parent()
    os.environ["OMP_NUM_THREADS"] = "1"  # where pictures are changed or scaled by torch: processes are what scales
    if polite:
        os.nice(_NICENESS)
    windows, free = np.frombuffer(memory, np.uint8).reshape(-1, *shape), deque(slots)
    try:
        while True:
            message = connection.recv()
            if isinstance(message, int):
                free.append(message)
                continue
            for item in decode(message):
                if isinstance(item, End):
                    connection.send(item)
                    continue
                while not free:
                    free.append(connection.recv())
                slot = free.popleft()
                item.write(windows[slot])
                connection.send((slot, item.num_padding, item.timestamps_ms))
    except (EOFError, ConnectionError):
        return


def _check_room(num_bytes: int) -> None:
    """Raise SignRecogError if ``num_bytes`` cannot be shared; writing there would end the process otherwise."""
    if not _SHARED_MEMORY.is_dir():
        return
    free = shutil.disk_usage(_SHARED_MEMORY).free
    if num_bytes > free:
        raise SignRecogError(
            f"{_SHARED_MEMORY}: windows decoded ahead of the network need {num_bytes / 2**20:.0f} MiB of shared "
            f"memory, {free / 2**20:.0f} MiB are free. Give more (docker run --shm-size), or use a smaller "
            "extractor.batch_size, fewer run.num_workers, or run.num_workers=0."
        )
