"""Features of a whole corpus by one frozen network.

One process holds the network and writes the files; worker processes decode ahead of it. Keypoints, which need no
shared network, are made in worker processes from end to end instead (pool.py).
"""

from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path

from sign_recog.extractors.base import NetworkExtractor
from sign_recog.extractors.jobs import Extraction, Job, Outcome, outcome_of, run_jobs
from sign_recog.extractors.workers import num_cores
from sign_recog.storage.features import read_features, write_features


def extract_all(
    jobs: list[Job],
    extractor: NetworkExtractor,
    out_dir: Path,
    *,
    num_workers: int | None,
    only_failed: bool = False,
) -> Extraction:
    """Extract every clip that is not finished; see :func:`~sign_recog.extractors.jobs.run_jobs`.

    Args:
        num_workers: Processes that decode; 0 = decode in this one, None = one for each core this process may use.
        only_failed: Leave out clips that are not listed as failed.

    Raises:
        CheckpointError: If the network's weights cannot be loaded.
        DataError: If ``out_dir`` holds files of other extractor settings.
        SignRecogError: If the network's batches are too large for its device, memory that processes share is short,
            or workers keep dying.
    """
    most = num_cores() if num_workers is None else num_workers

    def work(todo: Iterator[Job], at_most: int) -> Generator[tuple[Job, Outcome], None, None]:
        with closing(extractor.sequences(todo, num_workers=min(most, at_most))) as sequences:
            for job, result in sequences:
                if isinstance(result, Exception):
                    yield job, outcome_of(result)
                    continue
                result.meta["clip_id"] = job.clip_id
                outcome = Outcome(num_frames=result.meta["num_clip_frames"])
                try:
                    write_features(job.output(out_dir), result)
                except OSError as error:  # such as a temporary file that whoever took the clip over has removed
                    outcome = outcome_of(error, out_dir)
                yield job, outcome

    return run_jobs(jobs, extractor.description(), out_dir, read_features, work, only_failed=only_failed)
