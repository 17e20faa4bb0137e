"""Settings of ``modality=features``."""

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

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

    scaling: FeatureScaling = MISSING
    point_size: int = MISSING  # values that are one point; 3 = x, y and z, and augmentations of points can be used

    def problems(self) -> list[str]:
        if self.point_size < 1:
            return [f"modality.point_size={self.point_size} must be at least 1. Use 1 where values are no points."]
        return []

    def contradictions(self, config: "Config") -> list[str]:
        found, spatial = refused_pictures(config, "features"), spatial_augmentations(config)
        if self.point_size > 1 or not spatial:
            return found
        return [
            *found,
            "modality.point_size=1 says that the features are no points, and these augmentations turn or stretch "
            f"points: {', '.join(spatial)}. Use augment=features or augment=none, or give modality.point_size=3.",
        ]
