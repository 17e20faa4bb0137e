"""Settings of ``run=classify``."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sign_recog.config.tasks import recognition_problems
from sign_recog.config.training_run import TrainingRun

if TYPE_CHECKING:
    from sign_recog.config.schema import Config


@dataclass
class ClassifyRun(TrainingRun):
    """Train a recogniser on train, select on val; how, stands in the groups model, optim, trainer and so on."""

    def contradictions(self, config: "Config") -> list[str]:
        """What does not go together with the other sections."""
        return recognition_problems(config)
