"""Settings of ``run=classify``."""

from dataclasses import dataclass

from sign_recog.config.runs.base import RunConfig


@dataclass
class ClassifyRun(RunConfig):
    """Train a recogniser on train, select on val; how, stands in the groups model, optim, trainer and so on."""

    reads_modality = True
