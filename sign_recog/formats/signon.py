"""SignON SLR's ``mediapipe/<stem>.npy``: (T, 75, 3) float, pose 33, left hand 21, right hand 21; NaN = not detected.

x and y are shares of the image's width and height, so y needs the image's aspect, and the frames have no times: the
files hold neither.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sign_recog.errors import DataError
from sign_recog.formats.base import (
    flat_name,
    frame_times,
    given_meta,
    image_size,
    select_points,
    write_csv,
)
from sign_recog.landmarks.layout import get_layout
from sign_recog.storage import atomic
from sign_recog.storage.features import FeatureSequence
from sign_recog.storage.manifest import Clip
from sign_recog.storage.sequences import UNREADABLE_NPZ, KeypointSequence

KINDS = frozenset({"keypoints"})
LOSSES = "SignON's files hold no face, confidence, times or image size: its reader is told the fps, width and height."
LAYOUT = "holistic_75"
HEADER = ("Id", "Label", "Participant", "Video", "Subset")


def read(path: Path, *, clip_id: str, width: int, height: int, fps: float) -> KeypointSequence:
    """Read one file; a detected point has confidence 1, since the file holds none.

    Args:
        width, height: The camera's image in pixels.
        fps: Frames a second.

    Raises:
        DataError: If the file is missing or damaged, holds pickled objects, or is of another shape.
    """
    try:
        points = np.load(path, allow_pickle=False)
    except UNREADABLE_NPZ as error:
        raise DataError(f"{path}: cannot be read as .npy without pickled objects ({error}). {_REMEDY}") from error
    if not isinstance(points, np.ndarray):
        points.close()
        raise DataError(f"{path}: is an .npz archive, no .npy array. {_REMEDY}")
    if points.ndim != 3 or points.shape[1:] != (75, 3) or not len(points) or points.dtype.kind != "f":
        raise DataError(f"{path}: holds {points.dtype} {points.shape}, expected float (T, 75, 3). {_REMEDY}")
    if np.isinf(points).any():
        raise DataError(f"{path}: holds infinite values. {_REMEDY}")
    keypoints = points.astype(np.float32) * np.array((1, height / width, 1), np.float32)
    missing = np.isnan(keypoints).any(axis=2)
    keypoints[missing] = np.nan
    confidence = (~missing).astype(np.float32)
    meta = given_meta(path, clip_id, width=width, height=height, fps=fps)
    return KeypointSequence(keypoints, confidence, frame_times(len(points), fps), get_layout(LAYOUT), meta)


def file_name(clip: Clip) -> str:
    """SignON's folder of keypoints has no subfolders."""
    return f"mediapipe/{flat_name(clip.clip_id)}.npy"


def write(path: Path, keypoints: KeypointSequence | None, features: FeatureSequence | None) -> int:
    """Write one ``.npy``; see :class:`sign_recog.formats.base.Writer`."""
    if keypoints is None or features is not None:
        raise DataError(f"{path}: SignON's files hold keypoints and nothing else.")
    points, _ = select_points(keypoints, LAYOUT)
    width, height = image_size(keypoints)
    content = points.astype(np.float32) * np.array((1, width / height, 1), np.float32)
    with atomic.replaced(path) as temporary, temporary.open("wb") as file:
        np.save(file, content, allow_pickle=False)
    return 0


def write_index(folder: Path, clips: Sequence[Clip]) -> Path:
    """Write ``samples.csv``, with exactly SignON's five columns; a clip's video is called as the clip."""
    rows = [
        [str(i), clip.gloss, clip.signer, f"{flat_name(clip.clip_id)}.mp4", clip.split] for i, clip in enumerate(clips)
    ]
    write_csv(folder / "samples.csv", HEADER, rows)
    return folder / "samples.csv"


_REMEDY = "Make it again, or leave it out."
