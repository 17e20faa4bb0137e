"""``.pose`` files (sign-language-processing/pose) with MediaPipe Holistic's components, through pose-format.

x and y are pixels; z is MediaPipe's own, in image widths, as pose-format's Holistic extractor leaves it. Points are
found by component and name, so files with other orders, iris points (478 face points) or further components are
read too; those with fewer points (the reduced 178-point files) fit no layout and are refused.
"""

import io
import struct
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sign_recog.errors import DataError
from sign_recog.formats.base import fps_of, frame_times, given_meta, image_size, write_csv
from sign_recog.landmarks.layout import NUM_FACE, Layout, get_layout
from sign_recog.storage import atomic
from sign_recog.storage.features import FeatureSequence
from sign_recog.storage.manifest import Clip
from sign_recog.storage.sequences import KeypointSequence

if TYPE_CHECKING:
    from pose_format import Pose
    from pose_format.pose_header import PoseHeader, PoseHeaderComponent

KINDS = frozenset({"keypoints"})
LOSSES = ".pose files hold one constant fps instead of each frame's time."

# What pose-format and struct raise for damaged and foreign files.
_UNREADABLE = (OSError, ValueError, TypeError, KeyError, IndexError, OverflowError, MemoryError, struct.error)
_FEWEST = 1e-6  # written as confidence of a detected point without any, since 0 says that it is missing

# MediaPipe's names, in its order (pose and hand landmark models).
_POSE_NAMES = (
    "NOSE", "LEFT_EYE_INNER", "LEFT_EYE", "LEFT_EYE_OUTER", "RIGHT_EYE_INNER", "RIGHT_EYE", "RIGHT_EYE_OUTER",
    "LEFT_EAR", "RIGHT_EAR", "MOUTH_LEFT", "MOUTH_RIGHT",
    *(f"{side}_{name}" for name in (
        "SHOULDER", "ELBOW", "WRIST", "PINKY", "INDEX", "THUMB", "HIP", "KNEE", "ANKLE", "HEEL", "FOOT_INDEX",
    ) for side in ("LEFT", "RIGHT")),
)  # fmt: skip
_HAND_NAMES = (
    "WRIST", *(f"THUMB_{joint}" for joint in ("CMC", "MCP", "IP", "TIP")),
    *(f"{finger}_{joint}" for finger in ("INDEX_FINGER", "MIDDLE_FINGER", "RING_FINGER", "PINKY")
      for joint in ("MCP", "PIP", "DIP", "TIP")),
)  # fmt: skip
_COMPONENTS = {
    "pose": ("POSE_LANDMARKS", _POSE_NAMES),
    "face": ("FACE_LANDMARKS", tuple(map(str, range(NUM_FACE)))),
    "left_hand": ("LEFT_HAND_LANDMARKS", _HAND_NAMES),
    "right_hand": ("RIGHT_HAND_LANDMARKS", _HAND_NAMES),
}  # in the order in which pose-format writes them
_FIRST = {"pose": 0, "left_hand": 33, "right_hand": 54, "face": 75}  # first id of a part in holistic_543
_COLORS = {"pose": (0, 120, 255), "face": (128, 128, 128), "left_hand": (0, 160, 0), "right_hand": (220, 60, 0)}


def missing_points(path: Path, *, layout: str) -> list[str]:
    """Names of the layout's points that the file lacks, from its header alone.

    Raises:
        DataError: If the file is no ``.pose`` file.
    """
    from pose_format.pose_body import EmptyPoseBody

    header = _load(path, EmptyPoseBody).header
    present = _positions(header)
    return [f"{component} {name}" for component, name in _names(get_layout(layout)) if (component, name) not in present]


def read(path: Path, *, clip_id: str, layout: str) -> KeypointSequence:
    """Read one file as ``layout``; points of confidence 0, or NaN, are missing.

    Raises:
        DataError: If the file is damaged, lacks points of the layout, or does not hold exactly one person.
    """
    pose, chosen = _load(path), get_layout(layout)
    header, body = pose.header, pose.body
    width, height = header.dimensions.width, header.dimensions.height
    if width <= 0 or height <= 0 or not body.fps > 0:
        raise DataError(f"{path}: says {width}x{height} pixels and {body.fps} fps; all must be above 0. {_REMEDY}")
    present = _positions(header)
    names = _names(chosen)
    if missing := [f"{component} {name}" for component, name in names if (component, name) not in present]:
        holds = ", ".join(f"{c.name} ({len(c.points)})" for c in header.components)
        raise DataError(
            f"{path}: lacks {len(missing)} of the {len(chosen)} points of layout {layout} ({', '.join(missing[:3])}"
            f"{' ...' if len(missing) > 3 else ''}); it holds {holds}. Choose another data.corpus.layout, or leave "
            "the file out."
        )
    frames, people = body.data.shape[:2]
    if not frames or people != 1:
        raise DataError(f"{path}: holds {frames} frames of {people} people; one person is needed. {_REMEDY}")
    points = [present[name] for name in names]
    confidence = np.asarray(body.confidence, np.float32)[:, 0, points].clip(0, 1)
    keypoints = np.array(body.data.data[:, 0, points, :3], np.float32) / np.array((width, width, 1), np.float32)
    missing_here = ~(confidence > 0) | np.isnan(keypoints).any(axis=2)
    if np.isinf(keypoints[~missing_here]).any():
        raise DataError(f"{path}: holds infinite coordinates. {_REMEDY}")
    keypoints[missing_here], confidence[missing_here] = np.nan, 0
    fps = float(body.fps)
    meta = given_meta(path, clip_id, width=width, height=height, fps=fps)
    return KeypointSequence(keypoints, confidence, frame_times(frames, fps), chosen, meta)


