"""Settings of ``run=report``."""

from dataclasses import dataclass

from omegaconf import MISSING

from sign_recog.config.runs.base import RunConfig


@dataclass
class ReportRun(RunConfig):
    """One HTML page on a run, on a folder of runs, or on runs chosen by their configuration."""

    verbatim = ("runs", "where")
    folder: str | None = MISSING  # null = this command's own run folder
    runs: str | None = MISSING  # glob over folders whose runs are compared; null = none are
    where: str | None = MISSING  # conditions on their configuration; null = all runs
    split: str = MISSING  # whose scores are compared
    output_dir: str | None = MISSING  # of a comparison; null = where the glob begins

    def problems(self) -> list[str]:
        found = []
        if self.runs is None:
            given = [name for name in ("where", "output_dir") if getattr(self, name) is not None]
            found += [f"run.{name} has no effect without run.runs='outputs/**'." for name in given]
        elif self.folder is not None:
            found.append(f"run.folder={self.folder} and run.runs={self.runs} are two reports. Give one of them.")
        if self.split not in ("train", "val", "test"):
            found.append(f"run.split={self.split} is none of train, val, test.")
        return found
