"""By which score the runs of a task are judged: what they are ranked by, and what their tables show."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Headline:
    """The score that decides among runs of one task.

    Attributes:
        label: As a sentence names it; ``axis`` as a plot does.
        shown: Scores of the tables on several runs.
        most: The best or worst that it can be at the upper end; None = it has none.
        digits: After the point.
        falls: Whether less is better.
    """

    score: str
    label: str
    axis: str
    shown: tuple[str, ...]
    most: float | None
    digits: int
    falls: bool = False

    def rank(self, mean: float) -> float:
        """What sorts best first."""
        return mean if self.falls else -mean


RECOGNITION = Headline(
    "top1_per_instance", "top-1", "top-1 per instance",
    ("top1_per_instance", "top5_per_instance", "top1_per_class", "macro_f1", "loss"), most=1.0, digits=4,
)  # fmt: skip
TRANSLATION = Headline(
    "bleu4", "BLEU-4", "BLEU-4", ("bleu4", "bleu1", "reduced_bleu", "chrf", "rougeL", "loss"), most=100.0, digits=2
)
POSE = Headline(
    "pixel_error", "pixel error", "mean pixel error",
    ("pixel_error", "pixel_error_median", "within_5", "within_10", "pca_singleview_error", "mean_pose_error"),
    most=None, digits=2, falls=True,
)  # fmt: skip
PIXELS = {
    "pixel_error": "pixel error",
    "pixel_error_median": "its median",
    "pca_singleview_error": "from the plane of poses (px)",
    "mean_pose_error": "of the mean pose (px)",
}
WITHIN = {"within_5": "within 5 px", "within_10": "within 10 px"}


def headline_of(scores: Iterable[str]) -> Headline:
    """The headline of runs that have ``scores``; recognition's where they have none."""
    there = set(scores)
    return next((one for one in (RECOGNITION, TRANSLATION, POSE) if one.score in there), RECOGNITION)
