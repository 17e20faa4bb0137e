"""Settings of ``modality=keypoints``."""

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from omegaconf import MISSING

from sign_recog.config.modalities.base import ModalityConfig, refused_pictures, spatial_augmentations
from sign_recog.errors import ConfigError
from sign_recog.landmarks.layout import get_layout

if TYPE_CHECKING:
    from sign_recog.config.schema import Config


class Imputation(str, Enum):
    """How gaps in the landmarks are filled (landmarks/impute.py)."""

    parts = "parts"
    gaps = "gaps"


class Normalization(str, Enum):
    """Which coordinates the network sees (landmarks/normalize.py)."""

    neck = "neck"
    chest = "chest"
    image = "image"


@dataclass
class KeypointsModality(ModalityConfig):
    """Landmarks of each frame, changed in this order of fields."""

    layout: str = MISSING  # landmark layout, landmarks/layout.py
    coordinates: int = MISSING  # 2 = x and y; 3 = x, y and z
    imputation: Imputation = MISSING
    max_gap: int = MISSING  # frames; only imputation=gaps reads it
    normalization: Normalization = MISSING
    presence: bool = MISSING  # append, for every part, 1 = detected and 0 = filled in
    target_fps: float | None = MISSING  # frames/s; null = the clip's own
    limit: float | None = MISSING  # normalised coordinates are cut to -limit..limit; null = as they are

    def problems(self) -> list[str]:
        found = []
        if self.coordinates not in (2, 3):
            found.append(f"modality.coordinates={self.coordinates} must be 2 (x, y) or 3 (x, y, z).")
        if self.limit is not None and self.limit <= 0:
            found.append(f"modality.limit={self.limit} must be above 0, or null to leave coordinates as they are.")
        if self.target_fps is not None and self.target_fps <= 0:
            found.append(f"modality.target_fps={self.target_fps} must be above 0, or null for the clip's own.")
        if self.max_gap < 1:
            found.append(f"modality.max_gap={self.max_gap} must be at least 1 frame.")
        if self.normalization is Normalization.image and self.coordinates == 3:
            found.append(
                "modality.normalization=image has no depth in the image, so modality.coordinates=3 cannot be met. "
                "Use modality.coordinates=2, or modality.normalization=neck."
            )
        return found

    def contradictions(self, config: "Config") -> list[str]:
        found = refused_pictures(config, "keypoints")
        if self.normalization is Normalization.image and (spatial := spatial_augmentations(config)):
            found.append(
                "modality.normalization=image puts 0 into the image's corner, and these augmentations take it for "
                f"the middle of the body: {', '.join(spatial)}. Use augment=none or augment=features, or "
                "modality.normalization=neck."
            )
        if "layout" not in config.extractor:
            return [
                *found,
                f"modality=keypoints needs an extractor of keypoints, and {config.extractor['_target_']} makes "
                "features. Use extractor=mediapipe_holistic, or modality=features.",
            ]
        if config.extractor["layout"] == "named":
            return [
                *found,
                "extractor.layout=named holds landmarks of a detector's own naming, and modality=keypoints reads "
                "MediaPipe Holistic's. Use extractor.layout=holistic_75 with a detector trained on Holistic's names.",
            ]
        try:
            get_layout(self.layout).index_in(get_layout(config.extractor["layout"]))
        except ConfigError as error:
            found.append(f"modality.layout={self.layout}: {error}")
        return found
