"""Annotation -> manifest.tsv: which clips there are, what they show, and which split they are in."""

import logging
from pathlib import Path

from tqdm import tqdm

from sign_recog.config import Config
from sign_recog.corpora.base import Corpus
from sign_recog.corpora.check import content_hashes
from sign_recog.corpora.splits import (
    assign_splits,
    drop_partial_glosses,
    gloss_coverage,
    leakage,
    select_categories,
    select_glosses,
)
from sign_recog.data.datamodule import keypoint_path
from sign_recog.data.vocabulary import Vocabulary
from sign_recog.errors import DataError
from sign_recog.stages import StageResult
from sign_recog.stages.build import build
from sign_recog.stages.run_folder import corpus_dir, extractor_name, plain
from sign_recog.storage import atomic
from sign_recog.storage.corpus import PreparedCorpus, corpus_info_path
from sign_recog.storage.manifest import SPLITS, Clip, split_counts, write_manifest
from sign_recog.storage.sequences import read_meta, write_keypoints

logger = logging.getLogger(__name__)


def run(config: Config) -> StageResult:
    """Read the annotation, choose glosses, assign splits, and write the manifest; originals are only read.

    Raises:
        DataError: If the annotation is not what it should be, or val or test hold a gloss that train lacks.
    """
    data, folder = config.data, corpus_dir(config)
    corpus: Corpus = build(data.corpus, out_dir=folder)
    clips = select_categories(corpus.clips, data.categories)
    clips = select_glosses(clips, data.glosses, data.exclude_glosses)
    split = data.split
    clips = assign_splits(
        clips, split.strategy.value, val_share=split.val_share, test_share=split.test_share, seed=split.seed
    )
    if split.drop_partial_glosses:
        everywhere = drop_partial_glosses(clips)
        if dropped := sorted({clip.gloss for clip in clips} - {clip.gloss for clip in everywhere}):
            corpus.notes.append(f"{len(dropped)} glosses are left out, since a split lacks them: {', '.join(dropped)}.")
        clips = everywhere
    if not clips:
        raise DataError("No clip is left. Change data.split or data.split.drop_partial_glosses.")
    clips.sort(key=lambda clip: (SPLITS.index(clip.split), clip.clip_id))
    vocabulary = Vocabulary.from_clips(clip for clip in clips if clip.split == "train")
    if vocabulary.glosses:
        vocabulary.encode([clip for clip in clips if clip.gloss])
    hashes = {} if corpus.video_dir is None else content_hashes(clips, corpus.video_dir)
    shared = leakage(clips, hashes)
    warnings = [*shared, *gloss_coverage(clips)]
    for message in [*corpus.notes, *warnings]:
        logger.warning("%s", message)
    write_manifest(folder / "manifest.tsv", clips)
    info = {
        "name": data.name,
        "settings": plain(data),
        "video_dir": None if corpus.video_dir is None else str(corpus.video_dir.resolve()),
        "splits": _split_table(clips),
        "glosses": len(vocabulary.glosses),
        "categories": len(vocabulary.categories),
        "notes": corpus.notes,
        "leakage": shared,
        "warnings": warnings,
    }
    atomic.write_json(corpus_info_path(folder), info)
    prepared = PreparedCorpus(folder, clips, corpus.video_dir, info)
    written = _write_given_keypoints(corpus, prepared, prepared.keypoints_dir(extractor_name(config)))
    summary = {
        "manifest": folder / "manifest.tsv",
        **{f"{name} clips": count for name, count in split_counts(clips).items()},
        **{f"{name} signers": row["signers"] for name, row in info["splits"].items()},
        "glosses": info["glosses"],
        "categories": info["categories"],
        "warnings": len(warnings) + len(corpus.notes),
    }
    if corpus.keypoints is not None:
        summary["keypoint files written"] = written
    return StageResult(summary=summary)


def _split_table(clips: list[Clip]) -> dict[str, dict[str, int]]:
    """Clips, signers and glosses of each split; signers count only where they are known."""
    table = {}
    for split in SPLITS:
        own = [clip for clip in clips if clip.split == split]
        signers, glosses = ({getattr(clip, name) for clip in own} - {""} for name in ("signer", "gloss"))
        table[split] = {"clips": len(own), "signers": len(signers), "glosses": len(glosses)}
    return table


def _write_given_keypoints(corpus: Corpus, prepared: PreparedCorpus, folder: Path) -> int:
    """Write the landmarks a corpus comes with; files that are already made from the same source stay."""
    if corpus.keypoints is None:
        return 0
    written = 0
    for clip in tqdm(prepared.clips, desc="keypoints", unit="clip", mininterval=1.0):
        path, sequence = keypoint_path(folder, clip), corpus.keypoints(clip)
        meta = {"layout": sequence.layout.name, **sequence.meta}
        if not (path.exists() and read_meta(path) == meta):
            write_keypoints(path, sequence)
            written += 1
    return written
