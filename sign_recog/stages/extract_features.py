"""Video -> features of every clip in the manifest, by a frozen network."""

import logging

from sign_recog.config import Config
from sign_recog.errors import ConfigError, DataError
from sign_recog.extractors.base import RANDOM_WEIGHTS
from sign_recog.extractors.batched import extract_all
from sign_recog.extractors.jobs import Job
from sign_recog.stages import StageResult
from sign_recog.stages.build import build
from sign_recog.stages.run_folder import extractor_name, prepared

logger = logging.getLogger(__name__)


def run(config: Config) -> StageResult:
    """Extract what is not finished, and count what failed; random weights are named as such.

    Raises:
        ConfigError: If the extractor makes no features.
        DataError: If more than ``run.max_failed_share`` of the clips failed, or the folder holds other settings' files.
    """
    settings, corpus = config.run, prepared(config)
    folder = corpus.features_dir(extractor_name(config))
    if corpus.video_dir is None:
        return StageResult(summary={"features": "came with the corpus; nothing to extract", "folder": folder})
    extractor = build(config.extractor)
    if extractor.makes != "features":
        raise ConfigError(
            f"extractor={extractor_name(config)} makes {extractor.makes}, not features. Use run=extract_keypoints, or "
            "an extractor of features, say extractor=inception_v3."
        )
    weights = extractor.description()["weights"]
    if weights == RANDOM_WEIGHTS:
        logger.warning("extractor.weights=null: weights are %s. Give a file of weights.", RANDOM_WEIGHTS)
    clips = corpus.clips[settings.shard :: settings.num_shards]
    jobs = [Job(clip.clip_id, corpus.video_path(clip), clip.start_s, clip.end_s) for clip in clips]
    shard = "" if settings.num_shards == 1 else f"-{settings.shard}of{settings.num_shards}"
    done = extract_all(jobs, extractor, folder, num_threads=settings.num_workers, failed_name=f"failed{shard}.tsv")
    for clip_id, reason in done.failed.items():
        logger.warning("%s: %s", clip_id, reason)
    done.refuse_many_failures(len(jobs), settings.max_failed_share, f"{folder}/failed{shard}.tsv")
    if jobs and len(done.failed) == len(jobs):
        raise DataError(
            f"None of {len(jobs)} clips could be extracted. Their reasons stand in {folder}/failed{shard}.tsv."
        )
    where = {"weights": weights, "device": str(extractor.torch_device()), "folder": folder}
    return StageResult(summary=done.summary(len(jobs)) | where)
