"""Settings of ``run=predict``."""

from dataclasses import dataclass

from omegaconf import MISSING

from sign_recog.config.runs.base import RunConfig


@dataclass
class PredictRun(RunConfig):
    """Video, folder of videos or keypoint file -> top-k JSON and overlay video."""

    input: str | None = MISSING
    checkpoint: str | None = MISSING
    output_dir: str | None = MISSING  # null = predictions/ in the run folder
    top_k: int = MISSING
    overlay: bool = MISSING

    def problems(self) -> list[str]:
        found = []
        if self.input is None:
            found.append("run.input=null: nothing to predict. Give run.input=clip.mp4, a folder, or a keypoint .npz.")
        if self.top_k < 1:
            found.append(f"run.top_k={self.top_k} must be at least 1.")
        return found
