"""Settings of ``run=clean``."""

from dataclasses import dataclass

from omegaconf import MISSING

from sign_recog.config.runs.base import RunConfig


@dataclass
class CleanRun(RunConfig):
    """List files below paths.output_root that nothing needs any more, and remove them once that is confirmed."""

    verbatim = ("runs", "where")
    runs: str | None = MISSING  # glob over folders; null = all below paths.output_root
    where: str | None = MISSING  # conditions on their configuration; null = none
    keep: int = MISSING  # of a finished training's checkpoints step*.ckpt, so many of the latest stay
    confirm: bool = MISSING  # remove what is listed

    def problems(self) -> list[str]:
        return [] if self.keep >= 0 else [f"run.keep={self.keep} must not be negative."]
