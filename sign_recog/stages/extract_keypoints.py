"""Video -> keypoints of every clip in the manifest."""

import logging

from sign_recog.config import Config
from sign_recog.console import print_table
from sign_recog.errors import ConfigError, DataError
from sign_recog.extractors.jobs import Job
from sign_recog.extractors.pool import extract_all
from sign_recog.extractors.quality import measure_all
from sign_recog.stages import StageResult
from sign_recog.stages.build import build
from sign_recog.stages.run_folder import extractor_name, prepared
from sign_recog.storage import atomic

logger = logging.getLogger(__name__)


def run(config: Config) -> StageResult:
    """Extract what is not finished, print a table of its quality, and count what failed.

    Raises:
        ConfigError: If the extractor makes no keypoints.
        DataError: If more than ``run.max_failed_share`` of the clips failed, or the folder holds other settings' files.
    """
    settings, corpus = config.run, prepared(config)
    folder = corpus.keypoints_dir(extractor_name(config))
    if corpus.video_dir is None:
        return StageResult(summary={"keypoints": "came with the corpus; nothing to extract", "folder": folder})
    extractor = build(config.extractor)
    if extractor.makes != "keypoints":
        raise ConfigError(
            f"extractor={extractor_name(config)} makes {extractor.makes}, not keypoints. Use run=extract_features, or "
            "an extractor of keypoints, say extractor=mediapipe_holistic."
        )
    clips = corpus.clips[settings.shard :: settings.num_shards]
    jobs = [Job(clip.clip_id, corpus.video_path(clip), clip.start_s, clip.end_s) for clip in clips]
    shard = "" if settings.num_shards == 1 else f"-{settings.shard}of{settings.num_shards}"
    done = extract_all(jobs, extractor, folder, num_workers=settings.num_workers, failed_name=f"failed{shard}.tsv")
    for clip_id, reason in done.failed.items():
        logger.warning("%s: %s", clip_id, reason)
    done.refuse_many_failures(len(jobs), settings.max_failed_share, f"{folder}/failed{shard}.tsv")
    files = [(job.clip_id, job.output(folder)) for job in jobs]
    files = [(clip_id, path) for clip_id, path in files if path.exists()]
    if not files:
        raise DataError(
            f"None of {len(jobs)} clips could be extracted. Their reasons stand in {folder}/failed{shard}.tsv."
        )
    quality = measure_all(files)
    rows = [{"measure": name, "value": value} for name, value in quality.rows()]
    atomic.write_json(folder / f"quality{shard}.json", {**quality.to_json(), "rows": rows})
    print_table("Quality of the keypoints", ("measure", "value"), quality.rows())
    worst = ("clip", "frames", "with a hand", "jitter", "frozen")
    print_table("The clips to look at", worst, quality.worst_rows())
    return StageResult(summary=done.summary(len(jobs)) | {"folder": folder})
