"""SignON SLR (S0): ``samples.csv`` beside ``clips/``, as its published data sets are laid out."""

from pathlib import Path

from sign_recog.corpora.annotation import (
    extra_columns,
    keep_existing,
    rows_to_clips,
    to_clip_id,
    to_folder,
    to_relative,
    to_split,
    to_table,
    without_video_suffix,
)
from sign_recog.corpora.base import Corpus
from sign_recog.storage.manifest import Clip, read_table

HEADER = ("Id", "Label", "Participant", "Video", "Subset")


def read(source: str, out_dir: Path) -> Corpus:
    """Read samples.csv (``source`` or in it). A clip is named as its video, ``Id`` is kept as an extra column.

    Rows whose video does not exist are left out, with a note. ``out_dir`` is unused; nothing is written.

    Raises:
        DataError: If samples.csv lacks a column, or lines are wrong (all are named), or no video exists.
    """
    table = to_table(source, "samples.csv")
    rows = read_table(table, required=HEADER)
    video_dir = to_folder(table.parent / "clips")
    clips, notes = keep_existing(table, rows_to_clips(table, rows, lambda row: _clip(row, video_dir)), video_dir)
    return Corpus(clips, video_dir, notes=notes)


def _clip(row: dict[str, str], video_dir: Path) -> Clip:
    video = to_relative(video_dir, row["Video"])
    return Clip(
        to_clip_id(without_video_suffix(video)),
        video,
        split=to_split(row["Subset"]),
        signer=row["Participant"],
        gloss=row["Label"],
        extra={"Id": row["Id"], **extra_columns(row, HEADER)},
    )
