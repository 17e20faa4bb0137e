"""Tasks over worker processes, of which any may die.

``concurrent.futures`` and ``multiprocessing.Pool`` lose the whole run, or hang, when native code crashes in
a worker or the system kills it. Here a dead worker costs one attempt at one task.
"""

import ctypes
import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, TypeVar

from sign_recog.errors import SignRecogError

Task = TypeVar("Task")
Result = TypeVar("Result")

_ATTEMPTS = 2  # at a task, where workers die on it
_HOPELESS = 10  # dead workers before the first result: the workers themselves are broken
_STOP_S = 5.0  # how long a worker may take to end before it is killed


@dataclass(frozen=True)
class Died:
    """Instead of a result: every worker that tried the task died."""

    reason: str


def num_cores() -> int:
    """Cores this process may use, which a cluster's scheduler may have limited."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_in_workers(
    tasks: Iterable[Task], work: Callable[[Task], Result], num_workers: int
) -> Generator[tuple[Task, Result | Died], None, None]:
    """Yield each task with ``work(task)``, in the order they are done, worked on by ``num_workers`` processes.

    Tasks are started in their order, and each is taken from ``tasks`` only when a worker can begin on it. Closing the
    iterator ends the workers; a task in work is given up.

    Args:
        work: Sent once to every worker, where it may keep what is slow to load; it returns no None and never raises.

    Raises:
        SignRecogError: If worker after worker dies before anything is done.
    """
    again, fresh = deque[tuple[Task, int]](), iter(tasks)
    workers: list[_Worker[Task, Result]] = []
    deaths, results = 0, 0

    def next_task() -> tuple[Task, int] | None:
        return again.popleft() if again else next(((task, 1) for task in fresh), None)

    try:
        while len(workers) < num_workers and (first := next_task()) is not None:
            workers.append(_Worker(work))
            workers[-1].give(first)
        while busy := [worker for worker in workers if worker.task is not None]:
            heard = wait([worker.connection for worker in busy])
            for worker in busy:
                if worker.connection not in heard or worker.task is None:
                    continue
                task, attempt = worker.task
                result: Any = None
                try:
                    result = worker.connection.recv()
                    results += 1
                except (EOFError, OSError):  # the other end is gone
                    reason = worker.how_it_died()
                    deaths += 1
                    if not results and deaths >= _HOPELESS:
                        raise SignRecogError(
                            f"{deaths} worker processes died before one clip was done. {reason}"
                        ) from None
                    if attempt < _ATTEMPTS:
                        again.append((task, attempt + 1))
                    else:
                        result = Died(f"{reason} So did the one before it, on the same clip.")
                    worker.restart()
                worker.give(next_task())
                if result is not None:
                    yield task, result
    finally:
        for worker in workers:
            worker.stop()


class _Worker(Generic[Task, Result]):
    """One process, and the task and attempt it is at; None = idle."""

    def __init__(self, work: Callable[[Task], Result]) -> None:
        self.work = work
        self.restart()

    def restart(self) -> None:
        context = multiprocessing.get_context("spawn")  # a forked copy of native threads' locks can hang
        self.connection, far_end = context.Pipe()
        self.process = context.Process(target=_serve, args=(far_end, self.work), daemon=True)
        self.process.start()
        far_end.close()  # so that reading fails when the worker, the only holder, is gone
        self.task: tuple[Task, int] | None = None

    def give(self, task: tuple[Task, int] | None) -> None:
        self.task = task
        if task is not None:
            try:
                self.connection.send(task[0])
            except OSError:
                return  # it died just now, as the next read will say

    def how_it_died(self) -> str:
        self.process.join()
        code = self.process.exitcode or 0
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        memory = " Often the system is short of memory then: use fewer run.num_workers." if code == -9 else ""
        return f"The worker process {how}.{memory}"

    def stop(self) -> None:
        self.connection.close()  # an idle worker ends by this
        if self.task is not None:
            self.process.terminate()
        self.process.join(_STOP_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def _serve(connection: Connection, work: Callable[[Task], Result]) -> None:
    """A worker's life: a task comes, its result goes, until the other end closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends the workers
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # an exception, so that half-written files are removed
    _end_with_parent()
    _use_one_heap()
    while True:
        try:
            connection.send(work(connection.recv()))
        except (EOFError, ConnectionError):  # closed; reset, where a result was left unread
            return


def _end_with_parent() -> None:
    """Have the kernel kill this process when its parent is killed: whoever takes up its task then is alone with it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG in prctl.h
        parent = multiprocessing.parent_process()
        if parent is not None and os.getppid() != parent.pid:
            os._exit(1)  # it was killed before the kernel knew


def _use_one_heap() -> None:
    """Keep glibc from opening a heap for every native thread.

    Each restart of MediaPipe's graph makes new threads. Measured over 30 clips: 570 MB and growing
    without this, 400 MB and level with it, at the same speed.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none, and one heap
        if mallopt is not None:
            mallopt(-8, 1)  # M_ARENA_MAX in glibc's malloc.h
