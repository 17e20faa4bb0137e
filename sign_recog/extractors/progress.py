"""How far the extraction into a folder is, from what its workers wrote; no file of a clip is opened."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sign_recog.extractors.shards import Job
from sign_recog.storage.claims import running
from sign_recog.storage.ledger import FOLDER, Ledgers, Word, Worker, stamp_of, time_of

_RECENT_S = 600.0  # over which the speed is measured


@dataclass(frozen=True)
class Speed:
    """Over the last ten minutes, or since the first worker began; None = nothing was done."""

    clips_per_min: float
    frames_per_s: float


@dataclass(frozen=True)
class AtWork:
    """A living worker, what it has done in all and lately, and the clips it has claimed."""

    worker: Worker
    num_clips: int
    speed: Speed | None
    clips: list[str]


@dataclass(frozen=True)
class Progress:
    """One extraction folder; every clip is counted once.

    Attributes:
        done: Has the file that a worker wrote, or one nobody said anything of.
        running: Claimed by a living worker.
        failed: The latest word on it is a failure.
        missing: Anything else: not tried yet, or its file was cut or removed.
        left_s: At the present speed; None = nobody is at work, or nothing was done yet.
        first_failure: "clip: reason"; "" = there is none.
    """

    done: int
    running: int
    failed: int
    missing: int
    speed: Speed | None
    left_s: float | None
    first_failure: str
    workers: list[AtWork]


def progress_of(folder: Path, jobs: Iterable[Job]) -> Progress:
    """How the clips of ``jobs`` stand in ``folder``."""
    ledgers = Ledgers(folder)
    ledgers.refresh()
    now = time_of(folder / FOLDER)
    living = {worker.name: worker for worker in ledgers.living(now)}
    claimed = {clip_id: worker for clip_id, worker in running(folder).items() if worker in living}
    states, failures = Counter[str](), list[tuple[float, str]]()
    for job in jobs:
        state = _state(job, ledgers.words.get(job.clip_id), job.clip_id in claimed, folder)
        states[state] += 1
        if state == "failed":
            word = ledgers.words[job.clip_id]
            failures.append((word.at, f"{job.clip_id}: {word.reason}"))
    speed = _speed(ledgers.done, living.values(), now)
    left = states["missing"] + states["running"]
    return Progress(
        done=states["done"],
        running=states["running"],
        failed=states["failed"],
        missing=states["missing"],
        speed=speed,
        left_s=60 * left / speed.clips_per_min if speed else None,
        first_failure=min(failures)[1] if failures else "",
        workers=[_at_work(worker, ledgers, claimed, now) for worker in living.values()],
    )


def _state(job: Job, word: Word | None, is_claimed: bool, folder: Path) -> str:
    if is_claimed:
        return "running"
    if word is not None and word.state == "failed":
        return "failed"
    output = stamp_of(job.output(folder))
    if output is None:
        return "missing"
    as_written = word is None or (word.output == output and word.about[1:] == [job.start_s, job.end_s])
    return "done" if as_written else "missing"


def _at_work(worker: Worker, ledgers: Ledgers, claimed: dict[str, str], now: float) -> AtWork:
    own = [entry for entry in ledgers.done if entry[1] == worker.name]
    clips = sorted(clip_id for clip_id, name in claimed.items() if name == worker.name)
    return AtWork(worker, len(own), _speed(own, [worker], now), clips)


def _speed(done: Iterable[tuple[float, str, int]], living: Iterable[Worker], now: float) -> Speed | None:
    workers = {worker.name: worker.started for worker in living}
    if not workers:
        return None
    since = max(now - _RECENT_S, min(workers.values()))
    recent = [frames for at, name, frames in done if at >= since and name in workers]
    seconds = max(now - since, 1.0)
    return Speed(60 * len(recent) / seconds, sum(recent) / seconds) if recent else None
