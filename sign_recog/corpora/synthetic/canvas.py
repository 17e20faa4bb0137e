"""Smooth filled shapes on an image: the strokes from which :mod:`render` draws a person.

Points are (N, 2) in pixels of the image drawn on; colours are RGB.
"""

import cv2
import numpy as np

from sign_recog.corpora.synthetic.signer import Colour

_BITS = 4  # cv2 takes coordinates as integers with this many fractional bits
_HALF_TURN = np.linspace(-np.pi / 2, np.pi / 2, 8)
_LIGHT = np.array([-0.55, -0.83])  # where the light comes from, in the image


def shade(colour: Colour, factor: float) -> Colour:
    """Return ``colour`` darker (factor < 1) or lighter (> 1)."""
    red, green, blue = (min(255, round(value * factor)) for value in colour)
    return red, green, blue


def oval(half_width: float, half_height: float, num_points: int = 20) -> np.ndarray:
    """Return the outline (N, 2) of an ellipse around the origin."""
    angle = np.linspace(0, 2 * np.pi, num_points, endpoint=False)
    return np.stack([half_width * np.cos(angle), half_height * np.sin(angle)], axis=-1)


class Canvas:
    """Draws into ``image`` (H, W, 3) uint8, in place."""

    def __init__(self, image: np.ndarray) -> None:
        self.image = image

    def polygon(self, points: np.ndarray, colour: Colour) -> None:
        cv2.fillPoly(self.image, [_fixed(points)], colour, cv2.LINE_AA, _BITS)

    def curve(self, points: np.ndarray, colour: Colour, thickness: float, closed: bool = False) -> None:
        cv2.polylines(self.image, [_fixed(points)], closed, colour, max(1, round(thickness)), cv2.LINE_AA, _BITS)

    def hull(self, points: np.ndarray, colour: Colour, contour: Colour, thickness: float) -> None:
        """Fill the convex hull of ``points`` and draw its contour."""
        outline = cv2.convexHull(points.astype(np.float32))[:, 0]
        self.polygon(outline, colour)
        self.curve(outline, contour, thickness, closed=True)

    def limb(self, start: np.ndarray, end: np.ndarray, radii: tuple[float, float], colour: Colour) -> None:
        """Draw a round, tapered limb with a light and a dark side."""
        first, last = radii
        across = _normal(start, end)
        lit = across if across @ _LIGHT > 0 else -across
        self.polygon(_capsules(start, end, first, last), shade(colour, 0.80))
        for inner, factor in ((0.90, 0.92), (0.68, 1.0), (0.36, 1.05)):
            shift = lit * (1 - inner) * 0.75
            self.polygon(
                _capsules(start + shift * first, end + shift * last, first * inner, last * inner), shade(colour, factor)
            )

    def finger(
        self, joints: np.ndarray, radii: np.ndarray, colour: Colour, contour: Colour, crease: Colour, thickness: float
    ) -> None:
        """Draw a finger from its joints (4, 2), knuckle first, and their radii (4,).

        Where the finger folds back over itself the far part is drawn on the near one.
        """
        starts, ends = joints[:-1].copy(), joints[1:]
        starts[0] += 0.3 * (ends[0] - starts[0])  # no contour where the finger leaves the palm
        inner = _capsules(joints[:-1], ends, radii[:-1], radii[1:])
        outer = _capsules(starts, ends, radii[:-1] + thickness, radii[1:] + thickness)
        folds = np.einsum("ij,ij->i", joints[1:-1] - joints[:-2], joints[2:] - joints[1:-1]) < 0
        cuts = [0, *(int(i) + 1 for i in np.flatnonzero(folds)), 3]
        for first, last in zip(cuts[:-1], cuts[1:], strict=True):
            for i in range(first, last):
                self.polygon(outer[i], contour)
            for i in range(first, last):
                self.polygon(inner[i], colour)
        light = _capsules(joints[:-1], ends, 0.5 * radii[:-1], 0.5 * radii[1:]) + 0.3 * radii[-1] * _LIGHT
        for i in range(3):
            self.polygon(light[i], shade(colour, 1.05))
        for i in (1, 2):
            across = _normal(joints[i - 1], joints[i + 1]) * radii[i] * 0.7
            self.curve(np.stack([joints[i] - across, joints[i] + across]), crease, thickness)


def _fixed(points: np.ndarray) -> np.ndarray:
    return np.round(points * (1 << _BITS)).astype(np.int32)


def _normal(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    along = end - start
    length = max(float(np.hypot(*along)), 1e-6)
    return np.array([-along[1], along[0]]) / length


def _capsules(start: np.ndarray, end: np.ndarray, first: float | np.ndarray, last: float | np.ndarray) -> np.ndarray:
    """Return outlines (..., 16, 2) of round-ended, tapered bars from start to end (..., 2) with radii (...)."""
    along = end - start
    angle = np.arctan2(along[..., 1], along[..., 0])[..., None]
    far, near = angle + _HALF_TURN, angle + np.pi + _HALF_TURN
    turn = np.concatenate([far, near], axis=-1)
    radius = np.repeat(np.stack(np.broadcast_arrays(last, first), axis=-1), 8, axis=-1)
    ends = np.repeat(np.stack([end, start], axis=-2), 8, axis=-2)
    return ends + radius[..., None] * np.stack([np.cos(turn), np.sin(turn)], axis=-1)
