"""Where things are in a picture; turning and scaling are about its middle."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sign_recog.video.labelled.base import Movement, demand


@dataclass(frozen=True)
class Flip(Movement):
    """Left and right exchanged; landmarks that are partners (data.swap_pairs) change places."""

    mirrors: ClassVar[bool] = True

    def affine(self, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
        """As :meth:`Movement.affine`."""
        return np.array([[-1.0, 0.0, width - 1.0], [0.0, 1.0, 0.0]])


@dataclass(frozen=True)
class Rotate(Movement):
    """Turned by an angle between -``degrees`` and ``degrees``."""

    degrees: float

    def __post_init__(self) -> None:
        super().__post_init__()
        demand(0 < self.degrees <= 180, f"Rotate: degrees={self.degrees} must be above 0 and at most 180.")

    def affine(self, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
        """As :meth:`Movement.affine`."""
        angle = math.radians(rng.uniform(-self.degrees, self.degrees))
        cosine, sine = math.cos(angle), math.sin(angle)
        return _about_middle(np.array([[cosine, -sine], [sine, cosine]]), height, width)


@dataclass(frozen=True)
class Scale(Movement):
    """Larger or smaller by a factor between ``smallest`` and ``largest``, drawn evenly in its logarithm."""

    smallest: float
    largest: float

    def __post_init__(self) -> None:
        super().__post_init__()
        demand(
            0 < self.smallest <= self.largest,
            f"Scale: smallest={self.smallest} must be above 0 and at most largest={self.largest}.",
        )

    def affine(self, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
        """As :meth:`Movement.affine`."""
        factor = math.exp(rng.uniform(math.log(self.smallest), math.log(self.largest)))
        return _about_middle(factor * np.eye(2), height, width)


@dataclass(frozen=True)
class Shift(Movement):
    """Moved by up to ``most`` of the picture's width and height, either way."""

    most: float

    def __post_init__(self) -> None:
        super().__post_init__()
        demand(0 < self.most < 1, f"Shift: most={self.most} is a share of the picture, between 0 and 1.")

    def affine(self, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
        """As :meth:`Movement.affine`."""
        right, down = rng.uniform(-self.most, self.most, 2)
        return np.array([[1.0, 0.0, right * width], [0.0, 1.0, down * height]])


def _about_middle(linear: np.ndarray, height: int, width: int) -> np.ndarray:
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    return np.column_stack([linear, middle - linear @ middle])
