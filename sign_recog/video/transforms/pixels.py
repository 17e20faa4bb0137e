"""Colours and sharpness."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sign_recog.torchvision_operators import declare_missing
from sign_recog.video.transforms.base import PixelChange, demand

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Grayscale(PixelChange):
    """The same brightness in all three channels."""

    def change(self, frames: "Tensor", rng: np.random.Generator) -> "Tensor":
        """As :meth:`PixelChange.change`."""
        declare_missing()
        from torchvision.transforms.v2 import functional

        return functional.rgb_to_grayscale(frames, num_output_channels=3)


@dataclass(frozen=True)
class GaussianBlur(PixelChange):
    """Blurred by a deviation drawn between ``weakest`` and ``strongest``, in pixels of the network's input."""

    weakest: float
    strongest: float

    def __post_init__(self) -> None:
        super().__post_init__()
        demand(
            0 < self.weakest <= self.strongest,
            f"GaussianBlur: weakest={self.weakest} must be above 0 and at most strongest={self.strongest}.",
        )

    def change(self, frames: "Tensor", rng: np.random.Generator) -> "Tensor":
        """As :meth:`PixelChange.change`."""
        declare_missing()
        from torchvision.transforms.v2 import functional

        sigma = float(rng.uniform(self.weakest, self.strongest))
        reach = max(1, min(round(3 * sigma), min(frames.shape[-2:]) - 1))  # three deviations hold 99.7 %
        return functional.gaussian_blur(frames, [2 * reach + 1] * 2, [sigma] * 2)
