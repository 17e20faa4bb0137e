"""What every stage's settings have in common."""

from dataclasses import dataclass

from omegaconf import MISSING


@dataclass
class RunConfig:
    """What every stage has: the function that runs it."""

    _target_: str = MISSING

    def problems(self) -> list[str]:
        return []
