"""Video -> keypoints of every clip in the manifest."""

from sign_recog.config import Config
from sign_recog.console import print_table
from sign_recog.extractors.pool import extract_all
from sign_recog.extractors.quality import measure_all
from sign_recog.stages import StageResult
from sign_recog.stages.extraction import build_extractor, extract, jobs_of, own_share
from sign_recog.stages.run_folder import extractor_name, prepared
from sign_recog.storage import atomic
from sign_recog.storage.ledger import FOLDER
from sign_recog.storage.memo import Memo


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
    extractor = build_extractor(config, "keypoints")
    jobs = own_share(config, jobs_of(corpus, corpus.clips))
    done = extract(config, jobs, folder, extract_all, extractor)
    files = [(job.clip_id, path) for job in jobs if (path := job.output(folder)).exists()]
    if files:
        shard = "" if settings.num_shards == 1 else f"-{settings.shard}of{settings.num_shards}"
        memo = Memo(folder / FOLDER / f"quality{shard}.json")
        quality = measure_all(files, memo)
        memo.save()
        rows = [{"measure": name, "value": value} for name, value in quality.rows()]
        atomic.write_json(folder / f"quality{shard}.json", {**quality.to_json(), "rows": rows})
        print_table("Quality of the keypoints", ("measure", "value"), quality.rows())
        worst = ("clip", "frames", "with a hand", "jitter", "frozen")
        print_table("The clips to look at", worst, quality.worst_rows())
    return StageResult(summary=done.summary(len(jobs)) | {"folder": folder})
