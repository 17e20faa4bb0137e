"""Settings of ``run=prepare``."""

from dataclasses import dataclass

from omegaconf import MISSING

from sign_recog.config.runs.base import RunConfig, worker_problems


@dataclass
class PrepareRun(RunConfig):
    """Annotation -> manifest.tsv; what is read, and how it is split, stands in the group data."""

    num_workers: int | None = MISSING  # processes that encode clips (data.clip_size); 0 = none, null = one a core

    def problems(self) -> list[str]:
        return worker_problems(self.num_workers)
