"""Kaggle's "Isolated Sign Language Recognition" (asl-signs): ``train.csv`` and one parquet a sequence; no split.

https://www.kaggle.com/competitions/asl-signs
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from sign_recog.corpora.annotation import (
    extra_columns,
    keep_existing,
    rows_to_clips,
    to_clip_id,
    to_folder,
    to_relative,
    without_suffix,
)
from sign_recog.corpora.base import Corpus
from sign_recog.errors import ConfigError, DataError
from sign_recog.formats import kaggle_islr
from sign_recog.storage.manifest import Clip, read_table
from sign_recog.storage.sequences import KeypointSequence

_USED = ("path", "participant_id", "sequence_id", "sign")


def read(source: str, out_dir: Path, *, width: int, height: int, fps: float) -> Corpus:
    """Read the folder of ``train.csv``, or one of parquet files alone, which become unlabelled clips of the test split.

    Rows whose file does not exist are left out, with a note. ``out_dir`` is unused; nothing is written.

    Args:
        width, height, fps: Of the camera, pixels and frames a second; the files do not hold them.

    Raises:
        DataError: If train.csv lacks a column, or lines are wrong (all are named), or no file exists.
    """
    if min(width, height, fps) <= 0:
        raise ConfigError(f"data.corpus: width={width}, height={height} and fps={fps:g} must be above 0.")
    path = Path(source).expanduser().absolute()
    folder = to_folder(path.parent if path.suffix == ".csv" else path)
    table = folder / "train.csv" if path.suffix != ".csv" else path
    if table.is_file() or path.suffix == ".csv":
        rows = read_table(table, required=_USED)
        clips = rows_to_clips(table, rows, lambda row: _clip(row, folder))
        clips, left_out, notes = keep_existing(table, clips, folder, what="file", remedy=_REMEDY)
    else:
        names = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*.parquet"))]
        if not names:
            raise DataError(f"{folder}: holds neither train.csv nor .parquet files. {_REMEDY}")
        clips = [Clip(to_clip_id(without_suffix(name, (".parquet",))), name, split="test") for name in names]
        left_out = None
        notes = ["There is no train.csv, so the clips have no label: they can be predicted and converted."]
    files = {clip.clip_id: folder / clip.video for clip in clips}
    for clip in clips:
        clip.video = ""
    notes.append(
        f"The files do not say the camera's size and speed: {width}x{height} pixels and {fps:g} fps are assumed."
    )
    read_file = partial(kaggle_islr.read, width=width, height=height, fps=fps)
    return Corpus(clips, keypoints=partial(_keypoints, read_file, files), notes=notes, left_out=left_out)


def _clip(row: dict[str, str], folder: Path) -> Clip:
    name = to_relative(folder, row["path"])
    clip_id = to_clip_id(f"{row['participant_id']}_{row['sequence_id']}")
    extra = {"sequence_id": row["sequence_id"], **extra_columns(row, _USED)}
    return Clip(clip_id, name, signer=row["participant_id"], gloss=row["sign"], extra=extra)


def _keypoints(read_file: Callable[..., KeypointSequence], files: dict[str, Path], clip: Clip) -> KeypointSequence:
    return read_file(files[clip.clip_id], clip_id=clip.clip_id)


_REMEDY = "Set data.source to the folder of train.csv and train_landmark_files/."
