"""Settings of ``run=validate``."""

from dataclasses import dataclass

from omegaconf import MISSING

from sign_recog.config.runs.base import RunConfig, worker_problems


@dataclass
class ValidateRun(RunConfig):
    """Check a prepared corpus."""

    decode: bool = MISSING  # decode every frame; false = read only each video's header
    min_frames: int = MISSING
    max_missing_hands: float = MISSING  # share of frames without any hand above which a clip is named
    num_workers: int | None = MISSING

    def problems(self) -> list[str]:
        return worker_problems(self.num_workers)
