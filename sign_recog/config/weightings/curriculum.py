"""Settings of ``loss/weighting=curriculum``."""

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from omegaconf import MISSING

from sign_recog.config.weightings.base import WeightingConfig

if TYPE_CHECKING:
    from sign_recog.config.schema import Config


class Order(str, Enum):
    """Which task comes first (training/weighting_curriculum.py)."""

    gloss_first = "gloss_first"
    category_first = "category_first"
    dynamic = "dynamic"


class Curve(str, Enum):
    """How the other task's share rises."""

    linear = "linear"
    cosine = "cosine"
    exponential = "exponential"


@dataclass
class CurriculumWeighting(WeightingConfig):
    """One task first, both in the end."""

    order: Order = MISSING
    schedule: Curve = MISSING
    epochs: int = MISSING
    warmup_epochs: int = MISSING  # before the curriculum's first epoch
    min_weight: float = MISSING  # smallest share of a task; the shares add up to 1

    def problems(self) -> list[str]:
        found = []
        if self.epochs < 1:
            found.append(f"loss.weighting.epochs={self.epochs} must be at least 1; loss/weighting=static has none.")
        if self.warmup_epochs < 0:
            found.append(f"loss.weighting.warmup_epochs={self.warmup_epochs} must be 0 or more.")
        if not 0 <= self.min_weight < 0.5:
            found.append(f"loss.weighting.min_weight={self.min_weight} must lie in [0, 0.5), say 0.1.")
        return found

    def contradictions(self, config: "Config") -> list[str]:
        """The dynamic order goes by losses that one process has seen."""
        if self.order is not Order.dynamic or config.trainer.devices == 1:
            return []
        return [
            "loss.weighting.order=dynamic measures the losses of whole batches, and with "
            f"trainer.devices={config.trainer.devices} each device has a part. Use trainer.devices=1, or another order."
        ]
