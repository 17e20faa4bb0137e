"""Clips of KSL-77 (Yang et al., MMM 2020): ``labels.csv`` beside ``clips/``; no official split."""

from pathlib import Path

from sign_recog.corpora.annotation import (
    extra_columns,
    keep_existing,
    rows_to_clips,
    to_clip_id,
    to_relative,
    to_table,
    without_video_suffix,
)
from sign_recog.corpora.base import Corpus
from sign_recog.storage.manifest import Clip, read_table

_USED = ("file", "gloss", "signer")


def read(source: str, out_dir: Path) -> Corpus:
    """Read labels.csv (``source`` or in it); it has at least file (``clips/<name>.mp4``), gloss and signer.

    Rows whose video does not exist are left out, with a note. ``out_dir`` is unused; nothing is written.

    Raises:
        DataError: If labels.csv lacks a column, or lines are wrong (all are named), or no video exists.
    """
    table = to_table(source, "labels.csv")
    rows = read_table(table, required=_USED)
    root = table.parent
    clips, left_out, notes = keep_existing(table, rows_to_clips(table, rows, lambda row: _clip(row, root)), root)
    return Corpus(clips, root, notes=notes, left_out=left_out)


def _clip(row: dict[str, str], root: Path) -> Clip:
    video = to_relative(root, row["file"])
    clip_id = to_clip_id(without_video_suffix(Path(video).name))
    return Clip(clip_id, video, signer=row["signer"], gloss=row["gloss"], extra=extra_columns(row, _USED))
