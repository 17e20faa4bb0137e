"""Settings of ``run=evaluate``."""

from dataclasses import dataclass

from omegaconf import MISSING

from sign_recog.config.runs.base import RunConfig


@dataclass
class EvaluateRun(RunConfig):
    """Score a checkpoint."""

    reads_modality = True
    checkpoint: str | None = MISSING  # null = the run folder's own, as trainer.select says
    corpus: str | None = MISSING  # folder of a prepared corpus; null = the one it was trained on
    split: str = MISSING
    group_by: list[str] | None = MISSING  # columns of the manifest; null = the usual ones that clips have
    bootstrap_samples: int = MISSING

    def problems(self) -> list[str]:
        found = []
        if self.split not in ("train", "val", "test"):
            found.append(f"run.split={self.split} is none of train, val, test.")
        if self.bootstrap_samples < 100:
            found.append(f"run.bootstrap_samples={self.bootstrap_samples} is too few for an interval. Use 1000.")
        return found
