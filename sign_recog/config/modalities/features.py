"""Settings of ``modality=features``."""

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar

from omegaconf import MISSING

from sign_recog.config.modalities.base import ModalityConfig, refused_pictures, spatial_augmentations

if TYPE_CHECKING:
    from sign_recog.config.schema import Config


class FeatureScaling(str, Enum):
    """What the values of a clip are divided by (data/features.py)."""

    none = "none"
    clip = "clip"


@dataclass
class FeaturesModality(ModalityConfig):
    """Vectors of a frozen network or of sensors, one a window or frame."""

    earlier: ClassVar[dict[str, Any]] = {"augmented_copies": 0}
    scaling: FeatureScaling = MISSING
    point_size: int = MISSING  # values that are one point; 3 = x, y and z, and augmentations of points can be used
    augmented_copies: int = MISSING  # of each train clip, one an epoch in turn; 0 = the plain features in every epoch

    def problems(self) -> list[str]:
        found = []
        if self.point_size < 1:
            found.append(f"modality.point_size={self.point_size} must be at least 1. Use 1 where values are no points.")
        if self.augmented_copies < 0:
            found.append(f"modality.augmented_copies={self.augmented_copies} must be 0 (none) or more.")
        return found

    def contradictions(self, config: "Config") -> list[str]:
        found, spatial = refused_pictures(config, "features"), spatial_augmentations(config)
        if self.point_size > 1 or not spatial:
            return found
        return [
            *found,
            "modality.point_size=1 says that the features are no points, and these augmentations turn or stretch "
            f"points: {', '.join(spatial)}. Use augment=features or augment=none, or give modality.point_size=3.",
        ]
