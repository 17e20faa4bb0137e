"""Settings of ``run=pipeline``."""

from dataclasses import dataclass, field

from omegaconf import MISSING

from sign_recog.config.runs.base import RunConfig
from sign_recog.config.runs.classify import ClassifyRun
from sign_recog.config.runs.evaluate import EvaluateRun
from sign_recog.config.runs.extract_keypoints import ExtractKeypointsRun
from sign_recog.config.runs.prepare import PrepareRun
from sign_recog.config.runs.report import ReportRun


@dataclass
class PipelineRun(RunConfig):
    """Several stages one after another; what is already there is skipped."""

    steps: list[str] = MISSING
    prepare: PrepareRun = field(default_factory=PrepareRun)
    extract_keypoints: ExtractKeypointsRun = field(default_factory=ExtractKeypointsRun)
    classify: ClassifyRun = field(default_factory=ClassifyRun)
    evaluate: EvaluateRun = field(default_factory=EvaluateRun)
    report: ReportRun = field(default_factory=ReportRun)

    def problems(self) -> list[str]:
        known = ("prepare", "extract_keypoints", "classify", "evaluate", "report")
        unknown = [step for step in self.steps if step not in known]
        found = [f"run.steps names {step!r}, which is none of {', '.join(known)}." for step in unknown]
        return found + [p for step in self.steps if step in known for p in getattr(self, step).problems()]
