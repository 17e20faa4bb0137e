"""The stages of an experiment; a stage is one module here, one in config/runs and one file in conf/run."""

from dataclasses import dataclass, field
from typing import Any

from sign_recog.config import Config


@dataclass(frozen=True)
class StageResult:
    """What a stage hands back.

    Attributes:
        objective: What a sweep compares.
        summary: What the table at the end of the stage shows: name -> value.
    """

    objective: float | None = None
    summary: dict[str, Any] = field(default_factory=dict)


def run(config: Config) -> StageResult:
    """Run the stage that ``config.run`` names, keep its status on disk, print its summary."""
    from sign_recog.stages import lifecycle

    return lifecycle.run(config)
