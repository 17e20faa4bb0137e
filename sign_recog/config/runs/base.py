"""What every stage's settings have in common."""

from dataclasses import dataclass
from typing import ClassVar

from omegaconf import MISSING


@dataclass
class RunConfig:
    """What every stage has: the function that runs it.

    Attributes:
        reads_modality: Whether the stage needs what the group modality describes, so that it must fit the extractor.
    """

    reads_modality: ClassVar[bool] = False
    _target_: str = MISSING

    def problems(self) -> list[str]:
        return []
