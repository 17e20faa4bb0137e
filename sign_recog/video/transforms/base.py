"""What every change of a clip's pictures is."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from sign_recog.errors import ConfigError
from sign_recog.video.framing import Framing

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class FrameChange:
    """One random change, made to a share ``p`` of the clips."""

    p: float = field(default=1.0, kw_only=True)

    def __post_init__(self) -> None:
        demand(0 <= self.p <= 1, f"{type(self).__name__}: p={self.p} is a share of the clips; it must lie in 0 to 1.")

    def happens(self, rng: np.random.Generator) -> bool:
        """Whether it is made to this clip."""
        return self.p >= 1 or rng.random() < self.p


@dataclass(frozen=True)
class Reframing(FrameChange, ABC):
    """A change of which part of the picture is seen."""

    @abstractmethod
    def reframe(self, framing: Framing, rng: np.random.Generator) -> Framing:
        """Return what is seen now."""


@dataclass(frozen=True)
class PixelChange(FrameChange, ABC):
    """A change of the pixels, with one draw for all frames of a clip."""

    @abstractmethod
    def change(self, frames: "Tensor", rng: np.random.Generator) -> "Tensor":
        """From (T, 3, H, W) uint8 to the same."""


def demand(holds: bool, otherwise: str) -> None:
    """Raise ConfigError of the group ``augment`` unless ``holds``."""
    if not holds:
        raise ConfigError(f"augment: {otherwise}")
