"""Settings of ``scheduler=cosine``."""

from dataclasses import dataclass

from omegaconf import MISSING

from sign_recog.config.schedulers.base import SchedulerConfig, ratio_problems


@dataclass
class CosineScheduler(SchedulerConfig):
    """Half a cosine."""

    epochs: float | None = MISSING  # of the fall; null = all after the warm-up
    min_ratio: float = MISSING

    def problems(self) -> list[str]:
        found = super().problems() + ratio_problems("min_ratio", self.min_ratio)
        if self.epochs is not None and self.epochs <= 0:
            found.append(f"scheduler.epochs={self.epochs} must be above 0, or null for all epochs.")
        return found
