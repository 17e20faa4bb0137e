"""Settings of ``run=convert``."""

from dataclasses import dataclass

from omegaconf import MISSING

from sign_recog.config.runs.base import RunConfig


@dataclass
class ConvertRun(RunConfig):
    """A prepared corpus's keypoints and features -> the files of another system."""

    format: str | None = MISSING  # a module of sign_recog/formats that can be written
    output_dir: str | None = MISSING  # null = converted/<format> in the corpus's own folder
    kinds: list[str] | None = MISSING  # keypoints, features; null = all that the corpus and the format hold
    keypoints_extractor: str | None = MISSING  # whose keypoints; null = the group extractor's
    features_extractor: str | None = MISSING  # whose features; null = the group extractor's
    every: int | None = MISSING  # frames: also write every n-th one as a picture to label; null = none
    max_failed_share: float = MISSING  # of clips; above it the stage ends with an error

    def problems(self) -> list[str]:
        found = []
        if self.format is None:
            found.append("run.format=null: say what to convert to, for example run.format=fslr, signon or pose.")
        if self.kinds is not None and (not self.kinds or set(self.kinds) - {"keypoints", "features"}):
            found.append(f"run.kinds={self.kinds} may name keypoints and features; null = all there are.")
        if self.every is not None and self.every < 1:
            found.append(f"run.every={self.every} must be 1 or more frames, or null for no pictures.")
        if not 0 <= self.max_failed_share <= 1:
            found.append(f"run.max_failed_share={self.max_failed_share} is a share of clips, between 0 and 1.")
        return found
