"""The clips of a corpus as jobs, and which of several commands does which, so that all take about as long."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sign_recog.storage.ledger import stamp_of


@dataclass(frozen=True)
class Job:
    """One clip to extract: ``[start_s, end_s)`` of ``video`` -> ``<out_dir>/<clip_id>.npz``.

    Attributes:
        duration_s: Where the manifest knows it; it decides when and by which shard a clip is done, and nothing else.
    """

    clip_id: str
    video: Path
    start_s: float = 0.0
    end_s: float | None = None
    duration_s: float | None = None

    def output(self, out_dir: Path) -> Path:
        return out_dir / f"{self.clip_id}.npz"


def share(jobs: Sequence[Job], shard: int, num_shards: int) -> list[Job]:
    """The jobs of part ``shard`` of ``num_shards``, in their order.

    The longest first, each goes to the part with the least so far, which leaves the longest part at most a third above
    the best possible (Graham 1969, doi:10.1137/0117039). It depends on the jobs alone, not on what is finished.
    """
    time = lengths(jobs)
    parts = [(0.0, i) for i in range(num_shards)]
    mine = set()
    for i in sorted(range(len(jobs)), key=lambda i: (-time[i], jobs[i].clip_id)):
        total, part = heapq.heappop(parts)
        if part == shard:
            mine.add(i)
        heapq.heappush(parts, (total + time[i], part))
    return [job for i, job in enumerate(jobs) if i in mine]


def longest_first(jobs: Sequence[Job]) -> list[Job]:
    """Long clips first, so that no worker is left alone with one at the end."""
    return [job for _, job in sorted(zip(lengths(jobs), jobs, strict=True), key=lambda pair: -pair[0])]


def lengths(jobs: Sequence[Job]) -> list[float]:
    """How long each clip takes, in a unit that they share: seconds where all are known, else the video's bytes."""
    seconds = [job.end_s - job.start_s if job.end_s is not None else job.duration_s for job in jobs]
    known = [value for value in seconds if value is not None]
    if len(known) == len(jobs):
        return known
    return [float((stamp_of(job.video) or (0, 0))[0]) for job in jobs]
