"""Settings of ``scheduler=multistep``."""

from dataclasses import dataclass

from omegaconf import MISSING

from sign_recog.config.schedulers.base import SchedulerConfig


@dataclass
class MultistepScheduler(SchedulerConfig):
    """The rate times ``gamma`` after each milestone."""

    milestones: list[float] = MISSING  # epochs, counted after the warm-up
    gamma: float = MISSING

    def problems(self) -> list[str]:
        found = super().problems()
        if self.gamma <= 0:
            found.append(f"scheduler.gamma={self.gamma} must be above 0, say 0.5.")
        if not self.milestones or any(m <= 0 for m in self.milestones):
            found.append(
                f"scheduler.milestones={self.milestones} must be epochs above 0, say [150,200,250]. "
                "scheduler=constant has none."
            )
        return found
