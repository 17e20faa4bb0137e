"""comparison.html and comparison.json: chosen runs in a table and a plot."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sign_recog.evaluation.comparison import Comparable, Comparison
from sign_recog.evaluation.headline import RECOGNITION
from sign_recog.evaluation.page import Figure, as_lines, as_plain, render


@dataclass
class ComparisonReport:
    """What the page shows.

    Attributes:
        runs, where: As they were asked for.
        folder: What the runs' folders are shown relative to.
        figures, links, provenance: As in :class:`sign_recog.evaluation.report.SweepReport`.
    """

    title: str
    runs: str
    where: str | None
    folder: Path
    comparison: Comparison
    figures: list[Figure] = field(default_factory=list)
    links: dict[Path, str] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def notes(self) -> list[str]:
        """None but those of the sets."""
        return []

    def all_warnings(self) -> list[str]:
        """Those of the comparison."""
        return self.comparison.warnings

    def to_json(self) -> dict[str, Any]:
        """The page's content without its images, as plain values; run folders relative to ``folder``."""
        comparison = self.comparison
        content = {
            "runs": self.runs,
            "where": self.where,
            "split": comparison.split,
            "folder": str(self.folder),
            "warnings": self.all_warnings(),
            "sets": [_set(one, comparison.names) for one in comparison.sets],
            "unscored": [{"folder": r.folder, "state": r.state, "error": r.error} for r in comparison.unscored],
            "provenance": self.provenance,
        }
        return as_plain(content, self.folder)


def _set(one: Comparable, names: dict[str, str]) -> dict[str, Any]:
    groups = [
        {
            "rank": rank,
            "name": names[group.settings],
            "settings": group.settings,
            "differing": group.differing,
            "scores": group.scores,
            "runs": [{"folder": run.folder, "seed": run.seed, "fold": run.fold} for run in group.runs],
            "against_first": one.significance.get(group.settings),
        }
        for rank, group in enumerate(one.groups, start=1)
    ]
    return {"basis": one.basis, "not_comparable_because": one.reasons, "notes": one.notes, "groups": groups}


def build_comparison_report(report: ComparisonReport) -> str:
    """Return the HTML page."""
    return render(kind="comparison", report=report, shown=RECOGNITION.shown, provenance=as_lines(report.provenance))
