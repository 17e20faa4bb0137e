"""Settings of ``scheduler=warm_restarts``."""

from dataclasses import dataclass

from omegaconf import MISSING

from sign_recog.config.schedulers.base import SchedulerConfig, ratio_problems


@dataclass
class WarmRestartsScheduler(SchedulerConfig):
    """Half cosines, each ``T_mult`` times as long as the one before."""

    T_0: float = MISSING  # epochs of the first
    T_mult: int = MISSING
    min_ratio: float = MISSING

    def problems(self) -> list[str]:
        found = super().problems() + ratio_problems("min_ratio", self.min_ratio)
        if self.T_0 <= 0:
            found.append(f"scheduler.T_0={self.T_0} must be above 0 epochs, say 10.")
        if self.T_mult < 1:
            found.append(f"scheduler.T_mult={self.T_mult} must be 1 (equal periods) or more.")
        return found
