"""Settings of ``run=pipeline``."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from omegaconf import MISSING

from sign_recog.config.runs.base import RunConfig
from sign_recog.config.runs.classify import ClassifyRun
from sign_recog.config.runs.evaluate import EvaluateRun
from sign_recog.config.runs.extract_features import ExtractFeaturesRun
from sign_recog.config.runs.extract_keypoints import ExtractKeypointsRun
from sign_recog.config.runs.prepare import PrepareRun
from sign_recog.config.runs.report import ReportRun
from sign_recog.config.runs.train_pose import TrainPoseRun
from sign_recog.config.runs.translate import TranslateRun
from sign_recog.config.training_run import TrainingRun

if TYPE_CHECKING:
    from sign_recog.config.schema import Config


_TRAININGS = ("classify", "translate", "train_pose")
_STAGES = ("prepare", "extract_keypoints", "extract_features", *_TRAININGS, "evaluate", "report")


@dataclass
class PipelineRun(RunConfig):
    """Several stages one after another; what is already there is skipped."""

    reads_modality = True
    steps: list[str | None] = MISSING  # null = nothing, as the extraction of a modality that needs none
    prepare: PrepareRun = field(default_factory=PrepareRun)
    extract_keypoints: ExtractKeypointsRun = field(default_factory=ExtractKeypointsRun)
    extract_features: ExtractFeaturesRun = field(default_factory=ExtractFeaturesRun)
    classify: ClassifyRun = field(default_factory=ClassifyRun)
    translate: TranslateRun = field(default_factory=TranslateRun)
    train_pose: TrainPoseRun = field(default_factory=TrainPoseRun)
    evaluate: EvaluateRun = field(default_factory=EvaluateRun)
    report: ReportRun = field(default_factory=ReportRun)

    @property
    def stages(self) -> list[str]:
        """The steps that are stages."""
        return [step for step in self.steps if step is not None]

    def problems(self) -> list[str]:
        unknown = [step for step in self.stages if step not in _STAGES]
        found = [f"run.steps names {step!r}, which is none of {', '.join(_STAGES)}." for step in unknown]
        return found + [p for step in self.stages if step in _STAGES for p in getattr(self, step).problems()]

    def contradictions(self, config: "Config") -> list[str]:
        """What does not go together with the other sections."""
        own = self.training()
        return [] if own is None else own.contradictions(config)

    def training(self) -> TrainingRun | None:
        own = [name for name in _TRAININGS if name in self.stages]
        return getattr(self, own[0]) if own else None