def file_name(clip: Clip) -> str:
    """A ``.pose`` file named as the clip, in the same subfolders."""
    return f"{clip.clip_id}.pose"


def write(path: Path, keypoints: KeypointSequence | None, features: FeatureSequence | None) -> int:
    """Write one ``.pose`` file with the components of the layout; see :class:`sign_recog.formats.base.Writer`."""
    if keypoints is None or features is not None:
        raise DataError(f"{path}: .pose files hold keypoints and nothing else.")
    from pose_format import Pose
    from pose_format.numpy import NumPyPoseBody
    from pose_format.pose_header import VERSION, PoseHeader, PoseHeaderDimensions

    width, height = image_size(keypoints)
    fps = keypoints.meta.get("fps") or fps_of(keypoints.timestamps_ms)
    if not fps > 0:
        raise DataError(f"{keypoints.meta.get('clip_id')}: has no fps, which .pose files need. Extract it again.")
    parts = {part: keypoints.layout.parts[part] for part in _COMPONENTS if part in keypoints.layout.parts}
    if not parts:
        raise DataError(
            f"{keypoints.meta.get('clip_id')}: its landmarks are none of MediaPipe Holistic's, which .pose files are "
            "written with. Its predictions as CSV: run=predict with the detector."
        )
    components = [_component(keypoints.layout, part, points) for part, points in parts.items()]
    order = np.concatenate([np.arange(points.start, points.stop) for points in parts.values()])
    points = keypoints.keypoints[:, order] * np.array((width, width, 1), np.float32)
    detected = np.isfinite(points).all(axis=2)
    confidence = np.where(detected, np.maximum(keypoints.confidence[:, order], _FEWEST), 0).astype(np.float32)
    points[~detected] = 0
    header = PoseHeader(VERSION, PoseHeaderDimensions(width, height, width), components)
    body = NumPyPoseBody(float(fps), points[:, None].astype(np.float32), confidence[:, None])
    buffer = io.BytesIO()
    Pose(header, body).write(buffer)
    atomic.write_bytes(path, buffer.getvalue())
    return 0


def write_index(folder: Path, clips: Sequence[Clip]) -> Path:
    """Write ``index.csv``: path, and the manifest's columns."""
    header = ("path", "clip_id", "split", "signer", "gloss", "category", "text")
    rows = [
        [file_name(clip), *(getattr(clip, name) for name in header[1:])]  # the same names as Clip's
        for clip in clips
    ]
    write_csv(folder / "index.csv", header, rows)
    return folder / "index.csv"


def _load(path: Path, body: type | None = None) -> "Pose":
    from pose_format import Pose
    from pose_format.numpy import NumPyPoseBody

    try:
        return Pose.read(path.read_bytes(), body or NumPyPoseBody)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file.") from error
    except _UNREADABLE as error:
        raise DataError(f"{path}: cannot be read as .pose ({error}). {_REMEDY}") from error


def _positions(header: "PoseHeader") -> dict[tuple[str, str], int]:
    """(component, point) -> its place on the axis of points."""
    names = [(component.name, point) for component in header.components for point in component.points]
    return {name: i for i, name in reversed(list(enumerate(names)))}  # of equal names the first


@cache
def _names(layout: Layout) -> list[tuple[str, str]]:
    """The component and name of each of the layout's points."""
    names = []
    for i in layout.ids:
        part = max((p for p in _FIRST if _FIRST[p] <= i), key=_FIRST.__getitem__)
        component, points = _COMPONENTS[part]
        names.append((component, points[i - _FIRST[part]]))
    return names


def _component(layout: Layout, part: str, points: slice) -> "PoseHeaderComponent":
    from pose_format.pose_header import PoseHeaderComponent

    limbs = [(a, b) for a, b in layout.limbs if points.start <= a < points.stop and points.start <= b < points.stop]
    names = [name for _, name in _names(layout)[points]]
    relative = [(a - points.start, b - points.start) for a, b in limbs]
    return PoseHeaderComponent(_COMPONENTS[part][0], names, relative, [_COLORS[part]] * len(relative), "XYZC")


_REMEDY = "Make it again, or leave it out."
