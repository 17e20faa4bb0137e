"""Check a prepared corpus before hours of work are spent on it."""

from collections import Counter

from sign_recog.config import Config
from sign_recog.console import print_table
from sign_recog.corpora.check import check_corpus
from sign_recog.errors import DataError
from sign_recog.stages import StageResult
from sign_recog.stages.run_folder import extractor_name, prepared
from sign_recog.storage import atomic

MOST_SHOWN = 30  # rows of the table; problems.tsv has them all


def run(config: Config) -> StageResult:
    """Print a table of problems and write problems.tsv beside the manifest.

    Raises:
        DataError: If anything is wrong, so that the command ends with exit code 1.
    """
    corpus, settings = prepared(config), config.run
    name = extractor_name(config)
    keypoints_dir, features_dir = corpus.keypoints_dir(name), corpus.features_dir(name)
    result = check_corpus(
        corpus.clips,
        corpus.video_dir,
        keypoints_dir if keypoints_dir.exists() else None,
        features_dir if features_dir.exists() else None,
        decode=settings.decode,
        min_frames=settings.min_frames,
        max_missing_hands=settings.max_missing_hands,
        max_swapped_frames=settings.max_swapped_frames,
        max_jump=settings.max_jump,
        max_frozen_frames=settings.max_frozen_frames,
        num_workers=settings.num_workers,
    )
    path = corpus.folder / "problems.tsv"
    rows = [(p.clip_id, p.kind, " ".join(p.detail.split())) for p in result.problems]
    atomic.write_text(path, "".join("\t".join(row) + "\n" for row in [("clip_id", "kind", "detail"), *rows]))
    if rows:
        shown = f", the first {MOST_SHOWN}" if len(rows) > MOST_SHOWN else ""
        print_table(f"Problems of {corpus.folder}{shown}", ("clip", "kind", "detail"), rows[:MOST_SHOWN])
        kinds = ", ".join(f"{count} {kind}" for kind, count in Counter(kind for _, kind, _ in rows).most_common())
        raise DataError(f"{corpus.folder}: {len(rows)} problems ({kinds}). All stand in {path}.")
    return StageResult(summary={**result.counts, "problems": 0})
