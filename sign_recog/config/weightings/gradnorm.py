"""Settings of ``loss/weighting=gradnorm``."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from omegaconf import MISSING

from sign_recog.config.weightings.base import WeightingConfig

if TYPE_CHECKING:
    from sign_recog.config.schema import Config


@dataclass
class GradNormWeighting(WeightingConfig):
    """Equal training rates through the gradients of a shared part."""

    alpha: float = MISSING  # strength of the pull to equal rates
    lr: float = MISSING  # of the weights' own Adam
    shared_part: str | None = MISSING  # null = the last module with weights before the heads

    def problems(self) -> list[str]:
        found = []
        if self.alpha < 0:
            found.append(f"loss.weighting.alpha={self.alpha} must be 0 (equal gradient norms) or more, say 1.5.")
        if self.lr <= 0:
            found.append(f"loss.weighting.lr={self.lr} must be above 0; loss/weighting=static keeps the weights.")
        return found

    def contradictions(self, config: "Config") -> list[str]:
        """A compiled network's backward pass is one piece, run once: no gradient of a part and a task by itself.
        Processes average gradients of the objective alone."""
        found = []
        if config.trainer.compile:
            found.append(
                "loss/weighting=gradnorm needs each task's gradients by themselves, and trainer.compile=true makes one "
                "piece of them all. Use trainer.compile=false, or loss/weighting=uncertainty."
            )
        if config.trainer.devices != 1:
            found.append(
                "loss/weighting=gradnorm measures the gradients of a whole batch, and with "
                f"trainer.devices={config.trainer.devices} each device has a part. Use trainer.devices=1, or "
                "loss/weighting=uncertainty."
            )
        return found
