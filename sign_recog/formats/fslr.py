"""FSLR's ``.npz``: ``X`` (T, 156), ``X2048`` (T, 2048), ``mask`` (T, 78), ``timestamps_ms`` (T,), ``meta``.

``X`` holds 78 points, x and y interleaved, each as a share of the image's width and height (its images are squashed to
a square), so y needs the image's aspect; FSLR's own files do not hold it, ours do. ``mask`` is True where a
landmark was detected. A file may hold keypoints, features or both; only one of ``X`` and ``X2048`` is needed.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sign_recog.errors import DataError
from sign_recog.formats.base import (
    flat_name,
    fps_of,
    frame_times,
    given_meta,
    image_size,
    numbered,
    select_points,
    write_csv,
)
from sign_recog.landmarks.impute import impute_gaps
from sign_recog.landmarks.layout import get_layout
from sign_recog.storage import atomic
from sign_recog.storage.features import FeatureSequence
from sign_recog.storage.manifest import Clip
from sign_recog.storage.sequences import UNREADABLE_NPZ, KeypointSequence

KINDS = frozenset({"keypoints", "features"})
LOSSES = (
    "FSLR keeps x and y of 78 points, and of the confidence only whether a point was detected (pose: at least 0.5); "
    "points outside the image are moved to its edge."
)
LAYOUT = "fslr_78"
_NUM_POINTS, _FEATURE_DIM = 78, 2048
_SURE = 0.5  # FSLR's --conf-thresh: a pose point below counts as not detected
_MAX_GAP = 5  # FSLR's --max-gap, frames; filled in X, and still False in mask


@dataclass(frozen=True)
class Contents:
    """What one file holds; ``knows_camera``: it says the image's width and height (FSLR's own do not)."""

    kinds: frozenset[str]
    knows_camera: bool


def contents(path: Path) -> Contents:
    """Look into one file.

    Raises:
        DataError: If it is unreadable, or holds neither keypoints nor features.
    """
    arrays = _load(path, "meta")
    kinds = set()
    if "X2048" in arrays["names"]:
        kinds.add("features")
    if "X" in arrays["names"]:
        is_features = not kinds and _load(path, "X")["X"].shape[1:] == (_FEATURE_DIM,)
        kinds.add("features" if is_features else "keypoints")
    if not kinds:
        raise DataError(f"{path}: holds neither X nor X2048, but {', '.join(arrays['names'])}. {_REMEDY}")
    return Contents(frozenset(kinds), _has_camera(_meta(path, arrays)))


def read(path: Path, *, clip_id: str, width: int, height: int) -> KeypointSequence:
    """Read ``X``; its z is 0, the plane that MediaPipe measures depth from (hips, wrists).

    Without ``mask`` a point at exactly (0, 0) counts as not detected.

    Args:
        width, height: The camera's image in pixels, for files that do not hold it.

    Raises:
        DataError: If the file is damaged, holds no keypoints, or its arrays do not fit together.
    """
    arrays = _load(path, "X", "mask", "timestamps_ms", "meta")
    x = arrays.get("X")
    if x is None:
        raise DataError(f"{path}: holds no keypoints (X), but {', '.join(arrays['names'])}. Train on its features.")
    num_frames = _num_frames(x)
    _check_shape(path, "X", x, (num_frames, 2 * _NUM_POINTS), "78 points, 156 values")
    if not num_frames or x.dtype.kind not in "fiu" or not np.isfinite(x).all():
        raise DataError(f"{path}: X is empty, not numeric or not finite. {_REMEDY}")
    xy = x.astype(np.float32).reshape(num_frames, _NUM_POINTS, 2)
    detected = arrays["mask"] if "mask" in arrays else xy.any(axis=2)
    _check_shape(path, "mask", detected, (num_frames, _NUM_POINTS), "78 points")
    detected = detected.astype(bool)
    own = _meta(path, arrays)
    timestamps_ms = _times(path, arrays, own, num_frames)
    if _has_camera(own):
        width, height = own["width"], own["height"]
    keypoints = np.zeros((num_frames, _NUM_POINTS, 3), np.float32)
    keypoints[:, :, :2] = xy * (1, height / width)
    keypoints[~detected] = np.nan
    origin = {key: own[key] for key in ("video", "target_fps") if key in own}
    meta = given_meta(path, clip_id, width=width, height=height, fps=fps_of(timestamps_ms)) | origin
    return KeypointSequence(keypoints, detected.astype(np.float32), timestamps_ms, get_layout(LAYOUT), meta)


def read_features(path: Path, *, clip_id: str) -> FeatureSequence:
    """Read ``X2048``, one InceptionV3 vector a frame; or ``X`` of that width, as FSLR's feature-only files have it.

    Raises:
        DataError: If the file is damaged, holds no features, or its arrays do not fit together.
    """
    arrays = _load(path, "X2048", "timestamps_ms", "meta")
    name = "X2048" if "X2048" in arrays else "X"
    features = arrays[name] if name in arrays else _load(path, "X").get("X")
    if features is None or (name == "X" and features.shape[1:] != (_FEATURE_DIM,)):
        raise DataError(f"{path}: holds no features (X2048), but {', '.join(arrays['names'])}. Train on its keypoints.")
    num_frames = _num_frames(features)
    _check_shape(path, name, features, (num_frames, _FEATURE_DIM), "InceptionV3's 2048 values")
    if not num_frames or features.dtype.kind != "f" or not np.isfinite(features).all():
        raise DataError(f"{path}: {name} is empty, not float or not finite. {_REMEDY}")
    own = _meta(path, arrays)
    timestamps_ms = _times(path, arrays, own, num_frames)
    meta = given_meta(path, clip_id, window=1, stride=1, fps=fps_of(timestamps_ms))
    return FeatureSequence(features.astype(np.float32), timestamps_ms, meta)


def file_name(clip: Clip) -> str:
    """FSLR's folders have no subfolders."""
    return f"{flat_name(clip.clip_id)}.npz"


