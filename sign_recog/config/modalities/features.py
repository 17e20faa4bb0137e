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
