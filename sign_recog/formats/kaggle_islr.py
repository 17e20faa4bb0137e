"""Kaggle's "Isolated Sign Language Recognition" (asl-signs): one parquet a sequence, 543 rows a frame.

Columns: frame, type (face, left_hand, pose, right_hand), landmark_index, x, y, z; x and y are shares of the image's
width and height, NaN = not detected. The files hold neither the image's size nor its speed, and no confidence.
"""

from pathlib import Path

import numpy as np

from sign_recog.errors import DataError
from sign_recog.formats.base import frame_times, given_meta, require
from sign_recog.landmarks.layout import NUM_FACE, NUM_HAND, NUM_POSE, get_layout
from sign_recog.storage.sequences import KeypointSequence

LAYOUT = "holistic_543"
# Type -> first index in holistic_543, and how many points it has.
_TYPES = {"pose": (0, NUM_POSE), "left_hand": (33, NUM_HAND), "right_hand": (54, NUM_HAND), "face": (75, NUM_FACE)}
_COLUMNS = ("frame", "type", "landmark_index", "x", "y", "z")


def read(path: Path, *, clip_id: str, width: int, height: int, fps: float) -> KeypointSequence:
    """Read one sequence; frames that the file leaves out keep their time.

    Args:
        width, height: The camera's image in pixels.
        fps: Frames a second.

    Raises:
        DataError: If the file is damaged, or a frame has not exactly the 543 landmarks.
    """
    parquet = require("pyarrow.parquet", "Reading .parquet")
    try:
        table = parquet.read_table(path, columns=list(_COLUMNS))
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file.") from error
    except (OSError, ValueError, KeyError) as error:  # pyarrow's errors are of these
        raise DataError(f"{path}: cannot be read as parquet ({error}). {_REMEDY}") from error
    if missing := [name for name in _COLUMNS if name not in table.column_names]:
        raise DataError(f"{path}: lacks the column {', '.join(missing)}. {_REMEDY}")
    if any(table[name].null_count for name in ("frame", "type", "landmark_index")):
        raise DataError(f"{path}: has rows without frame, type or landmark_index. {_REMEDY}")
    types = table["type"].combine_chunks().dictionary_encode()
    names = types.dictionary.to_pylist()
    if unknown := sorted(set(names) - set(_TYPES)):
        raise DataError(f"{path}: has landmarks of type {', '.join(unknown)}; known: {', '.join(_TYPES)}. {_REMEDY}")
    first = np.array([_TYPES[name][0] for name in names], np.int64)[types.indices.to_numpy()]
    count = np.array([_TYPES[name][1] for name in names], np.int64)[types.indices.to_numpy()]
    number = table["landmark_index"].to_numpy().astype(np.int64)
    frames, frame = np.unique(table["frame"].to_numpy(), return_inverse=True)
    flat = frame * len(get_layout(LAYOUT)) + first + number
    expected = len(frames) * len(get_layout(LAYOUT))
    if not expected or ((number < 0) | (number >= count)).any() or not np.array_equal(np.sort(flat), range(expected)):
        raise DataError(
            f"{path}: {len(number)} rows for {len(frames)} frames; a frame needs exactly 543 landmarks. {_REMEDY}"
        )
    keypoints = np.empty((expected, 3), np.float32)
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused
        keypoints[flat] = np.stack([table[axis].to_numpy() for axis in "xyz"], axis=1)
    keypoints = keypoints.reshape(len(frames), -1, 3) * np.array((1, height / width, 1), np.float32)
    if np.isinf(keypoints).any():
        raise DataError(f"{path}: holds infinite coordinates. {_REMEDY}")
    missing_here = np.isnan(keypoints).any(axis=2)
    keypoints[missing_here] = np.nan
    timestamps_ms = frame_times(int(frames[-1] - frames[0]) + 1, fps)[frames - frames[0]]
    meta = given_meta(path, clip_id, width=width, height=height, fps=fps)
    return KeypointSequence(keypoints, (~missing_here).astype(np.float32), timestamps_ms, get_layout(LAYOUT), meta)


_REMEDY = "Get it again, or leave it out."
