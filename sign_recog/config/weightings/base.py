"""What every task weighting's settings have in common."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from omegaconf import MISSING

if TYPE_CHECKING:
    from sign_recog.config.schema import Config


@dataclass
class WeightingConfig:
    """A class of sign_recog/training, built from these settings."""

    _target_: str = MISSING

    def problems(self) -> list[str]:
        return []

    def contradictions(self, config: "Config") -> list[str]:
        """What does not go together with the other sections."""
        return []
