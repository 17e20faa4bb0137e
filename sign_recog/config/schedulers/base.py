"""What every schedule's settings have in common."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from omegaconf import MISSING

if TYPE_CHECKING:
    from sign_recog.config.schema import Config


@dataclass
class SchedulerConfig:
    """A function of sign_recog/training/schedulers.py with its settings; epochs may be fractions."""

    _target_: str = MISSING
    _partial_: bool = MISSING
    _convert_: str = MISSING
    warmup_epochs: float | None = MISSING  # the rate rises linearly over them

    def problems(self) -> list[str]:
        if self.warmup_epochs is not None and self.warmup_epochs < 0:
            return [f"scheduler.warmup_epochs={self.warmup_epochs} must be 0 (none) or more."]
        return []

    def contradictions(self, config: "Config") -> list[str]:
        """What does not go together with the other sections."""
        budget = config.trainer.max_epochs
        if not self.warmup_epochs or not budget or self.warmup_epochs < budget:
            return []
        return [
            f"scheduler.warmup_epochs={self.warmup_epochs} takes all of trainer.max_epochs={budget}. "
            "Use fewer epochs of warm-up."
        ]


def ratio_problems(name: str, value: float) -> list[str]:
    """What is wrong with a share of the peak learning rate."""
    return [] if 0 <= value < 1 else [f"scheduler.{name}={value} must lie in [0, 1), a share of the peak rate."]