def write(path: Path, keypoints: KeypointSequence | None, features: FeatureSequence | None) -> int:
    """Write one ``.npz`` with what is given; see :class:`sign_recog.formats.base.Writer`.

    Gaps of up to five frames are filled in X as FSLR fills them, and stay False in mask.
    """
    arrays: dict[str, Any] = {}
    meta: dict[str, Any] = {}
    changed = 0
    if keypoints is not None:
        width, height = image_size(keypoints)
        x, detected, changed = _to_x(keypoints, width, height)
        arrays |= {"X": x, "mask": detected, "timestamps_ms": keypoints.timestamps_ms.astype(np.int64)}
        meta = {"width": width, "height": height, "fps": keypoints.meta.get("fps", 0), "dims_per_frame": x.shape[1]}
        meta["video"] = keypoints.meta.get("video") or keypoints.meta.get("source")
    if features is not None:
        arrays |= _to_x2048(features, keypoints)
    if not arrays:
        raise DataError(f"{path}: neither keypoints nor features to write.")
    with atomic.replaced(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays, meta=np.array(json.dumps(meta, ensure_ascii=False)))
    return changed


def write_index(folder: Path, clips: Sequence[Clip]) -> Path:
    """Write ``labels.csv`` with numbers, as FSLR's loaders expect, and ``label_reference.csv`` with their names."""
    glosses = numbered({clip.gloss for clip in clips})
    categories = numbered({clip.category for clip in clips})
    occluded = any("occluded" in clip.extra for clip in clips)
    header = ["file", "gloss", "cat", *(["occluded"] if occluded else []), "split", "signer"]
    rows = [
        [
            flat_name(clip.clip_id),
            glosses[clip.gloss],
            categories[clip.category],
            *([clip.extra.get("occluded", "")] if occluded else []),
            clip.split,
            clip.signer,
        ]
        for clip in clips
    ]
    pairs = sorted({(clip.gloss, clip.category) for clip in clips}, key=lambda pair: int(glosses[pair[0]]))
    reference = [[glosses[gloss], gloss, categories[category], category] for gloss, category in pairs]
    write_csv(folder / "label_reference.csv", ["gloss_id", "label", "cat_id", "category"], reference)
    write_csv(folder / "labels.csv", header, rows)
    return folder / "labels.csv"


