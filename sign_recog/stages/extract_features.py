"""Video -> features of every clip in the manifest, by a frozen network."""

import logging
from pathlib import Path

from sign_recog.config import Config
from sign_recog.extractors.base import RANDOM_WEIGHTS
from sign_recog.extractors.batched import extract_all
from sign_recog.extractors.jobs import Extraction
from sign_recog.formats.ssvp_slt_tree import write_tree
from sign_recog.stages import StageResult
from sign_recog.stages.build import build
from sign_recog.stages.extraction import build_extractor, extract, jobs_of, own_share
from sign_recog.stages.run_folder import extractor_name, prepared

logger = logging.getLogger(__name__)


def run(config: Config) -> StageResult:
    """Extract what is not finished, and count what failed; random weights are named as such.

    With ``run.augmented_copies`` the training clips are extracted as often again, each time changed otherwise.

    Raises:
        ConfigError: If the extractor makes no features.
        DataError: If more than ``run.max_failed_share`` of the clips failed, or the folder holds other settings' files.
    """
    settings, corpus, name = config.run, prepared(config), extractor_name(config)
    folder = corpus.features_dir(name)
    if corpus.video_dir is None:
        return StageResult(summary={"features": "came with the corpus; nothing to extract", "folder": folder})
    extractor = build_extractor(config, "features")
    weights = extractor.description()["weights"]
    if weights == RANDOM_WEIGHTS:
        logger.warning("extractor.weights=null: weights are %s. Give a file of weights.", RANDOM_WEIGHTS)
    jobs = own_share(config, jobs_of(corpus, corpus.clips))
    done = extract(config, jobs, folder, extract_all, extractor)
    summary = done.summary(len(jobs)) | {"weights": weights, "device": str(extractor.torch_device()), "folder": folder}
    folders = {0: folder}
    if settings.augmented_copies:
        changes = [build(node) for node in settings.augment.values()]
        jobs = own_share(config, jobs_of(corpus, corpus.of_split("train")))
        for copy in range(1, settings.augmented_copies + 1):
            folders[copy] = corpus.augmented_dir(name, copy)
            logger.info("augmented copy %d of %d: %s", copy, settings.augmented_copies, folders[copy])
            changed = extractor.augmented(copy, changes, config.seed)
            done = extract(config, jobs, folders[copy], extract_all, changed)
            summary |= {f"augmented copy {copy}": _line(done)}
    if settings.tree_dir is not None:
        summary |= write_tree(corpus, folders, Path(settings.tree_dir))
    return StageResult(summary=summary)


def _line(done: Extraction) -> str:
    others = f"{done.skipped} before" if done.tried_again is None else f"{done.tried_again} tried again"
    return f"{done.finished} extracted now, {others}, {len(done.failed)} failed"
