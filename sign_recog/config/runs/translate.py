"""Settings of ``run=translate``."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sign_recog.config.tasks import translation_problems
from sign_recog.config.training_run import TrainingRun

if TYPE_CHECKING:
    from sign_recog.config.schema import Config


@dataclass
class TranslateRun(TrainingRun):
    """Train a translator on train, select on val; what is its own stands in the groups translation and tokenizer."""

    def contradictions(self, config: "Config") -> list[str]:
        """What does not go together with the other sections."""
        return translation_problems(config)
