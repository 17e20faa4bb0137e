"""Feature sequences on disk: one ``.npz`` a clip (format: docs/data_formats.md)."""

import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sign_recog.errors import DataError
from sign_recog.storage import atomic
from sign_recog.storage.sequences import read_arrays, read_json_meta


@dataclass
class FeatureSequence:
    """What a frozen network, or a sensor, gives for one clip.

    Attributes:
        features: (N, D) float32 or float16, finite; N tokens: one a window, or some, or one a frame.
        timestamps_ms: (N,) int64, start of each token from the start of the clip; where windows of several tokens
            overlap, times go back at a window's beginning.
        meta: clip_id, extractor, num_frames (of a window), sampling_rate and stride (frames at fps), fps, weights, ...
    """

    features: np.ndarray
    timestamps_ms: np.ndarray
    meta: dict[str, Any] = field(default_factory=dict)


def write_features(path: Path, sequence: FeatureSequence) -> None:
    """Write ``sequence``, atomically; the features keep their dtype."""
    file = io.BytesIO()  # a ZipFile on a disk that fills up reports errors of its own when it is collected
    np.savez(
        file,
        features=sequence.features,
        timestamps_ms=sequence.timestamps_ms.astype(np.int64),
        meta=np.array(json.dumps(sequence.meta, ensure_ascii=False)),
    )
    atomic.write_bytes(path, file.getvalue())


def read_features(path: Path) -> FeatureSequence:
    """Read and check one file.

    Raises:
        DataError: If the file is missing or damaged, holds pickled objects, or its arrays do not fit together.
    """
    arrays = read_arrays(path, ("features", "timestamps_ms", "meta"))
    features, timestamps_ms = arrays["features"], arrays["timestamps_ms"]
    if features.ndim != 2 or features.dtype.kind != "f" or features.shape[1] == 0:
        raise DataError(f"{path}: features are {features.dtype} {features.shape}; float (N, D) is needed. {_REMEDY}")
    if timestamps_ms.shape != features.shape[:1] or timestamps_ms.dtype.kind not in "iu":
        raise DataError(
            f"{path}: timestamps_ms is {timestamps_ms.dtype} {timestamps_ms.shape}; {len(features)} whole numbers "
            f"are needed. {_REMEDY}"
        )
    if not np.isfinite(features).all():
        raise DataError(f"{path}: features hold values that are not finite. {_REMEDY}")
    return FeatureSequence(features, timestamps_ms, read_json_meta(path, arrays["meta"]))


_REMEDY = "Delete the file and extract the clip again."
