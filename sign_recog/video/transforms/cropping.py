"""Which part of the picture is seen. A later one starts from what an earlier one left: the last crop counts."""

import math
from dataclasses import dataclass, replace

import numpy as np

from sign_recog.video.framing import Framing
from sign_recog.video.transforms.base import Reframing, demand

_TRIES = 10  # of a random box, before the middle is taken; as torchvision's


@dataclass(frozen=True)
class RandomCrop(Reframing):
    """The square of ``modality.image_size`` at a random place of the picture of ``modality.resize``."""

    def reframe(self, framing: Framing, rng: np.random.Generator) -> Framing:
        """As :meth:`Reframing.reframe`."""
        return framing.cropped(*rng.random(2).tolist())


@dataclass(frozen=True)
class CentreCrop(Reframing):
    """The square of ``modality.image_size`` in the middle, also where ``modality.fit=pad``."""

    def reframe(self, framing: Framing, rng: np.random.Generator) -> Framing:
        """As :meth:`Reframing.reframe`."""
        return framing.cropped(0.5, 0.5)


@dataclass(frozen=True)
class RandomResizedCrop(Reframing):
    """A random box, scaled to fill the square (Szegedy et al. 2015, arXiv:1409.4842).

    Args:
        smallest, largest: Share of the picture's area.
        narrowest, widest: Width over height, drawn evenly in its logarithm.
    """

    smallest: float
    largest: float
    narrowest: float
    widest: float

    def __post_init__(self) -> None:
        super().__post_init__()
        demand(
            0 < self.smallest <= self.largest <= 1,
            f"RandomResizedCrop: smallest={self.smallest} and largest={self.largest} are shares of the picture, "
            "above 0 and at most 1, the smaller first.",
        )
        demand(
            0 < self.narrowest <= self.widest,
            f"RandomResizedCrop: narrowest={self.narrowest} must be above 0 and at most widest={self.widest}.",
        )

    def reframe(self, framing: Framing, rng: np.random.Generator) -> Framing:
        """As :meth:`Reframing.reframe`."""
        for _ in range(_TRIES):
            area = framing.height * framing.width * rng.uniform(self.smallest, self.largest)
            aspect = math.exp(rng.uniform(math.log(self.narrowest), math.log(self.widest)))
            height, width = max(1, round(math.sqrt(area / aspect))), max(1, round(math.sqrt(area * aspect)))
            down, right = rng.random(2)
            if height <= framing.height and width <= framing.width:
                top, left = round(down * (framing.height - height)), round(right * (framing.width - width))
                return replace(framing, box=(top, left, height, width), padded=False)
        return framing.cropped(0.5, 0.5)


@dataclass(frozen=True)
class ScaleAndPad(Reframing):
    """The whole picture, scaled to fit, with black beside it, also where ``modality.fit=crop``."""

    def reframe(self, framing: Framing, rng: np.random.Generator) -> Framing:
        """As :meth:`Reframing.reframe`."""
        return replace(framing, box=(0, 0, framing.height, framing.width), padded=True)


@dataclass(frozen=True)
class HorizontalFlip(Reframing):
    """Left and right exchanged: a right-handed signer becomes a left-handed one."""

    def reframe(self, framing: Framing, rng: np.random.Generator) -> Framing:
        """As :meth:`Reframing.reframe`."""
        return framing.flipped()
