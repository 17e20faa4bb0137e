"""Settings of ``run=status``."""

from dataclasses import dataclass

from omegaconf import MISSING

from sign_recog.config.runs.base import RunConfig


@dataclass
class StatusRun(RunConfig):
    """How the runs of a sweep stand."""

    folder: str | None = MISSING  # null = the folder of this command's runs
