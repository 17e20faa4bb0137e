"""Keypoint sequences on disk: one ``.npz`` a clip (format: docs/data_formats.md)."""

import io
import json
import tokenize
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sign_recog.errors import DataError
from sign_recog.landmarks.layout import LAYOUTS, Layout, get_layout
from sign_recog.landmarks.named import NamedLandmarks
from sign_recog.landmarks.named_layout import NAMED, NamedLayout
from sign_recog.storage import atomic

# What numpy, zipfile and zlib raise for a damaged, foreign or pickled .npz (found by overwriting random bytes).
UNREADABLE_NPZ = (
    OSError, ValueError, EOFError, KeyError, AttributeError, TypeError, NotImplementedError, RuntimeError,
    zipfile.BadZipFile, zlib.error, tokenize.TokenError,
)  # fmt: skip


@dataclass
class KeypointSequence:
    """The landmarks of one clip.

    Attributes:
        keypoints: (T, V, 3) float32, x right, y down, z towards the camera negative; unit: one image
            width (so y is already corrected for the image's aspect). NaN = the part was not detected.
        confidence: (T, V) float32 in [0, 1]; 0 where missing.
        timestamps_ms: (T,) int64, from the start of the clip.
        layout: What the V axis holds; the landmarks of a :class:`NamedLayout` are written into the file.
        meta: Where the sequence comes from: clip_id, width, height, fps, extractor, source, ...
    """

    keypoints: np.ndarray
    confidence: np.ndarray
    timestamps_ms: np.ndarray
    layout: Layout
    meta: dict[str, Any] = field(default_factory=dict)


def write_keypoints(path: Path, sequence: KeypointSequence) -> None:
    """Write ``sequence``, atomically."""
    meta = {"layout": sequence.layout.name, **sequence.meta}
    if isinstance(sequence.layout, NamedLayout):
        meta["landmarks"] = sequence.layout.landmarks.to_json()
    file = io.BytesIO()  # a ZipFile on a disk that fills up reports errors of its own when it is collected
    np.savez_compressed(
        file,
        keypoints=sequence.keypoints.astype(np.float32),
        confidence=sequence.confidence.astype(np.float32),
        timestamps_ms=sequence.timestamps_ms.astype(np.int64),
        meta=np.array(json.dumps(meta, ensure_ascii=False)),
    )
    atomic.write_bytes(path, file.getvalue())


def read_keypoints(path: Path) -> KeypointSequence:
    """Read and check one file.

    Raises:
        DataError: If the file is damaged, holds pickled objects, or its arrays do not fit together.
    """
    arrays = read_arrays(path, ("keypoints", "confidence", "timestamps_ms", "meta"))
    meta = read_json_meta(path, arrays["meta"])
    layout = _layout(path, meta)
    keypoints, confidence, timestamps_ms = (arrays[key] for key in ("keypoints", "confidence", "timestamps_ms"))
    expected = (len(timestamps_ms), len(layout), 3)
    if keypoints.shape != expected:
        raise DataError(f"{path}: keypoints are {keypoints.shape}, layout {layout.name} needs {expected}. {_REMEDY}")
    if confidence.shape != expected[:2]:
        raise DataError(f"{path}: confidence is {confidence.shape}, expected {expected[:2]}. {_REMEDY}")
    if keypoints.dtype.kind != "f" or confidence.dtype.kind != "f" or timestamps_ms.dtype.kind not in "iu":
        kinds = f"{keypoints.dtype}, {confidence.dtype} and {timestamps_ms.dtype}"
        raise DataError(f"{path}: its arrays are {kinds}; float, float and integer are needed. {_REMEDY}")
    if np.isinf(keypoints).any():
        raise DataError(f"{path}: keypoints hold infinite values. {_REMEDY}")
    return KeypointSequence(keypoints, confidence, timestamps_ms, layout, meta)


def _layout(path: Path, meta: dict[str, Any]) -> Layout:
    """What the V axis holds, as ``meta`` says."""
    name = meta.get("layout")
    if name == NAMED:
        try:
            return NamedLayout.of(NamedLandmarks.from_json(meta["landmarks"]))
        except (KeyError, TypeError) as error:
            raise DataError(f"{path}: its landmarks are not named as they should be ({error!r}). {_REMEDY}") from error
    if not isinstance(name, str) or name not in LAYOUTS:
        raise DataError(f"{path}: unknown landmark layout {name!r}; known: {', '.join(LAYOUTS)}, {NAMED}. {_REMEDY}")
    return get_layout(name)


_REMEDY = "Delete the file and extract the clip again."


def read_meta(path: Path) -> dict[str, Any]:
    """Read only the meta of one file, without its arrays.

    Raises:
        DataError: As :func:`read_keypoints`.
    """
    return read_json_meta(path, read_arrays(path, ("meta",))["meta"])


def read_json_meta(path: Path, content: np.ndarray) -> dict[str, Any]:
    """The JSON object in a file's ``meta``; DataError if it is none."""
    try:
        meta = json.loads(str(content))
    except json.JSONDecodeError as error:
        raise DataError(f"{path}: its meta is not JSON ({error}). {_REMEDY}") from error
    if not isinstance(meta, dict):
        raise DataError(f"{path}: its meta is JSON, but no object. {_REMEDY}")
    return meta


def read_arrays(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The arrays called ``names`` of an ``.npz`` without pickled objects; DataError if one is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as file:
            missing = [name for name in names if name not in file.files]
            if missing:
                raise DataError(f"{path}: lacks {', '.join(missing)}; it holds {', '.join(file.files)}. {_REMEDY}")
            return {name: file[name] for name in names}
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file. Make it with run=extract_keypoints or run=extract_features.") from error
    except UNREADABLE_NPZ as error:
        raise DataError(f"{path}: cannot be read as .npz without pickled objects ({error}). {_REMEDY}") from error
