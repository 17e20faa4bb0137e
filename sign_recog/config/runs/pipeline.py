"""Settings of ``run=pipeline``."""

from dataclasses import dataclass, field

from omegaconf import MISSING

from sign_recog.config.runs.base import RunConfig
from sign_recog.config.runs.classify import ClassifyRun
from sign_recog.config.runs.evaluate import EvaluateRun
from sign_recog.config.runs.extract_features import ExtractFeaturesRun
from sign_recog.config.runs.extract_keypoints import ExtractKeypointsRun
from sign_recog.config.runs.prepare import PrepareRun
from sign_recog.config.runs.report import ReportRun


@dataclass
class PipelineRun(RunConfig):
    """Several stages one after another; what is already there is skipped."""

    reads_modality = True
    steps: list[str | None] = MISSING  # null = nothing, as the extraction of a modality that needs none
    prepare: PrepareRun = field(default_factory=PrepareRun)
    extract_keypoints: ExtractKeypointsRun = field(default_factory=ExtractKeypointsRun)
    extract_features: ExtractFeaturesRun = field(default_factory=ExtractFeaturesRun)
    classify: ClassifyRun = field(default_factory=ClassifyRun)
    evaluate: EvaluateRun = field(default_factory=EvaluateRun)
    report: ReportRun = field(default_factory=ReportRun)

    @property
    def stages(self) -> list[str]:
        """The steps that are stages."""
        return [step for step in self.steps if step is not None]

    def problems(self) -> list[str]:
        known = ("prepare", "extract_keypoints", "extract_features", "classify", "evaluate", "report")
        unknown = [step for step in self.stages if step not in known]
        found = [f"run.steps names {step!r}, which is none of {', '.join(known)}." for step in unknown]
        return found + [p for step in self.stages if step in known for p in getattr(self, step).problems()]

    def training(self) -> ClassifyRun | None:
        return self.classify if "classify" in self.stages else None
