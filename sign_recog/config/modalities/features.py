"""Settings of ``modality=features``."""

from dataclasses import dataclass
from enum import Enum

from omegaconf import MISSING

from sign_recog.config.modalities.base import ModalityConfig


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