def _to_x(sequence: KeypointSequence, width: int, height: int) -> tuple[np.ndarray, np.ndarray, int]:
    """X (T, 156), mask (T, 78), and how many coordinates lay outside the image."""
    points, confidence = select_points(sequence, LAYOUT)
    xy = points[..., :2] * np.array((1, width / height), np.float32)
    detected = ~np.isnan(xy).any(axis=2)
    pose = get_layout(LAYOUT).parts["pose"]
    detected[:, pose] &= confidence[:, pose] >= _SURE
    xy[~detected] = np.nan
    inside = np.clip(xy, 0, 1)  # NaN stays NaN
    changed = int((np.abs(inside - xy) > 1e-6).sum())
    filled = np.nan_to_num(impute_gaps(inside, _MAX_GAP), nan=0.0)
    return filled.reshape(len(xy), -1).astype(np.float32), detected, changed


def _to_x2048(features: FeatureSequence, keypoints: KeypointSequence | None) -> dict[str, np.ndarray]:
    clip_id, shape = features.meta.get("clip_id", "a clip"), features.features.shape
    if shape[1] != _FEATURE_DIM:
        raise DataError(f"{clip_id}: its features have {shape[1]} values; FSLR holds InceptionV3's {_FEATURE_DIM}.")
    if keypoints is not None and len(keypoints.timestamps_ms) != shape[0]:
        raise DataError(
            f"{clip_id}: {len(keypoints.timestamps_ms)} frames of keypoints and {shape[0]} feature vectors; FSLR holds "
            "one vector a frame. Extract both at the same fps, or convert one of them: run.kinds=[keypoints]."
        )
    return {
        "X2048": features.features.astype(np.float32),
        "timestamps_ms": features.timestamps_ms.astype(np.int64) if keypoints is None else keypoints.timestamps_ms,
    }


def _load(path: Path, *names: str) -> dict[str, Any]:
    """Those of the arrays ``names`` that the file holds, and under "names" all that it holds."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {"names": list(file.files)} | {name: file[name] for name in names if name in file.files}
    except UNREADABLE_NPZ as error:
        raise DataError(f"{path}: is no readable FSLR file ({error}). {_REMEDY}") from error


def _meta(path: Path, arrays: dict[str, Any]) -> dict[str, Any]:
    try:
        meta = json.loads(str(arrays["meta"])) if "meta" in arrays else {}
    except json.JSONDecodeError as error:
        raise DataError(f"{path}: is no readable FSLR file (meta: {error}). {_REMEDY}") from error
    if not isinstance(meta, dict):
        raise DataError(f"{path}: is no readable FSLR file (meta is no JSON object). {_REMEDY}")
    return meta


def _has_camera(meta: dict[str, Any]) -> bool:
    return all(isinstance(meta.get(name), int) and meta[name] > 0 for name in ("width", "height"))


def _times(path: Path, arrays: dict[str, Any], meta: dict[str, Any], num_frames: int) -> np.ndarray:
    times = arrays.get("timestamps_ms")
    if times is None:
        fps = meta.get("target_fps")
        if not isinstance(fps, int | float) or fps <= 0:
            raise DataError(f"{path}: has neither timestamps_ms nor a target_fps in meta, so its speed is unknown.")
        return frame_times(num_frames, fps)
    _check_shape(path, "timestamps_ms", times, (num_frames,), "one a frame")
    return times.astype(np.int64)


def _num_frames(array: np.ndarray) -> int:
    return array.shape[0] if array.ndim else 0


def _check_shape(path: Path, name: str, array: np.ndarray, expected: tuple[int, ...], why: str) -> None:
    if array.shape != expected:
        raise DataError(f"{path}: {name} has shape {array.shape}, expected {expected} ({why}).")


_REMEDY = "Make it again, or leave it out."
