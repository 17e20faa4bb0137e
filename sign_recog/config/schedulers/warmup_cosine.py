"""Settings of ``scheduler=warmup_cosine``."""

from dataclasses import dataclass

from omegaconf import MISSING

from sign_recog.config.schedulers.base import SchedulerConfig, ratio_problems


@dataclass
class WarmupCosineScheduler(SchedulerConfig):
    """Linear warm-up, then half a cosine."""

    warmup_share: float = MISSING  # of all steps; counts where warmup_epochs is null
    min_ratio: float = MISSING

    def problems(self) -> list[str]:
        found = super().problems() + ratio_problems("min_ratio", self.min_ratio)
        if not 0 <= self.warmup_share < 1:
            found.append(f"scheduler.warmup_share={self.warmup_share} must lie in [0, 1), say 0.05.")
        return found
