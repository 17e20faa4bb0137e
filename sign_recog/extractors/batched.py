"""Features of a whole corpus by one frozen network.

One process holds the network; clips are decoded by threads ahead of it. Keypoints, which need no shared
network, go over worker processes instead (pool.py).
"""

from collections.abc import Generator
from pathlib import Path

from sign_recog.extractors.base import NetworkExtractor
from sign_recog.extractors.jobs import Extraction, Job, Outcome, outcome_of, run_jobs
from sign_recog.extractors.workers import num_cores
from sign_recog.storage.features import read_features, write_features


def extract_all(
    jobs: list[Job], extractor: NetworkExtractor, out_dir: Path, *, num_threads: int | None, failed_name: str
) -> Extraction:
    """Extract every clip that is not finished; see :func:`~sign_recog.extractors.jobs.run_jobs`.

    Args:
        num_threads: Clips decoded at a time; 0 = the network waits for them, None = one for each core.
        failed_name: The table's name; shards that share a folder need one each.

    Raises:
        CheckpointError: If the network's weights cannot be loaded.
        DataError: If ``out_dir`` holds files of other extractor settings.
        SignRecogError: If the network's batches are too large for its device.
    """
    most = num_cores() if num_threads is None else num_threads

    def work(todo: list[Job]) -> Generator[tuple[Job, Outcome], None, None]:
        if not todo:
            return  # nothing to load the network for
        for job, result in extractor.sequences(todo, num_threads=min(most, len(todo))):
            if isinstance(result, Exception):
                yield job, outcome_of(result)
                continue
            result.meta["clip_id"] = job.clip_id
            write_features(job.output(out_dir), result)
            yield job, Outcome(num_frames=result.meta["num_frames"])

    return run_jobs(jobs, extractor.description(), out_dir, read_features, work, failed_name=failed_name)
