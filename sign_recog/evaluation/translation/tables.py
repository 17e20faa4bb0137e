"""The files of an evaluation: what was written for every clip, and the scores of the split.

``{split}_outputs.tsv`` holds a row a clip; text with tabs, quotes or line ends stands in quotes, as the csv module
reads it. ``{split}_hypotheses.txt`` and ``{split}_references.txt`` hold the same sentences a line each, as sacrebleu's
command line reads them. ``{split}_results.json`` has SSVP-SLT's names and scales, and the scores that it lacks.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sign_recog.errors import DataError
from sign_recog.evaluation.translation import resampling
from sign_recog.evaluation.translation.scores import NAMES, checked, sentence_scores
from sign_recog.storage import atomic

COLUMNS = ("clip_id", "signer", "reference", "hypothesis", "bleu4", "chrf")
_TEXT = COLUMNS[:4]


@dataclass(frozen=True)
class Outputs:
    """What a system wrote for the clips of a split; N values each, signer "" = unknown."""

    clip_ids: list[str]
    signers: list[str]
    references: list[str]
    hypotheses: list[str]

    def __post_init__(self) -> None:
        if len({len(column) for column in self.columns()}) > 1:
            raise ValueError(f"{len(self.clip_ids)} clips, but {[len(column) for column in self.columns()]} values.")
        if len(set(self.clip_ids)) < len(self.clip_ids):
            double = next(clip for clip in self.clip_ids if self.clip_ids.count(clip) > 1)
            raise DataError(f"Clip {double} was translated twice. Each clip must be scored once.")

    def columns(self) -> tuple[list[str], ...]:
        """Clip ids, signers, references, hypotheses."""
        return self.clip_ids, self.signers, self.references, self.hypotheses


def merge_outputs(parts: Sequence[Outputs], clip_ids: Sequence[str]) -> Outputs:
    """Several processes' outputs as one, each clip once, in the order of ``clip_ids``.

    Processes that share a split repeat clips so that all have equally many; which ones depends on their number, so a
    clip is known by its id, never by its place. Of a repeated clip the first part's answer is kept.

    Raises:
        DataError: If a clip was not translated, or one is not of the split.
    """
    answers: dict[str, tuple[str, ...]] = {}
    for part in parts:
        for row in zip(*part.columns(), strict=True):
            answers.setdefault(row[0], row)
    missing, others = [c for c in clip_ids if c not in answers], sorted(answers.keys() - set(clip_ids))
    if missing or others:
        raise DataError(
            f"The split has {len(clip_ids)} clips; {len(missing)} of them were not translated and {len(others)} others "
            f"were ({', '.join([*missing, *others][:3])}). Evaluate again."
        )
    return Outputs(*([answers[clip_id][place] for clip_id in clip_ids] for place in range(4)))


def write_outputs(folder: Path, split: str, outputs: Outputs, *, lowercase: bool = False) -> dict[str, list[float]]:
    """Write ``{split}_outputs.tsv`` and the two text files, each atomically; return the sentence scores.

    Raises:
        DataError: If there is no clip, or a reference is empty.
    """
    hypotheses, references = checked(outputs.hypotheses, outputs.references, outputs.clip_ids)
    scores = sentence_scores(hypotheses, references, lowercase=lowercase)
    rows = [list(COLUMNS)]
    for *texts, bleu4, chrf in zip(*outputs.columns(), scores["bleu4"], scores["chrf"], strict=True):
        rows.append([*map(_cell, texts), f"{bleu4:.4f}", f"{chrf:.4f}"])
    table = "".join("\t".join(row) + "\n" for row in rows)
    atomic.write_bytes(folder / f"{split}_outputs.tsv", table.encode("utf-8"))
    for name, lines in {"hypotheses": hypotheses, "references": references}.items():
        atomic.write_text(folder / f"{split}_{name}.txt", "".join(f"{line}\n" for line in lines))
    return scores


def read_outputs(path: Path) -> Outputs:
    """Read an outputs table.

    Raises:
        DataError: If it is missing, damaged or empty, or a clip stands twice.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t", strict=True))
        columns = [[row[name] for row in rows] for name in _TEXT]
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file, so there are no translations. Run run=evaluate first.") from error
    except (KeyError, csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error!r}). Run run=evaluate again.") from error
    if not rows or any(value is None for column in columns for value in column):
        raise DataError(f"{path}: holds {len(rows)} clips, or a row is cut off. Run run=evaluate again.")
    return Outputs(*columns)


