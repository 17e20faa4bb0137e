"""Which GPUs are free: nobody else uses memory there, at several looks in a row."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Collection, Sequence

from sign_recog.queue.entries import QueueError

SETTLE_S = 2.0  # until the memory of a process that has ended is free again


def memory_used() -> dict[str, float] | None:
    """GPU -> GB in use; None where there is no nvidia-smi.

    Raises:
        QueueError: If nvidia-smi fails, or does not say.
    """
    if shutil.which("nvidia-smi") is None:
        return None
    command = ["nvidia-smi", "--query-gpu=index,memory.used", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except subprocess.TimeoutExpired as error:
        raise QueueError("nvidia-smi did not answer within 60 s. --gpus none runs without GPUs.") from error
    if done.returncode:
        said = " ".join((done.stderr.strip() or done.stdout.strip()).split())
        raise QueueError(f"nvidia-smi failed: {said}. Mend the driver; --gpus none runs without GPUs.")
    found = {}
    for line in done.stdout.splitlines():
        index, _, used = (part.strip() for part in line.partition(","))
        try:
            found[index] = float(used) / 1024  # MiB
        except ValueError:
            raise QueueError(
                f"nvidia-smi does not say what GPU {index} uses ({used}). --looks 0 does not ask."
            ) from None
    return found


def chosen_gpus(given: str | None) -> list[str] | None:
    """The GPUs a worker may use: those given as "0,1"; all that CUDA_VISIBLE_DEVICES leaves; None = there are none.

    Raises:
        QueueError: If one is not there.
    """
    if given is not None and given.lower() == "none":
        return None
    known = memory_used()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "") if given is None else given
    wanted = list(dict.fromkeys(part.strip() for part in visible.split(",") if part.strip()))
    missing = [gpu for gpu in wanted if gpu not in (known or {})]
    if missing and (given is not None or known):
        there = ", ".join(known) if known else "none"
        raise QueueError(f"GPU {', '.join(missing)} is not there; nvidia-smi shows: {there}. Give others with --gpus.")
    return (wanted or list(known)) if known else None


class FreeGpus:
    """Looks at the GPUs, ``pause_s`` seconds apart; one is free after ``looks`` looks that found it so.

    On a GPU that has just been given back by a run of the queue, one look is enough.

    Args:
        below_gb: Memory in use at which a GPU still counts as free, as a desktop's.
        looks: 0 = do not look.
        ask: What :func:`memory_used` says.
    """

    def __init__(
        self,
        gpus: Sequence[str],
        *,
        below_gb: float,
        looks: int,
        pause_s: float,
        ask: Callable[[], dict[str, float] | None] = memory_used,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.gpus = list(gpus)
        self._below_gb, self._looks, self._pause_s, self._ask, self._clock = below_gb, looks, pause_s, ask, clock
        self._found_free = dict.fromkeys(self.gpus, 0)
        self._next = self._last = clock()
        self.note = ""

    def given_back(self, gpus: Collection[str]) -> None:
        """A run of the queue has ended on ``gpus``."""
        for gpu in gpus:
            if gpu in self._found_free:
                self._found_free[gpu] = max(0, self._looks - 1)
        self._next = min(self._next, self._clock() + min(SETTLE_S, self._pause_s))

    def free(self, taken: Collection[str]) -> list[str]:
        """Those of the GPUs that are free; ``taken`` are the queue's own and not looked at."""
        others = [gpu for gpu in self.gpus if gpu not in taken]
        if self._looks == 0:
            return others
        if self._clock() >= self._next:
            self._look(others)
        found = [gpu for gpu in others if self._found_free[gpu] >= self._looks]
        if found and self._clock() > self._last + 1:  # the latest look may be a pause old
            self._look(others)
            found = [gpu for gpu in found if self._found_free[gpu] >= self._looks]
        return found

    def _look(self, others: Sequence[str]) -> None:
        self._last = self._clock()
        self._next = self._last + self._pause_s
        try:
            used = self._ask() or {}
        except QueueError as error:
            self._found_free.update(dict.fromkeys(others, 0))
            self.note = f"{error}"
            return
        for gpu in others:
            self._found_free[gpu] = self._found_free[gpu] + 1 if used.get(gpu, float("inf")) < self._below_gb else 0
        shown = []
        for gpu in others:
            seen = f"free at {min(self._found_free[gpu], self._looks)} of {self._looks} looks"
            shown.append(f"GPU {gpu}: {used[gpu]:.1f} GB in use, {seen}" if gpu in used else f"GPU {gpu}: not there")
        self.note = "; ".join(shown)
