"""Affine maps between pictures, one after the other and back, exact to a fraction of a pixel.

(0, 0) is the middle of the top left pixel, so a picture w wide covers [-0.5, w - 0.5], as in
:mod:`sign_recog.video.scaling`. An affine is (2, 3) float64: what its first two columns give is shifted by the third.
"""

import numpy as np

from sign_recog.video.scaling import to_original

Size = tuple[int, int]  # width and height in pixels

IDENTITY = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def scaling(before: Size, after: Size) -> np.ndarray:
    """From pixels of a picture of one size to those of the same picture scaled to another.

    >>> scaling((10, 10), (5, 5)).tolist()
    [[0.5, 0.0, -0.25], [0.0, 0.5, -0.25]]
    """
    return to_original(*after, *before)


def compose(*affines: np.ndarray) -> np.ndarray:
    """All of them, the first one first."""
    total = np.eye(3)
    for affine in affines:
        total = np.vstack([affine, [0.0, 0.0, 1.0]]) @ total
    return total[:2]


def inverted(affine: np.ndarray) -> np.ndarray:
    """The way back."""
    linear = np.linalg.inv(affine[:, :2])
    return np.column_stack([linear, -linear @ affine[:, 2]])


def inside(points: np.ndarray, size: Size) -> np.ndarray:
    """Whether points (..., 2) lie on a picture of ``size``; NaN does not."""
    return ((points >= -0.5) & (points <= np.array(size) - 0.5)).all(axis=-1)


def warped(image: np.ndarray, affine: np.ndarray, height: int, width: int) -> np.ndarray:
    """A picture (H, W, 3) uint8 moved by ``affine`` onto one of another size, linear between pixels, black outside."""
    import cv2

    return cv2.warpAffine(image, affine, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
