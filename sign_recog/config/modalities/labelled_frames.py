"""Settings of ``modality=labelled_frames``."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from omegaconf import MISSING

from sign_recog.config.modalities.base import ModalityConfig
from sign_recog.config.targets import parameters
from sign_recog.config.tasks import POSE

if TYPE_CHECKING:
    from sign_recog.config.schema import Config

_AUGMENTATIONS = "sign_recog.video.labelled."
MULTIPLE = 32  # pixels: what networks over pictures divide by


@dataclass
class LabelledFramesModality(ModalityConfig):
    """Pictures with labelled landmarks, scaled to one size."""

    image_height: int = MISSING  # pixels
    image_width: int = MISSING
    context: int = MISSING  # neighbouring frames on either side that are read too

    def problems(self) -> list[str]:
        found = [
            f"modality.{name}={value} must be a multiple of {MULTIPLE}, at least {MULTIPLE}: networks over pictures "
            f"halve them five times. Use {max(MULTIPLE, round(value / MULTIPLE) * MULTIPLE)}."
            for name, value in {"image_height": self.image_height, "image_width": self.image_width}.items()
            if value < MULTIPLE or value % MULTIPLE
        ]
        if self.context not in (0, 2):
            found.append(f"modality.context={self.context} must be 0 or 2 neighbours on either side.")
        return found

    def contradictions(self, config: "Config") -> list[str]:
        known = parameters(str(config.model.get("_target_", "")))
        if known is not None and POSE.built_with not in known:
            return [
                "modality=labelled_frames gives pictures for a detector of landmarks. Use run=train_pose with "
                "model=heatmap_tracker, regression_tracker or context_tracker, or another modality."
            ]
        other = [name for name, node in config.augment.items() if not node["_target_"].startswith(_AUGMENTATIONS)]
        if not other:
            return []
        return [
            f"modality=labelled_frames reads pictures together with their landmarks, and these augmentations change "
            f"one of the two: {', '.join(other)}. Use augment=labelled_frames or augment=none."
        ]
