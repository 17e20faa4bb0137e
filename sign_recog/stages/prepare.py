"""Annotation -> manifest.tsv: which clips there are, what they show, and which split they are in."""

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from sign_recog.config import Config
from sign_recog.config.schema import DataConfig
from sign_recog.config.split import SplitStrategy
from sign_recog.console import print_table
from sign_recog.corpora.base import Corpus, LeftOut
from sign_recog.corpora.check import content_hashes
from sign_recog.corpora.coverage import (
    choose,
    coverage,
    coverage_lines,
    kept_ids,
    leave_out_short,
    lost_glosses,
    without_train_clips,
    write_left_out,
)
from sign_recog.corpora.splits import divide, gloss_coverage, leakage
from sign_recog.data.vocabulary import Vocabulary
from sign_recog.errors import ConfigError, DataError
from sign_recog.stages import StageResult
from sign_recog.stages.build import build
from sign_recog.stages.given import write_given
from sign_recog.stages.prepare_frames import divide_frames, frame_warnings, frames_summary, prepare_frames
from sign_recog.stages.run_folder import corpus_dir, corpus_root, plain
from sign_recog.stages.small_clips import SmallClips, make_small_clips
from sign_recog.stages.tokenizer import train_tokenizer
from sign_recog.storage import atomic
from sign_recog.storage.corpus import PreparedCorpus, corpus_info_path, open_corpus
from sign_recog.storage.lock import locked_in_turn
from sign_recog.storage.manifest import SPLITS, Clip, split_counts, write_manifest

logger = logging.getLogger(__name__)


def run(config: Config) -> StageResult:
    """Read the annotation, choose glosses, assign splits, and write the manifest; originals are only read.

    Clips that cannot be used are left out and counted in corpus.json and left_out.tsv. With ``data.clip_size`` every
    clip is encoded as a small file, and the manifest names those. Of several that prepare the same corpus at once, one
    does, and the others wait and find it prepared.

    Raises:
        ConfigError: If a setting has no effect on this corpus.
        DataError: If the annotation is not what it should be, or val or test hold a gloss that train lacks.
    """
    with locked_in_turn(corpus_root(config), "preparing") as waited:
        if waited and corpus_info_path(corpus_dir(config)).exists():
            corpus = open_corpus(corpus_dir(config))
            return StageResult(summary=_found(corpus) | train_tokenizer(config, corpus.folder, corpus.clips))
        return _prepare(config)


def _prepare(config: Config) -> StageResult:
    data, folder, root = config.data, corpus_dir(config), corpus_root(config)
    _refuse_another_corpus(root, plain(data))
    if data.video_dir is not None and "video_dir" not in data.corpus:
        raise ConfigError(
            f"data.video_dir={data.video_dir} has no effect: this corpus finds its videos by data.source."
        )
    corpus: Corpus = build(data.corpus, out_dir=root)
    _refuse_without_videos(data, corpus)
    if corpus.frames is None:
        choose(corpus, data)
    else:
        divide_frames(corpus, data)
    if corpus.video_dir is not None and data.min_frames > 1:
        leave_out_short(corpus, corpus.video_dir, data.min_frames)
    clips, left_out, vocabulary, notes = _divided(corpus, data)  # before long work: what cannot be trained is refused
    small = None
    if data.clip_size is not None and corpus.video_dir is not None:
        small = _small_clips(config, corpus)
        clips, left_out, vocabulary, notes = _divided(corpus, data)
        notes = notes + small.notes
    corpus.notes.extend(notes)
    frames = None if corpus.frames is None else prepare_frames(corpus, folder)
    hashes = {} if corpus.video_dir is None else content_hashes(clips, corpus.video_dir)
    several = len({clip.split for clip in clips}) > 1
    shared = leakage(clips, hashes) if several or corpus.frames is None else []
    warnings = list(shared)
    if corpus.frames is None:
        warnings += [*gloss_coverage(clips), *lost_glosses(clips, left_out or [])]
    else:
        warnings += frame_warnings(corpus.frames)
    for message in corpus.notes:
        logger.info("%s", message)
    for message in warnings:
        logger.warning("%s", message)
    if small is not None:
        clips = [small.row_of(clip) for clip in clips]
        corpus.video_dir = small.folder
    write_manifest(folder / "manifest.tsv", clips)
    tokenizer = train_tokenizer(config, folder, clips)  # before files are read, which may take hours
    table = coverage(clips, left_out)
    write_left_out(folder / "left_out.tsv", left_out or [])
    info = {
        "name": data.name,
        "settings": plain(data),
        "video_dir": None if corpus.video_dir is None else str(corpus.video_dir.resolve()),
        "splits": _split_table(clips),
        "coverage": table,
        "kept_ids": kept_ids(folder, clips),
        "glosses": len(vocabulary.glosses),
        "categories": len(vocabulary.categories),
        "given": [kind for kind in ("keypoints", "features") if getattr(corpus, kind) is not None],
        **({} if frames is None else {"frames": frames}),
        "notes": corpus.notes,
        "leakage": shared,
        "warnings": warnings,
    }
    written = write_given(corpus, PreparedCorpus(folder, clips, corpus.video_dir, info))
    for message in corpus.noticed():
        logger.warning("%s", message)
        warnings.append(message)
    atomic.write_json(corpus_info_path(folder), info)
    _print_coverage(table)
    lines = coverage_lines(table or {})
    summary = {
        "manifest": folder / "manifest.tsv",
        **{f"{name} clips": count for name, count in split_counts(clips).items()},
        **{f"{name} coverage": line for name, line in lines.items()},
        **{f"{name} signers": row["signers"] or "not known" for name, row in info["splits"].items()},
        **({"glosses": info["glosses"], "categories": info["categories"]} if vocabulary.glosses else {}),
        **({} if frames is None else frames_summary(frames)),
        "warnings": len(warnings) + len(corpus.notes),
    }
    summary |= ({} if small is None else small.counts) | written | tokenizer
    return StageResult(summary=summary)


