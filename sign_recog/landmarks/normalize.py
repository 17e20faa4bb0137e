"""Coordinates that no longer depend on where the signer stands and how large they appear.

Origin and scale are those of each frame by itself, so a step towards the camera disappears as well. After
``normalize_neck`` and ``normalize_chest`` the parts live in frames of their own: pose and face around the body's
origin in shoulder widths, each hand around its wrist in palm lengths (wrist to the middle finger's knuckle).
Where a hand is on the body is then told by the pose's wrists alone.

All three keep NaN. Distances and origins run over the channels given: of (T, V, 2) in the image plane, as in
SignON SLR's network; of (T, V, 3) in space.
"""

import numpy as np

from sign_recog.errors import ConfigError
from sign_recog.landmarks import layout as names
from sign_recog.landmarks.layout import Layout

# Distances below this are no distance (all-missing parts imputed with 0): points are moved but not scaled.
# A thousandth of a pixel in an image 1000 pixels wide; MediaPipe is far from as fine.
_MIN_DISTANCE = 1e-6


def normalize_neck(keypoints: np.ndarray, layout: Layout) -> np.ndarray:
    """Move the neck (middle of the shoulders) to 0 and make the shoulders 1 apart; hands around their wrists.

    This is what SignON SLR does inside its networks.

    Args:
        keypoints: (T, V, C) float in image widths; NaN = missing.

    Returns:
        (T, V, C) of the same dtype. A frame whose shoulders coincide is moved but not scaled, likewise a hand
        whose wrist and knuckle coincide: a part imputed with 0 throughout stays 0.
    """
    left, right = _points(keypoints, layout, names.LEFT_SHOULDER, names.RIGHT_SHOULDER)
    return _normalize(keypoints, layout, origin=(left + right) / 2)


def normalize_chest(keypoints: np.ndarray, layout: Layout) -> np.ndarray:
    """As :func:`normalize_neck`, with the chest (middle of neck and pelvis) as the body's origin.

    This is what SignON SLR's older preprocessing does. The pelvis is the middle of the hips, which MediaPipe
    guesses when they are out of the picture.
    """
    shoulders_and_hips = (names.LEFT_SHOULDER, names.RIGHT_SHOULDER, names.LEFT_HIP, names.RIGHT_HIP)
    left, right, left_hip, right_hip = _points(keypoints, layout, *shoulders_and_hips)
    return _normalize(keypoints, layout, origin=(left + right + left_hip + right_hip) / 4)


def normalize_image(keypoints: np.ndarray, width: int, height: int) -> np.ndarray:
    """Return x and y as shares of the image's width and height, clamped to [0, 1], as FSLR stores them.

    Args:
        keypoints: (T, V, C) float in image widths; NaN = missing.
        width: Of the image, in pixels; ``height`` likewise.

    Returns:
        (T, V, C) of the same dtype; channels after the second are unchanged.
    """
    normalized = keypoints.copy()
    normalized[..., 1] *= width / height
    np.clip(normalized[..., :2], 0, 1, out=normalized[..., :2])
    return normalized


def _normalize(keypoints: np.ndarray, layout: Layout, origin: np.ndarray) -> np.ndarray:
    """Body parts about ``origin`` (T, C) in shoulder widths, hands about their wrists in palm lengths."""
    left, right = _points(keypoints, layout, names.LEFT_SHOULDER, names.RIGHT_SHOULDER)
    body_scale = _scale(left, right)
    normalized = np.empty_like(keypoints)
    for part, points in layout.parts.items():
        if part.endswith("hand"):
            wrist, knuckle = (keypoints[:, points][:, i] for i in _wrist_and_knuckle(layout, part))
            normalized[:, points] = (keypoints[:, points] - wrist[:, None]) / _scale(wrist, knuckle)
        else:
            normalized[:, points] = (keypoints[:, points] - origin[:, None]) / body_scale
    return normalized


def _scale(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """(T, 1, 1) distance of two points (T, C); 1 where they coincide."""
    distance = np.linalg.norm(end - start, axis=-1)
    return np.where(distance < _MIN_DISTANCE, 1, distance).astype(start.dtype)[:, None, None]


def _wrist_and_knuckle(layout: Layout, part: str) -> tuple[int, int]:
    """Where in the slice of the hand ``part`` the wrist and the middle finger's knuckle are."""
    points = layout.parts[part]
    offset = names.NUM_POSE if part == "left_hand" else names.NUM_POSE + names.NUM_HAND
    wrist, knuckle = _positions(layout, offset + names.WRIST, offset + names.MIDDLE_MCP)
    return wrist - points.start, knuckle - points.start


def _points(keypoints: np.ndarray, layout: Layout, *ids: int) -> list[np.ndarray]:
    """(T, C) of each point, by its index in ``holistic_543``."""
    return [keypoints[:, position] for position in _positions(layout, *ids)]


def _positions(layout: Layout, *ids: int) -> list[int]:
    missing = [i for i in ids if i not in layout.ids]
    if missing:
        raise ConfigError(
            f"Layout {layout.name} lacks the points {missing} of holistic_543, which this normalisation is measured "
            "from. Choose another modality.layout, or modality.normalization=image."
        )
    return [layout.ids.index(i) for i in ids]
