"""Annotation -> manifest.tsv: which clips there are, what they show, and which split they are in."""

import json
import logging
from pathlib import Path
from typing import Any

from sign_recog.config import Config
from sign_recog.corpora.base import Corpus
from sign_recog.corpora.check import content_hashes
from sign_recog.corpora.splits import divide, gloss_coverage, leakage, select_categories, select_glosses
from sign_recog.data.vocabulary import Vocabulary
from sign_recog.errors import DataError
from sign_recog.stages import StageResult
from sign_recog.stages.build import build
from sign_recog.stages.given import write_given
from sign_recog.stages.run_folder import corpus_dir, corpus_root, plain
from sign_recog.storage import atomic
from sign_recog.storage.corpus import PreparedCorpus, corpus_info_path
from sign_recog.storage.manifest import SPLITS, Clip, split_counts, write_manifest

logger = logging.getLogger(__name__)


def run(config: Config) -> StageResult:
    """Read the annotation, choose glosses, assign splits, and write the manifest; originals are only read.

    Raises:
        DataError: If the annotation is not what it should be, or val or test hold a gloss that train lacks.
    """
    data, folder = config.data, corpus_dir(config)
    _refuse_another_corpus(corpus_root(config), plain(data))
    corpus: Corpus = build(data.corpus, out_dir=corpus_root(config))
    clips = select_categories(corpus.clips, data.categories, corpus.category_ids)
    clips = select_glosses(clips, data.glosses, data.exclude_glosses, corpus.gloss_ids)
    clips, notes = divide(clips, data.split)
    corpus.notes.extend(notes)
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
        "given": [kind for kind in ("keypoints", "features") if getattr(corpus, kind) is not None],
        "notes": corpus.notes,
        "leakage": shared,
        "warnings": warnings,
    }
    written = write_given(corpus, PreparedCorpus(folder, clips, corpus.video_dir, info))
    atomic.write_json(corpus_info_path(folder), info)
    summary = {
        "manifest": folder / "manifest.tsv",
        **{f"{name} clips": count for name, count in split_counts(clips).items()},
        **{f"{name} signers": row["signers"] for name, row in info["splits"].items()},
        "glosses": info["glosses"],
        "categories": info["categories"],
        "warnings": len(warnings) + len(corpus.notes),
    }
    summary |= written
    return StageResult(summary=summary)


def _split_table(clips: list[Clip]) -> dict[str, dict[str, int]]:
    """Clips, signers and glosses of each split; signers count only where they are known."""
    table = {}
    for split in SPLITS:
        own = [clip for clip in clips if clip.split == split]
        signers, glosses = ({getattr(clip, name) for clip in own} - {""} for name in ("signer", "gloss"))
        table[split] = {"clips": len(own), "signers": len(signers), "glosses": len(glosses)}
    return table


def _refuse_another_corpus(root: Path, data: dict[str, Any]) -> None:
    """Files below ``root`` are named by clip alone, so two corpora of one name would replace each other's."""
    for path in (root / "manifests").glob("*/corpus.json"):
        before = json.loads(path.read_text(encoding="utf-8"))["settings"]["corpus"]
        now = data["corpus"]
        differing = [k for k in ("_target_", *_SOURCES) if _folder(before.get(k)) != _folder(now.get(k))]
        if differing:
            key = differing[0]
            raise DataError(
                f"{root} was made from another corpus: data.corpus.{key} was {before.get(key)}, is "
                f"{now.get(key)}. Give this one a name of its own, data.name=NAME, or delete the folder."
            )


_SOURCES = ("source", "sources", "members")  # settings of a reader that say which corpus it is


def _folder(source: Any) -> Any:
    """Several tables of one folder may describe the same clips."""
    return str(Path(source).parent) if isinstance(source, str) and Path(source).suffix else source
