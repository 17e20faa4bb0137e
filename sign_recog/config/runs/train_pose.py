"""Settings of ``run=train_pose``."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from omegaconf import MISSING

from sign_recog.config.tasks import pose_problems
from sign_recog.config.training_run import TrainingRun

if TYPE_CHECKING:
    from sign_recog.config.schema import Config


@dataclass
class TrainPoseRun(TrainingRun):
    """Train a detector of landmarks on labelled frames of train, select on val; see the group pose."""

    predict_videos: bool = MISSING  # afterwards, predict the videos below
    save_videos: bool = MISSING  # and draw what is predicted into copies of them
    videos: str | None = MISSING  # a video or a folder of such; null = the corpus's own unlabelled ones

    def problems(self) -> list[str]:
        found = super().problems()
        if self.save_videos and not self.predict_videos:
            found.append(
                "run.save_videos=true has no effect without run.predict_videos=true. Set both, or neither."
            )  # fmt: skip
        return found

    def contradictions(self, config: "Config") -> list[str]:
        """What does not go together with the other sections."""
        return pose_problems(config)
