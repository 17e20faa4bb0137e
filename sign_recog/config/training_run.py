"""What the settings of every training have in common."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from omegaconf import MISSING

from sign_recog.config.runs.base import RunConfig

if TYPE_CHECKING:
    from sign_recog.config.schema import Config


@dataclass
class TrainingRun(RunConfig):
    """Train on train, select on val; how, stands in the groups model, optim, trainer and so on."""

    reads_modality = True
    force: bool = MISSING  # train anew what has been trained; an earlier run in the same folder is set aside
    skip_existing: bool = MISSING  # end at once where these settings and this seed were trained, in whatever folder

    def problems(self) -> list[str]:
        if self.force and self.skip_existing:
            return ["force=true trains anew what skip_existing=true leaves out. Give one of the two."]
        return []

    def contradictions(self, config: "Config") -> list[str]:
        """What does not go together with the other sections."""
        return []

    def training(self) -> "TrainingRun":
        return self
