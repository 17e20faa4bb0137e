"""Pictures scaled to a detector's size, and the exact way back from its pixels to the picture's own.

(0, 0) is the middle of the top left pixel. A scaling by ``s`` maps x to ``(x + 0.5) * s - 0.5``: the corners of the
two pictures meet, not the middles of their corner pixels.
"""

import numpy as np


def scaled(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """(H, W, 3) uint8 -> (height, width, 3) uint8; means over areas where it shrinks, bilinear where it grows.

    Both keep the corners where they are, so points follow by :func:`to_original`'s inverse without a shift.
    """
    import cv2

    own_height, own_width = image.shape[:2]
    smaller = min(width, own_width), min(height, own_height)
    if smaller != (own_width, own_height):
        image = cv2.resize(image, smaller, interpolation=cv2.INTER_AREA)
    if smaller != (width, height):
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    return image


def to_original(width: int, height: int, scaled_width: int, scaled_height: int) -> np.ndarray:
    """(2, 3) float64: from (x, y, 1) in the scaled picture to (x, y) in the one of ``width`` x ``height`` pixels."""
    x, y = width / scaled_width, height / scaled_height
    return np.array([[x, 0, 0.5 * x - 0.5], [0, y, 0.5 * y - 0.5]])


def mapped(points: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Points (..., 2) through ``affine`` (2, 3)."""
    return points @ affine[:, :2].T + affine[:, 2]
