"""One HTML page on a run, or on a sweep: self-contained, so that it can be mailed and kept.

Styles and images are inside the page, nothing is fetched, there is no script, and every text from
the data is escaped. A stage fills the records below with plain values; ``to_json`` gives the same
content for report.json.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sign_recog.evaluation.aggregate import Group, Sweep
from sign_recog.evaluation.page import Figure, as_lines, as_plain, render
from sign_recog.evaluation.translation.seeds import above_chance

NUM_WORST = 15


@dataclass
class Example:
    """One clip and the network's answer.

    Attributes:
        probability: Of the predicted gloss, in [0, 1].
        rank: Place of the true gloss among the answers, 1 = best.
        png: Its skeleton strip; None = no keypoints to draw.
    """

    clip_id: str
    gloss: str
    predicted: str
    probability: float
    rank: int
    signer: str = ""
    png: bytes | None = None


@dataclass
class Stamp:
    """On what a score was measured. Two scores may be compared if corpus, split kind and clips hash agree.

    Attributes:
        clips_scored, clips_total: Clips of the split with keypoints, and all of the split.
        clips_hash: Of the scored clips' ids.
        split_kind: How the splits were made: given by the corpus, disjoint in signers, ...
        checkpoint: Its file name, with ``epoch`` the completed epochs.
        coverage: Split -> ``annotated`` and ``kept`` clips, and ``left_out``: reason -> clips. Empty = not known.
    """

    corpus: str
    clips_scored: int
    clips_total: int
    clips_hash: str
    split_kind: str
    checkpoint: str
    epoch: int
    coverage: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def incomplete(self) -> dict[str, dict[str, Any]]:
        """Of ``coverage`` the splits that lack clips of the annotation."""
        return {name: row for name, row in self.coverage.items() if row["kept"] < row["annotated"]}

    @classmethod
    def from_metrics(cls, metrics: dict[str, Any]) -> "Stamp":
        """Read the stamp from the content of a metrics.json."""
        data, run = metrics["data"], metrics["run"]
        total = data["clips"] + len(data["clips_not_extracted"])
        return cls(
            corpus=data["corpus"],
            clips_scored=data["clips"],
            clips_total=total,
            clips_hash=data["clips_hash"],
            split_kind=data["split_strategy"],
            checkpoint=run["checkpoint"],
            epoch=run["epoch"],
            coverage=data.get("coverage") or {},
        )


@dataclass
class RunReport:
    """What the page on one run shows.

    Attributes:
        title: Names the run.
        split: The split that was scored.
        scores: Of :func:`sign_recog.evaluation.classification.score`.
        stamp: On what it was measured.
        splits: Split -> {"clips", "signers", "glosses"}; 0 signers = unknown. Empty = not known.
        leakage: A sentence for everything that is in two splits (signers, clips); empty = none found.
        config_yaml: The run's config.yaml.
        provenance: Label -> value, shown in this order: command, git commit, versions, seed, host, date,
            duration. Values may be dicts or lists; None is left out.
        figures: Learning curves, confusion matrix, ...
        examples: Clips with right and with wrong answers.
        extraction: Rows of the keypoints' quality table, all with the same keys (the column heads).
        groups: Property of the clips -> its values -> their scores, of
            :func:`sign_recog.evaluation.classification.score_groups`.
        other_scores: Name -> scores of other evaluations of the same checkpoint, such as val or shuffled frames.
        notes: What the reader should know, a sentence each.
        warnings: What makes the score less than it looks, a sentence each; the page adds those that follow
            from the fields above (:meth:`all_warnings`).
    """

    title: str
    split: str
    scores: dict[str, Any]
    stamp: Stamp
    splits: dict[str, dict[str, int]]
    leakage: list[str]
    config_yaml: str
    provenance: dict[str, Any]
    figures: list[Figure] = field(default_factory=list)
    examples: list[Example] = field(default_factory=list)
    extraction: list[dict[str, Any]] = field(default_factory=list)
    groups: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    other_scores: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def signers_known(self) -> bool:
        """Whether every split that has clips names a signer, so that leakage of signers could be seen."""
        return bool(self.splits) and all(row["signers"] > 0 for row in self.splits.values() if row["clips"])

    def all_warnings(self) -> list[str]:
        """``warnings`` and those that follow from the other fields."""
        found = list(self.warnings)
        missing = self.stamp.clips_total - self.stamp.clips_scored
        if missing:
            found.append(
                f"{missing} of the {self.stamp.clips_total} clips of {self.split} have no keypoints and are not in the "
                "score. It cannot be compared with a score on all of them."
            )
        low, high = self.scores["top1_per_instance_ci95"]
        if low == high:
            found.append(
                "All clips have the same outcome, so resampling them cannot show how uncertain the score is: "
                "its interval has no width."
            )
        return found

    def to_json(self) -> dict[str, Any]:
        """The page's content without its images, as plain values."""
        return {**as_plain(self), "warnings": self.all_warnings()}


@dataclass
class SweepReport:
    """What the page on a folder of runs shows.

    Attributes:
        title: Names the sweep.
        folder: What the runs' folders are shown relative to.
        sweep: The runs, grouped by settings.
        figures: The dot plot of the seeds, ...
        links: Run folder -> path of its own page, relative to this one; others are shown without a link.
        provenance: As in :class:`RunReport`.
        notes, warnings: As in :class:`RunReport`; the page adds ``sweep.warnings``.
    """

    title: str
    folder: Path
    sweep: Sweep
    figures: list[Figure] = field(default_factory=list)
    links: dict[Path, str] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def all_warnings(self) -> list[str]:
        """``warnings`` and those of the sweep."""
        return [*self.warnings, *self.sweep.warnings]

    def to_json(self) -> dict[str, Any]:
        """The page's content without its images, as plain values; run folders relative to ``folder``."""
        return {**as_plain(self, self.folder), "folder": str(self.folder), "warnings": self.all_warnings()}


def build_run_report(report: RunReport) -> str:
    """Return the HTML page on one run."""
    occurring = [row for row in report.scores["per_class"] if row["support"]]
    worst = sorted(occurring, key=lambda row: (row["recall"], -row["support"], row["gloss"]))
    return render(
        kind="run",
        report=report,
        worst=worst[:NUM_WORST],
        all_glosses=report.scores["per_class"] if len(occurring) > NUM_WORST else [],
        smallest={name: smallest_group(name, rows) for name, rows in report.groups.items()},
        evaluations={report.split: report.scores, **report.other_scores},
        provenance=as_lines(report.provenance),
    )


def smallest_group(name: str, rows: dict[str, dict[str, Any]]) -> str:
    """Name the group with the fewest clips, whose score tells the least.

    >>> smallest_group("signer", {"anna": {"num_clips": 9}, "ben": {"num_clips": 1}})
    'The smallest: signer ben, 1 clip.'
    """
    value, row = min(rows.items(), key=lambda item: item[1]["num_clips"])
    return f"The smallest: {name} {value or 'unknown'}, {row['num_clips']} clip{'' if row['num_clips'] == 1 else 's'}."


def build_sweep_report(report: SweepReport) -> str:
    """Return the HTML page on a sweep."""
    checks = {group.settings: collapse_check(group) for group in report.sweep.groups}
    return render(
        kind="sweep",
        report=report,
        shown=report.sweep.headline.shown,
        checks=checks,
        provenance=as_lines(report.provenance),
    )


def collapse_check(group: Group) -> tuple[bool, str] | None:
    """Whether all of a setting's translators are more than a guess, and a sentence on it; None for recognisers."""
    return above_chance([run.collapse for run in group.runs if run.collapse])
