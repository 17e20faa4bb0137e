"""Settings of ``scheduler=plateau``."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from omegaconf import MISSING

from sign_recog.config.schedulers.base import SchedulerConfig, ratio_problems
from sign_recog.config.trainer import Mode, mode_problems

if TYPE_CHECKING:
    from sign_recog.config.schema import Config


@dataclass
class PlateauScheduler(SchedulerConfig):
    """The rate times ``factor`` when ``monitor`` has not improved by ``min_delta`` for ``patience`` evaluations."""

    monitor: str = MISSING
    mode: Mode = MISSING
    factor: float = MISSING
    patience: int = MISSING  # evaluations; without trainer.eval_every_steps that is epochs
    min_delta: float = MISSING
    min_ratio: float = MISSING

    def problems(self) -> list[str]:
        found = super().problems() + ratio_problems("min_ratio", self.min_ratio)
        found += mode_problems("scheduler.monitor", self.monitor, "scheduler.mode", self.mode)
        if not 0 < self.factor < 1:
            found.append(f"scheduler.factor={self.factor} must lie between 0 and 1, say 0.5.")
        if self.patience < 0:
            found.append(f"scheduler.patience={self.patience} must be 0 evaluations or more.")
        if self.min_delta < 0:
            found.append(f"scheduler.min_delta={self.min_delta} must be 0 or more.")
        return found

    def contradictions(self, config: "Config") -> list[str]:
        found = super().contradictions(config)
        if self.monitor == "val_category_acc" and config.loss.category_weight == 0:
            found.append(
                "scheduler.monitor=val_category_acc needs a category head, but loss.category_weight=0. "
                "Raise loss.category_weight, or monitor val_gloss_acc."
            )
        return found
