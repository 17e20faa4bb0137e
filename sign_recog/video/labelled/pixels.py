"""Blur, brightness and holes."""

import math
from dataclasses import dataclass

import numpy as np

from sign_recog.video.labelled.base import PixelChange, demand


@dataclass(frozen=True)
class MotionBlur(PixelChange):
    """Smeared along a line of any direction, up to ``longest`` pixels of the network's picture; its middle stays."""

    longest: int

    def __post_init__(self) -> None:
        super().__post_init__()
        demand(self.longest >= 2, f"MotionBlur: longest={self.longest} pixels must be at least 2.")

    def change(self, frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """As :meth:`PixelChange.change`."""
        import cv2

        length, angle = rng.uniform(1, self.longest), rng.uniform(0, math.pi)
        kernel = _line(length, angle)
        return np.stack([cv2.filter2D(frame, -1, kernel, borderType=cv2.BORDER_REPLICATE) for frame in frames])


def _line(length: float, angle: float) -> np.ndarray:
    """The weights of a line through the middle of a square of odd size."""
    reach = math.ceil((length - 1) / 2)
    along = np.linspace(-(length - 1) / 2, (length - 1) / 2, 8 * reach + 1)
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    for x, y in zip(reach + along * math.cos(angle), reach + along * math.sin(angle), strict=True):
        left, top = min(int(x), 2 * reach - 1), min(int(y), 2 * reach - 1)
        right_share, low_share = x - left, y - top
        kernel[top : top + 2, left : left + 2] += np.outer([1 - low_share, low_share], [1 - right_share, right_share])
    return kernel / kernel.sum()


@dataclass(frozen=True)
class Brightness(PixelChange):
    """Brightness and contrast: values are multiplied about the middle grey, and something is added.

    Args:
        most: The largest amount added or taken away, as a share of white.
        contrast: The largest change of the factor from 1.
    """

    most: float
    contrast: float

    def __post_init__(self) -> None:
        super().__post_init__()
        demand(0 <= self.most < 1, f"Brightness: most={self.most} is a share of white, from 0 to below 1.")
        demand(0 <= self.contrast < 1, f"Brightness: contrast={self.contrast} must be from 0 to below 1.")

    def change(self, frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """As :meth:`PixelChange.change`."""
        added = 255 * rng.uniform(-self.most, self.most)
        factor = rng.uniform(1 - self.contrast, 1 + self.contrast)
        values = np.arange(256)
        table = np.clip(np.round((values - 127.5) * factor + 127.5 + added), 0, 255).astype(np.uint8)
        return table[frames]


@dataclass(frozen=True)
class CoarseDropout(PixelChange):
    """Rectangles painted over in grey, so that a landmark is found by what is around it too; it stays labelled.

    Args:
        most: Rectangles, at most; at least one.
        largest: Of a rectangle's side, as a share of the picture's.
    """

    most: int
    largest: float

    def __post_init__(self) -> None:
        super().__post_init__()
        demand(self.most >= 1, f"CoarseDropout: most={self.most} rectangles must be at least 1.")
        demand(0 < self.largest < 1, f"CoarseDropout: largest={self.largest} is a share of a side, between 0 and 1.")

    def change(self, frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """As :meth:`PixelChange.change`."""
        frames = frames.copy()
        size = np.array(frames.shape[1:3])
        for _ in range(int(rng.integers(1, self.most + 1))):
            extent = np.maximum(1, np.round(rng.uniform(0, self.largest, 2) * size)).astype(int)
            top, left = (rng.random(2) * (size - extent + 1)).astype(int)
            frames[:, top : top + extent[0], left : left + extent[1]] = rng.integers(256)
        return frames
