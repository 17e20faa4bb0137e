"""What every change of a labelled picture is."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from sign_recog.errors import ConfigError


@dataclass(frozen=True)
class FrameAugmentation:
    """One random change, made to a share ``p`` of the pictures.

    Attributes:
        mirrors: Whether left becomes right, so that landmarks must change places.
    """

    mirrors: ClassVar[bool] = False
    p: float = field(default=1.0, kw_only=True)

    def __post_init__(self) -> None:
        demand(0 <= self.p <= 1, f"{type(self).__name__}: p={self.p} is a share of the pictures, between 0 and 1.")

    def happens(self, rng: np.random.Generator) -> bool:
        """Whether it is made to this picture."""
        return rng.random() < self.p


@dataclass(frozen=True)
class Movement(FrameAugmentation, ABC):
    """A change of where things are."""

    @abstractmethod
    def affine(self, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
        """(2, 3): where a pixel of the network's picture goes, as in :mod:`sign_recog.video.affine`."""


@dataclass(frozen=True)
class PixelChange(FrameAugmentation, ABC):
    """A change of the pixels, the same for a picture and its neighbours in time."""

    @abstractmethod
    def change(self, frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """From (T, H, W, 3) uint8 to the same; the array given may be changed or returned."""


def demand(holds: bool, otherwise: str) -> None:
    """Raise ConfigError of the group ``augment`` unless ``holds``."""
    if not holds:
        raise ConfigError(f"augment: {otherwise}")
