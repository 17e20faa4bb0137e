"""Settings of ``modality=rgb``."""

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from omegaconf import MISSING

from sign_recog.config.modalities.base import ModalityConfig, augmentations_of

if TYPE_CHECKING:
    from sign_recog.config.schema import Config


class Pad(str, Enum):
    """What fills up a clip of fewer frames than are read (video/samplers.py)."""

    repeat_last = "repeat_last"
    loop = "loop"
    stretch = "stretch"


class Fit(str, Enum):
    """What of a picture is seen where no augmentation says otherwise."""

    crop = "crop"  # the middle square
    pad = "pad"  # the whole, with black beside it


@dataclass
class RgbModality(ModalityConfig):
    """Frames of the clip's video: ``num_frames`` of them, as squares."""

    num_frames: int = MISSING
    sampler: Any = MISSING  # conf/modality/sampler: named steps that choose frames of training clips
    eval_sampler: Any = MISSING  # conf/modality/eval_sampler: the same of validation and test
    pad: Pad | None = MISSING  # of shorter clips; null = fewer frames come, and the mask says so
    image_size: int = MISSING  # pixels, width and height
    resize: int | None = MISSING  # pixels of the picture's shorter side before it is cropped; null = image_size
    fit: Fit = MISSING
    target_fps: float | None = MISSING  # frames/s; null = the video's own

    def problems(self) -> list[str]:
        found = [
            f"modality.{name}={getattr(self, name)} must be at least {minimum}."
            for name, minimum in {"num_frames": 1, "image_size": 32}.items()
            if getattr(self, name) < minimum
        ]
        if self.resize is not None and self.resize < self.image_size:
            found.append(
                f"modality.resize={self.resize} is smaller than modality.image_size={self.image_size}, which is cut "
                "out of it. Use at least that, or null for the same."
            )
        if self.target_fps is not None and self.target_fps <= 0:
            found.append(f"modality.target_fps={self.target_fps} must be above 0, or null for the video's own.")
        for name in ("sampler", "eval_sampler"):
            steps = getattr(self, name)
            if not isinstance(steps, dict) or not steps:
                found.append(f"modality.{name} holds no step. Use modality/{name}=chunked, or another option.")
                continue
            wrong = [key for key, step in steps.items() if not isinstance(step, dict) or "_target_" not in step]
            if wrong:
                found.append(
                    f"modality.{name}: {', '.join(wrong)} names no class. Give each step a _target_, as the files in "
                    "conf/modality/sampler do."
                )
        return found

    def contradictions(self, config: "Config") -> list[str]:
        if "backbone" not in config.model:  # what networks over frames have, see sign_recog/models/__init__.py
            return [
                "modality=rgb gives frames, and this network reads keypoints or features. Use a network over frames, "
                "such as model=s3d, model=mvit_v2_s or model=vtn, or another modality."
            ]
        points = augmentations_of(config, "sign_recog.landmarks.")
        if not points:
            return []
        return [
            f"modality=rgb reads pictures, and these augmentations change points: {', '.join(points)}. "
            "Use augment=rgb or augment=none."
        ]