def _found(corpus: PreparedCorpus) -> dict[str, Any]:
    """The summary of what another process has prepared just now."""
    return {
        "manifest": corpus.folder / "manifest.tsv",
        **{f"{name} clips": count for name, count in split_counts(corpus.clips).items()},
        **{name: corpus.info[name] for name in ("glosses", "categories") if corpus.info["glosses"]},
        "prepared by": "another process, which this one waited for",
    }


def _divided(corpus: Corpus, data: DataConfig) -> tuple[list[Clip], list[LeftOut] | None, Vocabulary, list[str]]:
    """The clips that are used, each with its split; all that are left out; the labels; and notes."""
    clips, left_out = corpus.clips, corpus.left_out
    if corpus.frames is not None:  # the clips are what is learned from without labels
        vocabulary = Vocabulary.from_clips(clip for clip in clips if clip.split == "train")
        return sorted(clips, key=_by_split), left_out, vocabulary, []
    if left_out and data.split.strategy is SplitStrategy.given:
        lost = without_train_clips(clips, left_out)
        names = {one.clip.clip_id for one in lost}
        clips, left_out = [clip for clip in clips if clip.clip_id not in names], [*left_out, *lost]
    elif left_out:  # what another strategy would have made of them, nobody knows
        left_out = [replace(one, clip=replace(one.clip, split="")) for one in left_out]
    clips, notes = divide(clips, data.split)
    clips.sort(key=_by_split)
    vocabulary = Vocabulary.from_clips(clip for clip in clips if clip.split == "train")
    if vocabulary.glosses:
        vocabulary.encode([clip for clip in clips if clip.gloss])
    return clips, left_out, vocabulary, notes


def _by_split(clip: Clip) -> tuple[int, str]:
    return SPLITS.index(clip.split), clip.clip_id


def _small_clips(config: Config, corpus: Corpus) -> SmallClips:
    """Encode what is used; what cannot be decoded moves to ``corpus.left_out``."""
    data = config.data
    assert data.clip_size is not None and corpus.video_dir is not None
    small = make_small_clips(
        corpus.clips,
        corpus.video_dir,
        corpus_root(config),
        clip_size=data.clip_size,
        crop=data.crop,
        num_workers=config.run.num_workers,
    )
    corpus.clips = [clip for clip in corpus.clips if clip.clip_id in small.sources]
    corpus.left_out = [*(corpus.left_out or []), *small.left_out]
    return small


def _refuse_without_videos(data: DataConfig, corpus: Corpus) -> None:
    """Settings of videos have no effect on a corpus that comes as arrays."""
    if corpus.video_dir is not None:
        return
    for name, default in (("clip_size", None), ("min_frames", 1)):
        if getattr(data, name) != default:
            raise ConfigError(
                f"data.{name}={getattr(data, name)} has no effect: {data.name} comes without videos. "
                f"Use data.{name}={'null' if default is None else default}."
            )


def _print_coverage(table: dict[str, dict[str, Any]] | None) -> None:
    """One row a split; nothing is printed where all of the annotation is used."""
    reasons = sorted({reason for row in (table or {}).values() for reason in row["left_out"]})
    if table and reasons:
        rows = [
            [split, str(row["annotated"]), str(row["kept"]), *(str(row["left_out"].get(r, 0)) for r in reasons)]
            for split, row in table.items()
        ]
        print_table("Coverage of the annotation: clips", ("split", "annotated", "kept", *reasons), rows)


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


# Settings of a reader that say which corpus it is.
_SOURCES = ("source", "sources", "members", "train_dirs", "val_dir", "test_dir", "features_dir")


def _folder(source: Any) -> Any:
    """Several tables of one folder may describe the same clips."""
    return str(Path(source).parent) if isinstance(source, str) and Path(source).suffix else source
