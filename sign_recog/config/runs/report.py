"""Settings of ``run=report``."""

from dataclasses import dataclass

from omegaconf import MISSING

from sign_recog.config.runs.base import RunConfig


@dataclass
class ReportRun(RunConfig):
    """One HTML page on a run, or on a folder of runs."""

    folder: str | None = MISSING  # null = this command's own run folder
