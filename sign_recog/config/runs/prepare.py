"""Settings of ``run=prepare``."""

from dataclasses import dataclass

from sign_recog.config.runs.base import RunConfig


@dataclass
class PrepareRun(RunConfig):
    """Annotation -> manifest.tsv; what is read, and how it is split, stands in the group data."""
