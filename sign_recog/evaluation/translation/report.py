"""The page on the translations of a run: scores with signatures, the collapse check, examples, results by length."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sign_recog.evaluation import plots
from sign_recog.evaluation.page import Figure, as_lines, as_plain, render
from sign_recog.evaluation.report import Stamp
from sign_recog.evaluation.translation.scores import NAMES
from sign_recog.evaluation.translation.tables import Outputs

SCORE_NAMES = {
    "bleu1": "BLEU-1",
    "bleu2": "BLEU-2",
    "bleu3": "BLEU-3",
    "bleu4": "BLEU-4",
    "reduced_bleu": "reduced BLEU",
    "chrf": "chrF",
    "chrf++": "chrF++",
    "ter": "TER (less is better)",
    "rouge1": "ROUGE-1",
    "rouge2": "ROUGE-2",
    "rougeL": "ROUGE-L",
    "rougeLsum": "ROUGE-Lsum",
    "meteor": "METEOR",
    "bleurt": "BLEURT",
}
_SHARES = frozenset(("rouge1", "rouge2", "rougeL", "rougeLsum", "meteor", "bleurt"))
_BASELINES = {
    "most_frequent": "Always the most frequent training sentence",
    "shuffled": "The system's sentences, shuffled among the clips",
}


@dataclass
class Example:
    """One clip, what was asked for and what was written; ``bleu4`` and ``chrf`` of the sentence, 0 to 100."""

    place: str
    clip_id: str
    signer: str
    reference: str
    hypothesis: str
    bleu4: float
    chrf: float


@dataclass
class TranslationReport:
    """What the page on a run's translations shows.

    Attributes:
        scores: Of :func:`sign_recog.evaluation.translation.scores.score`.
        collapse: Of :func:`sign_recog.evaluation.translation.collapse.collapse`.
        examples: Of :func:`pick_examples`.
        groups: Of :func:`sign_recog.evaluation.translation.tables.score_groups`.
        loss, accuracy: As in :func:`sign_recog.evaluation.translation.tables.write_results`; None = not known.
        others: As in :class:`sign_recog.evaluation.report.RunReport`, the remaining fields.
    """

    title: str
    split: str
    scores: dict[str, Any]
    collapse: dict[str, Any]
    stamp: Stamp
    splits: dict[str, dict[str, int]]
    leakage: list[str]
    config_yaml: str
    provenance: dict[str, Any]
    examples: list[Example] = field(default_factory=list)
    groups: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    loss: float | None = None
    accuracy: float | None = None
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def all_warnings(self) -> list[str]:
        """``warnings`` and those that follow from the other fields; the collapse check's stands apart, in red."""
        found = list(self.warnings)
        missing = self.stamp.clips_total - self.stamp.clips_scored
        if missing:
            found.append(
                f"{missing} of the {self.stamp.clips_total} clips of {self.split} are not in the score. It cannot be "
                "compared with a score on all of them."
            )
        if empty := self.scores["num_empty"]:
            found.append(f"The system wrote nothing for {empty} of {self.scores['num_sentences']} clips.")
        return found

    def to_json(self) -> dict[str, Any]:
        """The page's content without its images, as plain values."""
        return {**as_plain(self), "warnings": self.all_warnings()}


def build_translation_report(report: TranslationReport) -> str:
    """Return the HTML page on a run's translations."""
    return render(
        kind="translation/page",
        report=report,
        rows=score_rows(report.scores),
        baselines=[(label, report.collapse["baselines"][name]) for name, label in _BASELINES.items()],
        missing_baselines={_BASELINES[name]: why for name, why in report.collapse["not_computed"].items()},
        provenance=as_lines(report.provenance),
    )


def score_text(name: str, value: float | None) -> str:
    """Return a score as a page shows it: sacrebleu's points with two digits, shares as per cent.

    >>> score_text("bleu4", 8.0312), score_text("rougeL", 0.38412), score_text("meteor", None)
    ('8.03', '38.4 %', '–')
    """
    if value is None:
        return "–"
    return f"{100 * value:.1f} %" if name in _SHARES else f"{value:.2f}"


def score_rows(scores: Mapping[str, Any]) -> list[dict[str, str]]:
    """A row a score: ``name``, ``label``, ``value`` as text and ``about``, its signature or why it was not computed."""
    about = {**scores["signatures"], **{name: f"not computed: {why}" for name, why in scores["not_computed"].items()}}
    return [{"name": n, "label": SCORE_NAMES[n], "value": score_text(n, scores[n]), "about": about[n]} for n in NAMES]


def pick_examples(outputs: Outputs, sentence_scores: Mapping[str, list[float]], count: int) -> list[Example]:
    """The ``count`` best, median and worst clips by chrF, each clip once, and each reference once a place.

    Args:
        sentence_scores: Of :func:`sign_recog.evaluation.translation.scores.sentence_scores`.
    """
    chrf = np.array(sentence_scores["chrf"])
    order = [int(i) for i in np.argsort(-chrf, kind="stable")]
    middle = sorted(order, key=lambda i: abs(chrf[i] - float(np.median(chrf))))
    taken: set[int] = set()
    found = []
    for place, ranked in (("best", order), ("worst", order[::-1]), ("median", middle)):
        told: set[str] = set()
        for i in ranked:
            if len(told) == count:
                break
            if i in taken or outputs.references[i] in told:
                continue
            taken.add(i)
            told.add(outputs.references[i])
            values = (outputs.clip_ids[i], outputs.signers[i], outputs.references[i], outputs.hypotheses[i])
            found.append(Example(place, *values, sentence_scores["bleu4"][i], sentence_scores["chrf"][i]))
    return sorted(found, key=lambda example: ("best", "median", "worst").index(example.place))


def bleu_by_length(rows: Mapping[str, Mapping[str, Any]]) -> bytes:
    """BLEU-4 and its 95 % interval for each range of lengths, as PNG.

    Args:
        rows: "length" of :func:`sign_recog.evaluation.translation.tables.score_groups`.
    """
    with plots.new_figure(6.8, 3.0) as figure:
        axes = figure.add_subplot(ylabel="BLEU-4", xlabel="length of the source")
        for place, row in enumerate(rows.values()):
            axes.bar(place, row["bleu4"], width=0.62, color=plots.BLUE)
            axes.vlines(place, *row["bleu4_ci95"], color=plots.GREY, linewidth=1.6)
            axes.text(place, row["bleu4_ci95"][1], f"{row['bleu4']:.1f}", ha="center", va="bottom")
        axes.set_xticks(range(len(rows)), [f"{name}\n{row['num_clips']} clips" for name, row in rows.items()])
        axes.set_ylim(bottom=0)
        axes.grid(axis="y")
        return plots.png_bytes(figure)


def figures(groups: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[Figure]:
    """The page's figures; none where lengths are not known."""
    if "length" not in groups:
        return []
    caption = "Quarters of the clips, shortest first; the lines are 95 % bootstrap intervals over clips."
    return [Figure("BLEU-4 by length", bleu_by_length(groups["length"]), caption)]
