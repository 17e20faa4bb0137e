"""Settings of ``modality=rgb``."""

from dataclasses import dataclass

from omegaconf import MISSING

from sign_recog.config.modalities.base import ModalityConfig


@dataclass
class RgbModality(ModalityConfig):
    """Frames of the clip's video: ``num_frames`` of them, every ``stride``-th, as squares."""

    num_frames: int = MISSING
    stride: int = MISSING  # frames of the video, or of target_fps where it is set
    image_size: int = MISSING  # pixels, width and height
    target_fps: float | None = MISSING  # frames/s; null = the video's own

    def problems(self) -> list[str]:
        least = {"num_frames": 1, "stride": 1, "image_size": 32}
        found = [
            f"modality.{name}={getattr(self, name)} must be at least {minimum}."
            for name, minimum in least.items()
            if getattr(self, name) < minimum
        ]
        if self.target_fps is not None and self.target_fps <= 0:
            found.append(f"modality.target_fps={self.target_fps} must be above 0, or null for the video's own.")
        return found
