"""What the extraction of keypoints and that of features share: whose clips are whose, and what came of them."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sign_recog.config import Config
from sign_recog.errors import ConfigError, DataError
from sign_recog.extractors.failures import FAILED
from sign_recog.extractors.jobs import Extraction, Job
from sign_recog.extractors.shards import share
from sign_recog.extractors.shared import OtherSettings
from sign_recog.stages.build import build
from sign_recog.stages.run_folder import extractor_name
from sign_recog.storage.corpus import PreparedCorpus
from sign_recog.storage.manifest import Clip

logger = logging.getLogger(__name__)

OTHER = {  # what an extractor makes -> the stage it belongs to, and an option to name
    "keypoints": ("extract_keypoints", "mediapipe_holistic"),
    "features": ("extract_features", "inception_v3"),
}


def build_extractor(config: Config, makes: str) -> Any:
    """The extractor that the configuration names.

    Raises:
        ConfigError: If it makes something else than ``makes``.
    """
    extractor = build(config.extractor)
    if extractor.makes != makes:
        stage, option = OTHER[extractor.makes][0], OTHER[makes][1]
        raise ConfigError(
            f"extractor={extractor_name(config)} makes {extractor.makes}, not {makes}. Use run={stage}, or "
            f"an extractor of {makes}, say extractor={option}."
        )
    return extractor


def jobs_of(corpus: PreparedCorpus, clips: Sequence[Clip]) -> list[Job]:
    """What is to be extracted, of all shards."""
    return [Job(clip.clip_id, corpus.video_path(clip), clip.start_s, clip.end_s, _duration_s(clip)) for clip in clips]


def own_share(config: Config, jobs: list[Job]) -> list[Job]:
    """This command's part of ``jobs``, by duration; the same whatever is finished already."""
    return share(jobs, config.run.shard, config.run.num_shards) if config.run.num_shards > 1 else jobs


def extract(
    config: Config, jobs: list[Job], folder: Path, extract_all: Callable[..., Extraction], extractor: Any
) -> Extraction:
    """Extract what is not finished of ``jobs`` into ``folder``, and log what failed.

    Raises:
        DataError: If more than ``run.max_failed_share`` of them failed, or all, or ``folder`` holds other settings'
            files.
    """
    settings, table = config.run, folder / FAILED
    only_failed = settings.retry is not None
    try:
        done = extract_all(jobs, extractor, folder, num_workers=settings.num_workers, only_failed=only_failed)
    except OtherSettings as error:
        if "name" not in config.extractor:
            raise
        raise DataError(f"{error} Or keep both: extractor.name=ANOTHER is a folder of its own.") from error
    for clip_id, reason in done.failed.items():
        logger.warning("%s: %s", clip_id, reason)
    done.refuse_many_failures(len(jobs), settings.max_failed_share, str(table))
    if jobs and len(done.failed) == len(jobs):
        raise DataError(f"None of {len(jobs)} clips could be extracted. Their reasons stand in {table}.")
    return done


def _duration_s(clip: Clip) -> float | None:
    """Of a clip without an end, by the manifest's column ``duration`` (seconds); None = not known."""
    try:
        seconds = float(clip.extra["duration"])
    except (KeyError, ValueError):
        return None
    return seconds if 0 < seconds < float("inf") else None