def write_results(
    path: Path, scores: Mapping[str, Any], *, loss: float | None = None, accuracy: float | None = None
) -> None:
    """Write ``{split}_results.json``, a flat mapping with SSVP-SLT's names and scales, atomically.

    SSVP-SLT writes ``loss``, ``acc``, ``bleu1`` .. ``bleu4``, ``rouge1``, ``rouge2``, ``rougeL``, ``rougeLsum``,
    ``meteor``, ``chrf`` and, if asked for, ``bleurt``. Its ROUGE is the median of a bootstrap with numpy's global
    random state, which differs from run to run; here it is the mean that this estimates.

    Args:
        scores: Of :func:`sign_recog.evaluation.translation.scores.score`.
        loss: Mean cross-entropy a token, in nats.
        accuracy: Share of the reference's tokens that were the likeliest, given those before them.
    """
    atomic.write_json(
        path,
        {
            "loss": loss,
            "acc": accuracy,
            **{name: scores[name] for name in NAMES},
            "num_sentences": scores["num_sentences"],
            "not_computed": scores["not_computed"],
            "signatures": scores["signatures"],
        },
    )


def score_groups(
    outputs: Outputs,
    lengths: Sequence[float] | None,
    *,
    samples: int,
    seed: int,
    unit: str = "frames",
    lowercase: bool = False,
    columns: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, dict[str, dict[str, Any]]]:
    """Scores by what ``columns`` say, and by the source's length, in quarters of the clips.

    Args:
        lengths: Of the N sources, in ``unit``; None = not known.
        columns: Name of a property -> its N values, "" = unknown; None = the signers.

    Returns:
        Each property and "length" -> value -> ``num_clips``, ``bleu4`` and ``chrf`` of those clips and their ``_ci95``.
        A length's value is its range, "12 to 40 frames", shortest first. A property that does not divide the clips is
        left out.
    """
    groups = {"signer": outputs.signers} if columns is None else {name: list(own) for name, own in columns.items()}
    if lengths is not None and len(lengths) != len(outputs.clip_ids):
        raise ValueError(f"{len(lengths)} lengths for {len(outputs.clip_ids)} clips.")
    if lengths is not None:
        groups["length"] = _quarters(np.asarray(lengths, dtype=np.float64), unit)
    hypotheses, references = checked(outputs.hypotheses, outputs.references, outputs.clip_ids)
    metrics = resampling.build_metrics(lowercase=lowercase)
    counts = {name: resampling.sentence_counts(metric, hypotheses, references) for name, metric in metrics.items()}
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for name, values in groups.items():
        order = list(dict.fromkeys(_by_length(values, lengths) if name == "length" else sorted(values)))
        if len(order) > 1:
            found[name] = {value: _row(metrics, counts, np.array(values) == value, samples, seed) for value in order}
    return found


def _row(
    metrics: Mapping[str, Any], counts: Mapping[str, np.ndarray], chosen: np.ndarray, samples: int, seed: int
) -> dict[str, Any]:
    row: dict[str, Any] = {"num_clips": int(chosen.sum())}
    draws = resampling.draw(row["num_clips"], samples, seed)
    for name, metric in metrics.items():
        own = counts[name][chosen]
        row[name] = resampling.score_counts(metric, own.sum(0))
        row[f"{name}_ci95"] = resampling.interval(resampling.resampled(metric, own, draws))
    return row


def _quarters(lengths: np.ndarray, unit: str) -> list[str]:
    """Each clip's quarter, named by the shortest and the longest in it."""
    edges = np.unique(np.quantile(lengths, (0.25, 0.5, 0.75)))
    quarter = np.searchsorted(edges, lengths, side="left")
    ends = {q: (lengths[quarter == q].min(), lengths[quarter == q].max()) for q in set(quarter)}
    names = {q: f"{low:g} to {high:g} {unit}" if low < high else f"{low:g} {unit}" for q, (low, high) in ends.items()}
    return [names[q] for q in quarter]


def _by_length(values: list[str], lengths: Sequence[float] | None) -> list[str]:
    return [value for _, value in sorted(zip(lengths or [], values, strict=True))]


def _cell(text: str) -> str:
    """``text`` as the csv module reads it back; it would leave a carriage return without quotes on some versions."""
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in '\t\n\r"') else text
