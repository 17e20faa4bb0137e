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
    max_swapped_frames: int | None = MISSING  # frames in which left and right hand change places
    max_jump: float | None = MISSING  # times a clip's usual movement; what moves so far at once is named
    max_frozen_frames: int | None = MISSING  # frames in a row that repeat the one before
    num_workers: int | None = MISSING

    def problems(self) -> list[str]:
        found = worker_problems(self.num_workers)
        for name in ("max_swapped_frames", "max_frozen_frames"):
            value = getattr(self, name)
            if value is not None and value < 0:
                found.append(f"run.{name}={value} must be at least 0 frames, or null to look for no such thing.")
        if self.max_jump is not None and self.max_jump < 1:
            found.append(f"run.max_jump={self.max_jump} must be at least 1, or null to look for no jumps.")
        return found
