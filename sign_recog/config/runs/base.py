"""What every stage's settings have in common."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from omegaconf import MISSING

if TYPE_CHECKING:
    from sign_recog.config.training_run import TrainingRun


@dataclass
class RunConfig:
    """What every stage has: the function that runs it.

    Attributes:
        reads_modality: Whether the stage needs what the group modality describes, so that it must fit the extractor.
        verbatim: Settings whose value is text that may hold commas and equals signs.
    """

    reads_modality: ClassVar[bool] = False
    verbatim: ClassVar[tuple[str, ...]] = ()
    _target_: str = MISSING

    def problems(self) -> list[str]:
        return []

    def training(self) -> "TrainingRun | None":
        """The settings of the training that the stage is or contains; None = it trains nothing."""
        return None


def worker_problems(num_workers: int | None) -> list[str]:
    """What is wrong with ``run.num_workers``."""
    if num_workers is None or num_workers >= 0:
        return []
    return [f"run.num_workers={num_workers} must be at least 0 (work in this process), or null for one a core."]
