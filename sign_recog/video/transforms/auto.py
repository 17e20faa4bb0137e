"""AutoAugment and RandAugment: operations and policies are torchvision's, the draws are ours.

torchvision's classes draw from torch's global generator, which belongs to training. So they are only asked what a
policy or a magnitude means, and to carry it out.
"""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from sign_recog.torchvision_operators import declare_missing
from sign_recog.video.transforms.base import PixelChange, demand

if TYPE_CHECKING:
    from torch import Tensor

BINS = 31  # magnitudes of RandAugment are 0 to 30, as in its paper
_POLICY_BINS = 10  # of AutoAugment's


@dataclass(frozen=True)
class RandAugment(PixelChange):
    """``num_ops`` operations at random, one after the other (Cubuk et al. 2020, arXiv:1909.13719).

    Args:
        magnitude: 0 to 30, of all operations.
    """

    num_ops: int
    magnitude: int

    def __post_init__(self) -> None:
        super().__post_init__()
        demand(self.num_ops >= 1, f"RandAugment: num_ops={self.num_ops} must be at least 1.")
        demand(0 <= self.magnitude < BINS, f"RandAugment: magnitude={self.magnitude} must lie in 0 to {BINS - 1}.")

    def change(self, frames: "Tensor", rng: np.random.Generator) -> "Tensor":
        """As :meth:`PixelChange.change`."""
        space = _randaugment()._AUGMENTATION_SPACE
        names = sorted(space)
        for _ in range(self.num_ops):
            name = names[int(rng.integers(len(names)))]
            frames = _carried_out(_randaugment(), frames, name, self.magnitude, BINS, rng)
        return frames


@dataclass(frozen=True)
class AutoAugment(PixelChange):
    """A random one of the pairs of operations learnt on ImageNet (Cubuk et al. 2019, arXiv:1805.09501)."""

    def change(self, frames: "Tensor", rng: np.random.Generator) -> "Tensor":
        """As :meth:`PixelChange.change`."""
        policies = _autoaugment()._policies
        for name, probability, magnitude in policies[int(rng.integers(len(policies)))]:
            if rng.random() < probability:
                frames = _carried_out(_autoaugment(), frames, name, magnitude, _POLICY_BINS, rng)
        return frames


def _carried_out(
    owner: Any, frames: "Tensor", name: str, magnitude: int | None, bins: int, rng: np.random.Generator
) -> "Tensor":
    """``frames`` after torchvision's operation ``name``; those with a direction get a random one."""
    magnitudes, has_direction = owner._AUGMENTATION_SPACE[name]
    values = magnitudes(bins, *frames.shape[-2:])
    value = 0.0 if values is None else float(values[magnitude])
    if values is not None and has_direction and rng.random() < 0.5:
        value = -value
    return owner._apply_image_or_video_transform(
        frames, name, value, interpolation=owner.interpolation, fill=owner._fill
    )


@cache
def _randaugment() -> Any:
    declare_missing()
    from torchvision.transforms.v2 import InterpolationMode, RandAugment

    return RandAugment(num_magnitude_bins=BINS, interpolation=InterpolationMode.BILINEAR)


@cache
def _autoaugment() -> Any:
    declare_missing()
    from torchvision.transforms.v2 import AutoAugment, InterpolationMode

    return AutoAugment(interpolation=InterpolationMode.BILINEAR)
