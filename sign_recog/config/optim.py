"""Settings of the group ``optim``: the optimiser and its parameter groups."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from omegaconf import MISSING

if TYPE_CHECKING:
    from sign_recog.config.schema import Config


@dataclass
class OptimConfig:
    """An optimiser of torch's kind over the parts of the network."""

    _target_: str = MISSING  # sign_recog.training.optimizers.build_optimizer
    _partial_: bool = MISSING
    _convert_: str = MISSING
    algorithm: Any = MISSING  # the class, with settings of its own
    lr: float = MISSING
    weight_decay: float = MISSING  # of matrices; biases, norms and other vectors are not decayed
    groups: dict[str, Any] = MISSING  # part of the network -> what is different for its parameters

    def problems(self) -> list[str]:
        found = []
        for key, settings in {"": vars(self), **{f"groups.{part}.": own for part, own in self.groups.items()}}.items():
            if not isinstance(settings, dict) or not settings:
                found.append(
                    f"optim.{key[:-1]}={settings} must say what is different for the part, such as {{lr: 1e-4}}."
                )
                continue
            for name in ("lr", "weight_decay"):
                value = settings.get(name, 0.0)
                if not isinstance(value, int | float) or value < 0:
                    found.append(f"optim.{key}{name}={value} must be a number, 0 or more.")
        return found

    def contradictions(self, config: "Config") -> list[str]:
        """A fused step undoes the scaling of fp16 gradients itself, after they would have to be clipped."""
        trainer = config.trainer
        if not self.algorithm.get("fused") or trainer.precision != "16-mixed" or trainer.gradient_clip is None:
            return []
        return [
            f"optim.algorithm.fused=true cannot clip fp16 gradients (trainer.gradient_clip={trainer.gradient_clip}). "
            "Use optim.algorithm.fused=null, trainer.precision=bf16-mixed, or trainer.gradient_clip=null."
        ]
