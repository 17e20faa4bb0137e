"""One HTML page on a run, or on a sweep: self-contained, so that it can be mailed and kept.

Styles and images are inside the page, nothing is fetched, there is no script, and every text from
the data is escaped. A stage fills the records below with plain values; ``to_json`` gives the same
content for report.json.
"""

import base64
import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sign_recog.evaluation.aggregate import Sweep
from sign_recog.evaluation.plots import DPI

# Score -> its name on the page, in this order.
SCORE_NAMES = {
    "top1_per_instance": "top-1 per instance",
    "top5_per_instance": "top-5 per instance",
    "top10_per_instance": "top-10 per instance",
    "top1_per_class": "top-1 per class",
    "top5_per_class": "top-5 per class",
    "top10_per_class": "top-10 per class",
    "macro_f1": "macro F1",
    "weighted_f1": "weighted F1",
    "category_top1_per_instance": "category top-1",
    "loss": "cross-entropy (nats)",
}
SWEEP_SCORES = ("top1_per_instance", "top5_per_instance", "top1_per_class", "macro_f1", "loss")
NUM_WORST = 15


@dataclass
class Figure:
    """An image with a heading and a sentence on what it shows; ``png`` is not part of report.json."""

    title: str
    png: bytes
    caption: str = ""

    @property
    def width(self) -> int:
        """Width on the page in CSS pixels (96 an inch), from the PNG's first chunk (IHDR) and the plots' resolution."""
        return int.from_bytes(self.png[16:20], "big") * 96 // DPI


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
    """

    corpus: str
    clips_scored: int
    clips_total: int
    clips_hash: str
    split_kind: str
    checkpoint: str
    epoch: int

    @classmethod
    def from_metrics(cls, metrics: dict[str, Any]) -> "Stamp":
        """Read the stamp from the content of a metrics.json."""
        data, run = metrics["data"], metrics["run"]
        total = data["clips"] + len(data["clips_without_keypoints"])
        return cls(
            corpus=data["corpus"],
            clips_scored=data["clips"],
            clips_total=total,
            clips_hash=data["clips_hash"],
            split_kind=data["split_strategy"],
            checkpoint=run["checkpoint"],
            epoch=run["epoch"],
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
        return {**_plain(self), "warnings": self.all_warnings()}


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
        return {**_plain(self, self.folder), "folder": str(self.folder), "warnings": self.all_warnings()}


def build_run_report(report: RunReport) -> str:
    """Return the HTML page on one run."""
    occurring = [row for row in report.scores["per_class"] if row["support"]]
    worst = sorted(occurring, key=lambda row: (row["recall"], -row["support"], row["gloss"]))
    return _render(
        kind="run",
        report=report,
        worst=worst[:NUM_WORST],
        all_glosses=report.scores["per_class"] if len(occurring) > NUM_WORST else [],
        evaluations={report.split: report.scores, **report.other_scores},
        provenance=_lines(report.provenance),
    )


def build_sweep_report(report: SweepReport) -> str:
    """Return the HTML page on a sweep."""
    return _render(kind="sweep", report=report, shown=SWEEP_SCORES, provenance=_lines(report.provenance))


def percent(share: float | None, digits: int = 1) -> str:
    """Return a share as per cent, or a dash where it is undefined.

    >>> percent(0.8178)
    '81.8 %'
    """
    return "–" if share is None else f"{100 * share:.{digits}f} %"


def score_text(name: str, value: float | None, digits: int = 1) -> str:
    """Return a score as the page shows it: F1 and loss as numbers, the rest as per cent."""
    if value is None:
        return "–"
    return f"{value:.3f}" if name == "loss" or name.endswith("_f1") else percent(value, digits)


def _render(**values: Any) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": percent,
        "score": lambda value, name: score_text(name, value),
        "data_uri": lambda png: "data:image/png;base64," + base64.b64encode(png).decode("ascii"),
        "relative_to": _relative,
    }
    return environment.get_template("report.html.j2").render(score_names=SCORE_NAMES, **values)


def _relative(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)


def _lines(values: dict[str, Any]) -> dict[str, str]:
    """Labels and values as text: underscores become spaces, nested values one line; None is left out."""
    return {name.replace("_", " "): _line(value) for name, value in values.items() if value is not None}


def _line(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {inner}" for key, inner in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _plain(value: Any, folder: Path | None = None) -> Any:
    """Dataclasses, paths and tuples as JSON has them; images are left out."""
    if dataclasses.is_dataclass(value):
        value = {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if f.name != "png"}
    if isinstance(value, dict):
        return {str(_plain(key, folder)): _plain(inner, folder) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner, folder) for inner in value]
    if isinstance(value, Path):
        return str(value) if folder is None else _relative(value, folder)
    return value
