"""The page on a detector of landmarks: error by landmark, against confidence, the worst frames, learning curves."""

from dataclasses import dataclass, field
from typing import Any

from sign_recog.evaluation.page import Figure, as_lines, as_plain, render
from sign_recog.evaluation.report import Stamp

_PLANES = {
    "pca_singleview_error": "distance from the plane of labelled poses",
    "pca_multiview_error": "distance from what several views allow",
}


@dataclass
class WorstFrame:
    """One of the frames where predictions are farthest from labels; errors in pixels.

    Attributes:
        png: The picture with both; None = it is gone.
    """

    frame_id: str
    pixel_error: float
    worst_landmark: str
    worst_error: float
    png: bytes | None = None


@dataclass
class PoseReport:
    """What the page on a detector's run shows.

    Attributes:
        scores: Of :meth:`sign_recog.evaluation.pose.scored.ScoredFrames.scores`.
        splits: Split -> the same without lists, of all that were opened.
        examples: Worst first.
        others: As in :class:`sign_recog.evaluation.report.RunReport`.
    """

    title: str
    split: str
    scores: dict[str, Any]
    splits: dict[str, dict[str, Any]]
    stamp: Stamp
    config_yaml: str
    provenance: dict[str, Any]
    figures: list[Figure] = field(default_factory=list)
    examples: list[WorstFrame] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def all_warnings(self) -> list[str]:
        """``warnings`` and those that follow from the scores."""
        found = list(self.warnings)
        error, guess = self.scores["pixel_error"], self.scores.get("mean_pose_error")
        if guess is not None and error >= guess:
            found.append(
                f"The pixel error ({error:.1f}) is not below that of always giving the mean pose of the training "
                f"frames ({guess:.1f}): the detector has learnt nothing that the pictures show."
            )
        return found

    def to_json(self) -> dict[str, Any]:
        """The page's content without its images, as plain values."""
        return {**as_plain(self), "warnings": self.all_warnings()}


def build_pose_report(report: PoseReport) -> str:
    """Return the HTML page on a detector's run."""
    planes = [(kind, label) for kind, label in _PLANES.items() if report.scores.get(kind) is not None]
    return render(kind="pose/page", report=report, planes=planes, provenance=as_lines(report.provenance))
