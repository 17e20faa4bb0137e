"""How2Sign (Duarte et al., CVPR 2021, arXiv:2008.08143): American Sign Language of instructional videos, and English.

Its tables are tab-separated, whatever their suffix, and quotes in them are plain characters:

- ``how2sign_realigned_<split>.csv``: VIDEO_ID, VIDEO_NAME, SENTENCE_ID, SENTENCE_NAME, START_REALIGNED, END_REALIGNED,
  SENTENCE; the times were set by hand where the sentence is signed;
- ``how2sign_<split>.csv``: the same with START and END, the times at which the sentence is spoken;
- ``how2sign.<split>.tsv``: name (of the cut video) and text.

A clip is named by its sentence (``x`` before names that begin with a sign; the column ``video_name`` has them as they
are). The number before ``-rgb_front`` is taken for the signer: it runs from 1 to 11, and How2Sign has 11 signers.
"""

import os
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from sign_recog.corpora.annotation import (
    VIDEO_SUFFIXES,
    keep_existing,
    rows_to_clips,
    to_clip_id,
    to_folder,
    without_video_suffix,
)
from sign_recog.corpora.base import Corpus, LeftOut
from sign_recog.corpora.sentences import find_tables, without_text
from sign_recog.errors import ConfigError, DataError
from sign_recog.storage.manifest import Clip, read_table
from sign_recog.storage.memo import Memo
from sign_recog.video.frame_index import read_frame_index
from sign_recog.video.reader import probe

_RAW = "sentence_level/{split}/text/en/raw_text"  # where How2Sign's own download script puts them
_PATTERNS = {
    "realigned": ("how2sign_realigned_{split}.csv", f"{_RAW}/re_aligned/how2sign_realigned_{{split}}.csv"),
    "original": ("how2sign_{split}.csv", f"{_RAW}/how2sign_{{split}}.csv"),
}
_NAMES = "how2sign.{split}.tsv"
_COLUMNS = {"realigned": ("START_REALIGNED", "END_REALIGNED"), "original": ("START", "END")}
_SIGNER = re.compile(r"-(\d+)-rgb_front")
# A span may end this much behind its video, in s, before that is worth a word: a frame at 24 to 30 frames/s.
_FRAME_S = 0.05


@dataclass(frozen=True)
class _Row:
    clip: Clip
    whole: str  # name of the video that the sentence is a part of; empty = unknown


def read(source: str, out_dir: Path, *, video_dir: str | None, times: str, cut: bool) -> Corpus:
    """Read the annotation, and with ``video_dir`` which of its spans the videos have.

    A span that ends behind its video ends with it, which the column ``range_note`` tells; one that is empty, negative
    or behind the video is left out, as is a sentence without words or video.

    Args:
        source: The folder of the tables, or one split's table.
        out_dir: Gets ``video_lengths.json``, so that another command need not open every video again.
        video_dir: Folder of the videos, at any depth; None = sentences only.
        times: ``realigned`` or ``original``.
        cut: Whether the videos are cut to sentences, each named by its own; else they are whole.

    Raises:
        ConfigError: If a setting is none, or has no effect.
        DataError: If there is no such table, or the one there has other times; if rows are wrong (all are named), or no
            clip can be used.
    """
    if times not in _COLUMNS:
        raise ConfigError(f"data.corpus.times={times} is none of {', '.join(_COLUMNS)}.")
    if cut and video_dir is None:
        raise ConfigError("data.corpus.cut=true has no effect without videos. Set data.video_dir, or cut=false.")
    tables = find_tables(source, (".",), (*_PATTERNS[times], _NAMES), f"How2Sign with {times} times")
    rows = [row for split, path in tables.items() for row in _rows(path, split, times)]
    kept, left_out, notes = without_text([row.clip for row in rows])
    if video_dir is None:
        return Corpus(kept, notes=[*notes, "Without data.video_dir there are sentences only."], left_out=left_out)
    folder, whole = to_folder(video_dir), {row.clip.clip_id: row.whole for row in rows}
    if not cut and not all(whole.values()):
        raise ConfigError(
            f"{next(iter(tables.values()))}: names no whole videos and no times. Set data.corpus.cut=true for videos "
            "that are cut to sentences."
        )
    videos = _find_videos(folder)
    for clip in kept:
        name = clip.extra["video_name"] if cut else whole[clip.clip_id]
        clip.video = videos.get(name, f"{name}.mp4")
    kept, missing, more = keep_existing(next(iter(tables.values())), kept, folder, remedy=_REMEDY)
    left_out, notes = left_out + missing, notes + more
    if cut:
        for clip in kept:
            clip.start_s, clip.end_s = 0.0, None
        notes.append(
            f"Videos are cut already (data.corpus.cut), so they are read whole and {times} times are not used."
        )
        return Corpus(kept, folder, notes=notes, left_out=left_out)
    memo = Memo(out_dir / "video_lengths.json")
    corpus = Corpus([], folder, notes=notes, left_out=left_out)
    _measure(corpus, kept, folder, memo)
    memo.save()
    return corpus


