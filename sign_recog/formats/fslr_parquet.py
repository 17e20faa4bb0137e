"""FSLR's ``.npz`` with a ``.parquet`` of the same keypoints beside it, one row a frame, for looking into.

FSLR's documents ask for such a table but do not name its columns. These are: ``timestamp_ms``, and for each of the 78
points ``<part>_<number>_x``, ``_y`` (shares of the image, as in X) and ``_detected``, numbered within their part.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sign_recog.errors import DataError
from sign_recog.formats import fslr
from sign_recog.formats.base import require
from sign_recog.landmarks.layout import get_layout
from sign_recog.storage import atomic
from sign_recog.storage.features import FeatureSequence
from sign_recog.storage.manifest import Clip
from sign_recog.storage.sequences import KeypointSequence

KINDS = fslr.KINDS
LOSSES = fslr.LOSSES


def file_name(clip: Clip) -> str:
    """The ``.npz``; the table beside it has its name and the suffix ``.parquet``."""
    return fslr.file_name(clip)


def write(path: Path, keypoints: KeypointSequence | None, features: FeatureSequence | None) -> int:
    """Write the ``.npz``, and of its keypoints the table; see :class:`sign_recog.formats.base.Writer`."""
    parquet = require("pyarrow.parquet", "run.format=fslr_parquet")
    arrow = require("pyarrow", "run.format=fslr_parquet")
    changed = fslr.write(path, keypoints, features)
    if keypoints is not None:
        with np.load(path, allow_pickle=False) as file:
            x, detected, timestamps_ms = (file[name] for name in ("X", "mask", "timestamps_ms"))
        columns = {"timestamp_ms": timestamps_ms}
        for v, name in enumerate(point_names()):
            columns |= {f"{name}_x": x[:, 2 * v], f"{name}_y": x[:, 2 * v + 1], f"{name}_detected": detected[:, v]}
        with atomic.replaced(path.with_suffix(".parquet")) as temporary:
            parquet.write_table(arrow.table(columns), temporary)
    return changed


def write_index(folder: Path, clips: Sequence[Clip]) -> Path:
    """As :func:`sign_recog.formats.fslr.write_index`."""
    return fslr.write_index(folder, clips)


def read_table(path: Path) -> dict[str, np.ndarray]:
    """Read one table back as FSLR's arrays ``X`` (T, 156), ``mask`` (T, 78) and ``timestamps_ms`` (T,).

    Raises:
        DataError: If the file is damaged or has other columns.
    """
    parquet = require("pyarrow.parquet", "Reading .parquet")
    try:
        table = parquet.read_table(path)
    except (OSError, ValueError) as error:  # pyarrow's errors are of these
        raise DataError(f"{path}: cannot be read as parquet ({error}). Make it again, or leave it out.") from error
    names = point_names()
    needed = ["timestamp_ms", *(f"{name}_{what}" for name in names for what in ("x", "y", "detected"))]
    if missing := [name for name in needed if name not in table.column_names]:
        raise DataError(f"{path}: lacks {len(missing)} columns ({', '.join(missing[:3])} ...), so it is none of ours.")
    x = np.stack([table[f"{name}_{axis}"].to_numpy() for name in names for axis in "xy"], axis=1)
    mask = np.stack([table[f"{name}_detected"].to_numpy() for name in names], axis=1)
    return {"X": x, "mask": mask, "timestamps_ms": table["timestamp_ms"].to_numpy()}


def point_names() -> list[str]:
    """``pose_0`` ... ``pose_24``, ``left_hand_0`` ..., ``right_hand_0`` ..., ``face_0`` ... ``face_10``."""
    parts = get_layout(fslr.LAYOUT).parts
    return [f"{part}_{i}" for part, points in parts.items() for i in range(points.stop - points.start)]
