"""Keypoints of a whole corpus over worker processes, each with its own extractor.

MediaPipe's threads keep 1.4 cores busy, since a frame waits for the one before it; processes use them all.
Workers write their files themselves, so only clip names and counts travel between processes.
"""

from collections.abc import Generator, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from sign_recog.extractors.jobs import Extraction, Job, Outcome, outcome_of, run_jobs
from sign_recog.extractors.workers import Died, num_cores, run_in_workers
from sign_recog.storage.sequences import KeypointSequence, read_keypoints, write_keypoints


class Extractor(Protocol):
    """What the pool needs; an extractor can be sent to another process and loads its libraries there."""

    def description(self) -> dict[str, Any]:
        """What decides the landmarks of a given video, as JSON values."""

    def extract(self, video: Path, start_s: float, end_s: float | None) -> KeypointSequence:
        """The landmarks of a span of ``video``; DataError where it cannot be done."""


def extract_all(
    jobs: list[Job],
    extractor: Extractor,
    out_dir: Path,
    *,
    num_workers: int | None,
    only_failed: bool = False,
) -> Extraction:
    """Extract every clip that is not finished; see :func:`~sign_recog.extractors.jobs.run_jobs`.

    Args:
        num_workers: Processes; 0 = work in this one, None = one for each core this process may use.
        only_failed: Leave out clips that are not listed as failed.

    Raises:
        DataError: If ``out_dir`` holds files of other extractor settings.
        SignRecogError: If the extractor cannot be loaded, or workers keep dying.
    """
    most = num_cores() if num_workers is None else num_workers

    def work(todo: Iterator[Job], at_most: int) -> Generator[tuple[Job, Outcome], None, None]:
        return _outcomes(todo, partial(_extract_one, extractor=extractor, out_dir=out_dir), min(most, at_most))

    return run_jobs(jobs, extractor.description(), out_dir, read_keypoints, work, only_failed=only_failed)


def _extract_one(job: Job, extractor: Extractor, out_dir: Path) -> Outcome:
    try:
        sequence = extractor.extract(job.video, job.start_s, job.end_s)
        sequence.meta["clip_id"] = job.clip_id
        write_keypoints(job.output(out_dir), sequence)
    except Exception as error:  # one clip's trouble does not end the run
        return outcome_of(error, out_dir)
    return Outcome(num_frames=len(sequence.timestamps_ms))


def _outcomes(
    jobs: Iterator[Job], work: partial[Outcome], num_workers: int
) -> Generator[tuple[Job, Outcome], None, None]:
    if not num_workers:
        for job in jobs:
            yield job, work(job)
        return
    with closing(run_in_workers(jobs, work, num_workers)) as results:
        for job, result in results:
            yield job, Outcome(error=result.reason) if isinstance(result, Died) else result
