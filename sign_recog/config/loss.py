"""Settings of the group ``loss``: what training minimises."""

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from omegaconf import MISSING

if TYPE_CHECKING:
    from sign_recog.config.schema import Config

STATIC = "sign_recog.training.weighting.Static"


class ClassWeights(str, Enum):
    """What a clip of a gloss (or category) counts in the loss (training/class_frequency.py)."""

    none = "none"
    balanced = "balanced"
    sqrt = "sqrt"


class Norm(str, Enum):
    """What a regulariser adds up: sizes, or squares."""

    l1 = "l1"
    l2 = "l2"


@dataclass
class RegularizerConfig:
    """A penalty on the weights of a part of the network."""

    part: str = MISSING  # name of a module of the network, nested names with dots
    norm: Norm = MISSING
    weight: float = MISSING


@dataclass
class LossConfig:
    """The losses of the gloss head and, if ``category_weight`` is above 0, of the category head."""

    label_smoothing: float = MISSING
    focal_gamma: float = MISSING  # 0 = cross-entropy
    class_weights: ClassWeights = MISSING
    gloss_weight: float = MISSING
    category_weight: float = MISSING  # above 0 adds a category head
    weighting: Any = MISSING  # conf/loss/weighting: how the two losses become one
    bias_prior: bool = MISSING  # output biases start at the logarithm of the class frequencies
    regularizers: list[RegularizerConfig] = MISSING

    def problems(self) -> list[str]:
        found = []
        if not 0 <= self.label_smoothing < 1:
            found.append(f"loss.label_smoothing={self.label_smoothing} must lie in [0, 1), say 0.1.")
        if self.focal_gamma < 0:
            found.append(f"loss.focal_gamma={self.focal_gamma} must be 0 (cross-entropy) or more, say 2.")
        for name in ("gloss_weight", "category_weight"):
            if getattr(self, name) < 0:
                found.append(f"loss.{name}={getattr(self, name)} must not be negative.")
        if self.gloss_weight == 0 and self.category_weight == 0:
            found.append("loss.gloss_weight=0 and loss.category_weight=0 leave nothing to learn. Raise one of them.")
        for regularizer in self.regularizers:
            if regularizer.weight <= 0:
                found.append(
                    f"loss.regularizers: weight={regularizer.weight} of part {regularizer.part} must be above 0. "
                    "Take the entry out to have no penalty."
                )
        return found + self._weighting_problems()

    def contradictions(self, config: "Config") -> list[str]:
        """What does not go together with the other sections."""
        return self.weighting.contradictions(config) if hasattr(self.weighting, "contradictions") else []

    def _weighting_problems(self) -> list[str]:
        own = self.weighting.problems() if hasattr(self.weighting, "problems") else []
        target = self.weighting["_target_"] if isinstance(self.weighting, dict) else self.weighting._target_
        if target == STATIC or (self.gloss_weight > 0 and self.category_weight > 0):
            return own
        return [
            f"loss.weighting={target.rpartition('.')[2]} weighs two losses against each other, but "
            f"loss.gloss_weight={self.gloss_weight} and loss.category_weight={self.category_weight}. "
            "Give both weights above 0, or use loss/weighting=static.",
            *own,
        ]
