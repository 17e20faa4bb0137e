"""Smooth filled shapes on an image: the strokes from which :mod:`render` draws a person.

Points are (N, 2) in pixels of the image drawn on; colours are RGB.
"""

from itertools import pairwise

import numpy as np

from sign_recog.corpora.synthetic.signer import Colour

_BITS = 4  # cv2 takes coordinates as integers with this many fractional bits
CONTOUR, CREASE = 0.55, 0.78  # how dark the contours and creases of a hand are against its skin
_HALF_TURN = np.linspace(-np.pi / 2, np.pi / 2, 8)
_HALF_CIRCLE = np.stack([np.cos(_HALF_TURN), np.sin(_HALF_TURN)], axis=-1)
_LIGHT = np.array([-0.55, -0.83])  # where the light comes from, in the image


def shade(colour: Colour, factor: float) -> Colour:
    """Return ``colour`` darker (factor < 1) or lighter (> 1)."""
    red, green, blue = (min(255, round(value * factor)) for value in colour)
    return red, green, blue


def oval(
    half_width: float, half_height: float, *, centre: tuple[float, float] = (0, 0), num_points: int = 20
) -> np.ndarray:
    """Return the outline (N, 2) of an ellipse."""
    angle = np.linspace(0, 2 * np.pi, num_points, endpoint=False)
    return np.stack([half_width * np.cos(angle), half_height * np.sin(angle)], axis=-1) + centre


class Canvas:
    """Draws into ``image`` (H, W, 3) uint8, in place."""

    def __init__(self, image: np.ndarray) -> None:
        self.image = image

    def polygon(self, points: np.ndarray, colour: Colour) -> None:
        """Fill the outline ``points``, which may be concave."""
        import cv2

        cv2.fillPoly(self.image, [_fixed(points)], colour, cv2.LINE_AA, _BITS)

    def curve(self, points: np.ndarray, colour: Colour, thickness: float, closed: bool = False) -> None:
        """Draw lines through ``points``."""
        import cv2

        cv2.polylines(self.image, [_fixed(points)], closed, colour, max(1, round(thickness)), cv2.LINE_AA, _BITS)

    def hull(self, points: np.ndarray, colour: Colour, thickness: float) -> None:
        """Fill the convex hull of ``points`` and draw its contour."""
        import cv2

        outline = cv2.convexHull(points.astype(np.float32))[:, 0]
        self.polygon(outline, colour)
        self.curve(outline, shade(colour, CONTOUR), thickness, closed=True)

    def limb(self, start: np.ndarray, end: np.ndarray, radii: np.ndarray, colour: Colour) -> None:
        """Draw a round limb, tapered from the first of two ``radii`` to the second, with a light and a dark side."""
        across = _axes(start, end)[1]
        lit = across if across @ _LIGHT > 0 else -across
        for share, factor in ((1.0, 0.80), (0.90, 0.92), (0.68, 1.0), (0.36, 1.05)):
            shift = 0.75 * (1 - share) * lit
            first, last = share * radii
            self.polygon(
                _capsules(start + shift * radii[0], end + shift * radii[1], first, last), shade(colour, factor)
            )

    def finger(self, joints: np.ndarray, radii: np.ndarray, colour: Colour, thickness: float) -> None:
        """Draw a finger from its joints (4, 2), knuckle first, and their radii (4,).

        Where the finger folds back, what lies beyond the fold is drawn over what lies before it.
        """
        starts, ends = joints[:-1].copy(), joints[1:]
        starts[0] += 0.3 * (ends[0] - starts[0])  # no contour where the finger leaves the palm
        inner = _capsules(joints[:-1], ends, radii[:-1], radii[1:])
        outer = _capsules(starts, ends, radii[:-1] + thickness, radii[1:] + thickness)
        folds = np.einsum("ij,ij->i", joints[1:-1] - joints[:-2], joints[2:] - joints[1:-1]) < 0
        cuts = [0, *(int(i) + 1 for i in np.flatnonzero(folds)), 3]
        for first, last in pairwise(cuts):
            for i in range(first, last):
                self.polygon(outer[i], shade(colour, CONTOUR))
            for i in range(first, last):
                self.polygon(inner[i], colour)
        light = _capsules(joints[:-1], ends, 0.5 * radii[:-1], 0.5 * radii[1:]) + 0.3 * radii[-1] * _LIGHT
        for i in range(3):
            self.polygon(light[i], shade(colour, 1.05))
        for i in (1, 2):
            across = _axes(joints[i - 1], joints[i + 1])[1] * radii[i] * 0.7
            self.curve(np.stack([joints[i] - across, joints[i] + across]), shade(colour, CREASE), thickness)


def _fixed(points: np.ndarray) -> np.ndarray:
    return np.round(points * (1 << _BITS)).astype(np.int32)


def _axes(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return the unit vectors (..., 2, 2) along and across the way from start to end (..., 2)."""
    along = end - start
    along = along / np.maximum(np.hypot(along[..., 0], along[..., 1]), 1e-6)[..., None]
    return np.stack([along, along[..., ::-1] * (-1, 1)], axis=-2)


def _capsules(start: np.ndarray, end: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Return outlines (..., 16, 2) of round-ended, tapered bars from start to end (..., 2) with radii (...)."""
    cap = _HALF_CIRCLE @ _axes(start, end)
    far = end[..., None, :] + last[..., None, None] * cap
    near = start[..., None, :] - first[..., None, None] * cap
    return np.concatenate([far, near], axis=-2)