def _rows(path: Path, split: str, times: str) -> list[_Row]:
    """Every row of a table."""
    rows = read_table(path, required=(), delimiter="\t", quotes=False)
    start, end = _COLUMNS[times]
    if {"name", "text"} <= set(rows[0]):
        clips = rows_to_clips(path, rows, lambda row: _clip(row["name"], row["text"], split, "", ""))
        return [_Row(clip, "") for clip in clips]
    missing = [name for name in ("VIDEO_NAME", "SENTENCE_NAME", "SENTENCE", start, end) if name not in rows[0]]
    if missing:
        other = next((name for name, columns in _COLUMNS.items() if set(columns) <= set(rows[0])), None)
        remedy = (
            f"It has {other} times: get How2Sign's table of {times} ones, or set data.corpus.times={other} "
            "(scores collapse with the original ones)."
            if other
            else f"Its header holds: {', '.join(rows[0])}."
        )
        raise DataError(f"{path}: lacks the column {', '.join(missing)}. {remedy}")
    clips = rows_to_clips(
        path, rows, lambda row: _clip(row["SENTENCE_NAME"], row["SENTENCE"], split, row[start], row[end])
    )
    return [_Row(clip, without_video_suffix(row["VIDEO_NAME"])) for clip, row in zip(clips, rows, strict=True)]


def _clip(name: str, text: str, split: str, start: str, end: str) -> Clip:
    """One sentence; its span is checked against the video later."""
    if not name:
        raise ValueError("the sentence has no name.")
    name = without_video_suffix(name)
    signer = _SIGNER.search(name)
    clip = Clip(to_clip_id(name), split=split, text=" ".join(text.split()), extra={"video_name": name})
    clip.signer = f"signer{int(signer[1]):02d}" if signer else ""
    if start or end:
        clip.start_s, clip.end_s = _seconds(start), _seconds(end)
    return clip


def _seconds(text: str) -> float:
    """A time; a negative one is read, since the span is then left out with its reason."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) < float("inf"):
        raise ValueError(f"{text!r} is not a number of seconds.")
    return value


def _find_videos(folder: Path) -> dict[str, str]:
    """Stem -> path relative to ``folder`` of every video below it; of several with one stem the first, top down."""
    found: dict[str, str] = {}
    for place, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            if name.lower().endswith(VIDEO_SUFFIXES) and not name.startswith("."):
                found.setdefault(without_video_suffix(name), (Path(place) / name).relative_to(folder).as_posix())
    return found


def _measure(corpus: Corpus, clips: list[Clip], folder: Path, memo: Memo) -> None:
    """Put every clip among those that can be read or those left out."""
    assert corpus.left_out is not None
    lengths = _lengths({clip.video for clip in clips}, folder, memo)
    for clip in clips:
        length_s, end_s = lengths[clip.video], clip.end_s
        assert end_s is not None
        span = f"{clip.start_s:.12g} to {end_s:.12g} s"
        if isinstance(length_s, str):
            corpus.left_out.append(LeftOut(clip, "unreadable video", length_s))
        elif clip.start_s < 0 or end_s <= clip.start_s:
            corpus.left_out.append(LeftOut(clip, "bad times", f"{span} is no span"))
        elif clip.start_s >= length_s - _FRAME_S:
            corpus.left_out.append(LeftOut(clip, "starts past the end", f"{span}, the video has {length_s:.2f} s"))
        else:
            if end_s > length_s:
                clip.end_s = None
                if end_s > length_s + _FRAME_S:
                    clip.extra["range_note"] = f"annotated to {end_s:.12g} s, ends with the video at {length_s:.2f} s"
            corpus.clips.append(clip)
    clamped = sum("range_note" in clip.extra for clip in corpus.clips)
    if clamped:
        corpus.notes.append(f"{clamped} sentences end behind their video and are cut off with it (range_note).")
    if not corpus.clips:
        first = corpus.left_out[0]
        raise DataError(
            f"{folder}: none of {len(corpus.left_out)} sentences can be used ({first.clip.clip_id}: {first.reason}, "
            f"{first.detail}). {_REMEDY}"
        )


def _lengths(videos: Iterable[str], folder: Path, memo: Memo) -> dict[str, float | str]:
    """How long each video is in s, or why it cannot be read."""
    from tqdm import tqdm

    names = sorted(videos)
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # FFmpeg works outside Python's lock
        lengths = pool.map(lambda name: _length(folder / name, memo), names)
        bar = tqdm(lengths, total=len(names), desc="read headers", unit="video", mininterval=1.0, disable=None)
        return dict(zip(names, bar, strict=True))


def _length(path: Path, memo: Memo) -> float | str:
    known: float | None = memo.get(str(path), [path])
    if known is not None:
        return known
    try:
        length_s = probe(path).duration_s
        if not length_s:  # the header does not say
            index = read_frame_index(path)
            length_s = float(index.times_s[-1]) + index.interval_s
    except DataError as error:
        return str(error)
    memo.put(str(path), [path], length_s)
    return length_s


_REMEDY = (
    "Set data.video_dir to the folder of the videos: whole ones called <VIDEO_NAME>.mp4, or with data.corpus.cut=true "
    "cut ones called <SENTENCE_NAME>.mp4."
)
