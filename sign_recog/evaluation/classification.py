"""Scores of isolated sign recognition.

"Per instance" counts every clip once; "per class" averages the glosses' own shares, so that a
frequent gloss weighs no more than a rare one. A score says which of the two it is.

Ties: among glosses with equal logits the one with the lower index comes first, everywhere. So the
prediction is ``argmax``, and a network that gives every gloss the same logit scores as one that
always answers the first gloss.
"""

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sign_recog.errors import DataError
from sign_recog.storage import atomic

TOP_K = (1, 5, 10)
NUM_LISTED = 5  # glosses that predictions.csv lists for a clip


@dataclass
class Predictions:
    """A network's answers for the clips of a split.

    Attributes:
        gloss_logits: (N, G) float.
        gloss_targets: (N,) int, index into ``glosses``.
        glosses: The G names, in the order of the logits.
        signers: N names; "" = unknown.
        categories: The K names.
        category_logits: (N, K) float; None = the network has no category head.
        category_targets: (N,) int, index into ``categories``; -1 = the clip has no category.

    Raises:
        DataError: If there is no clip, or a logit is not finite.
        ValueError: If the shapes do not fit together, or a target is not in the vocabulary.
    """

    clip_ids: list[str]
    gloss_logits: np.ndarray
    gloss_targets: np.ndarray
    glosses: list[str]
    signers: list[str]
    categories: list[str] = field(default_factory=list)
    category_logits: np.ndarray | None = None
    category_targets: np.ndarray | None = None

    def __post_init__(self) -> None:
        if not self.clip_ids:
            raise DataError("There is no clip to score. Choose a run.split that has clips, or extract its keypoints.")
        if len(self.signers) != len(self.clip_ids):
            raise ValueError(f"{len(self.signers)} signers for {len(self.clip_ids)} clips.")
        self.gloss_logits, self.gloss_targets = self._checked(
            "gloss", self.gloss_logits, self.gloss_targets, len(self.glosses), lowest=0
        )
        if self.category_logits is not None:
            self.category_logits, self.category_targets = self._checked(
                "category", self.category_logits, self.category_targets, len(self.categories), lowest=-1
            )

    def _checked(
        self, name: str, logits: Any, targets: Any, num_classes: int, lowest: int
    ) -> tuple[np.ndarray, np.ndarray]:
        logits, targets = np.asarray(logits), np.asarray(targets, dtype=np.int64)
        if logits.shape != (len(self.clip_ids), num_classes) or targets.shape != (len(self.clip_ids),):
            raise ValueError(
                f"{name}: logits {logits.shape} and targets {targets.shape} do not fit "
                f"{len(self.clip_ids)} clips and {num_classes} classes."
            )
        if targets.min() < lowest or targets.max() >= num_classes:
            raise ValueError(
                f"{name}: targets reach from {targets.min()} to {targets.max()}, of {num_classes} classes."
            )
        bad = np.flatnonzero(~np.isfinite(logits).all(1))
        if len(bad):
            raise DataError(
                f"The {name} logits of {len(bad)} clips are not finite (first: {self.clip_ids[bad[0]]}), so the "
                "network's weights or these keypoints are damaged. Evaluate another checkpoint, or run run=validate."
            )
        return logits, targets

    @property
    def ranks(self) -> np.ndarray:
        """(N,) int64: the true gloss's place among the glosses, 1 = best."""
        return _ranks(self.gloss_logits, self.gloss_targets)

    @property
    def predicted(self) -> np.ndarray:
        """(N,) int64: index of the best gloss."""
        return self.gloss_logits.argmax(1)

    @property
    def probabilities(self) -> np.ndarray:
        """(N, G) float64: softmax of the logits."""
        from scipy.special import softmax

        return softmax(self.gloss_logits.astype(np.float64), axis=1)


def score(predictions: Predictions, *, bootstrap_samples: int = 1000, seed: int = 0) -> dict[str, Any]:
    """Return all scores as plain values for JSON; what is undefined is None.

    - ``top{1,5,10}_per_instance``: share of clips whose gloss is among the k best; k is at most G.
    - ``top{1,5,10}_per_class``: the unweighted mean of that share over the glosses that occur.
    - ``top1_per_instance_ci95``: see :func:`bootstrap_interval`.
    - ``loss``: cross-entropy in nats, the mean over all clips (not over batches).
    - ``accuracy``: the same number as ``top1_per_instance``.
    - ``macro_f1``, ``weighted_f1``: scikit-learn's, over the glosses that occur or are predicted.
    - ``category_top1_per_instance``: over the clips that have a category; None without a category head.
    - ``per_class``: a row a gloss, in the vocabulary's order; precision, recall, f1, support and the
      gloss it is most often taken for. Precision is None where it was never predicted, recall and
      top-k where it does not occur.
    - ``per_signer``: a row a signer, by name; clips with an unknown signer share the row "".
    """
    from scipy.special import log_softmax
    from sklearn.metrics import f1_score

    targets, ranks, predicted = predictions.gloss_targets, predictions.ranks, predictions.predicted
    num_glosses = len(predictions.glosses)
    per_instance = {f"top{k}_per_instance": float(np.mean(ranks <= k)) for k in TOP_K}
    support = np.bincount(targets, minlength=num_glosses)
    occurs = support > 0
    per_class = {}
    for k in TOP_K:
        hits = np.bincount(targets, weights=ranks <= k, minlength=num_glosses)
        per_class[f"top{k}_per_class"] = float(np.mean(hits[occurs] / support[occurs]))
    log_probabilities = log_softmax(predictions.gloss_logits.astype(np.float64), axis=1)
    return {
        "num_clips": len(targets),
        "num_glosses": num_glosses,
        "num_glosses_occurring": int(occurs.sum()),
        "num_signers": len(set(predictions.signers) - {""}),
        **per_instance,
        "top1_per_instance_ci95": bootstrap_interval(ranks == 1, samples=bootstrap_samples, seed=seed),
        **per_class,
        "loss": float(-log_probabilities[np.arange(len(targets)), targets].mean()),
        "accuracy": per_instance["top1_per_instance"],
        "macro_f1": float(f1_score(targets, predicted, average="macro", zero_division=0)),
        "weighted_f1": float(f1_score(targets, predicted, average="weighted", zero_division=0)),
        "category_top1_per_instance": _category_top1(predictions),
        "per_class": _per_class(predictions, ranks),
        "per_signer": score_by(predictions, predictions.signers, "signer"),
    }


def bootstrap_interval(hits: np.ndarray, *, samples: int = 1000, seed: int = 0) -> list[float]:
    """95 % percentile bootstrap interval [low, high] of the mean of ``hits`` (N,) bool (Efron 1979).

    Clips are resampled, so the interval tells how far another draw of clips *by the same signers, for
    the same trained network* would move the score; the variation between signers and between training
    seeds is not in it. Drawing N of N clips with replacement hits a Binomial(N, mean) number of times,
    so that is what is drawn. If all clips are right, or all wrong, the interval has no width.
    """
    rates = np.random.default_rng(seed).binomial(len(hits), np.mean(hits), samples) / len(hits)
    return [float(bound) for bound in np.quantile(rates, (0.025, 0.975))]


def score_by(predictions: Predictions, values: list[str], name: str) -> list[dict[str, Any]]:
    """Clips and per-instance top-1 and top-5 for each of ``values`` (N), a property of the clips such as occlusion.

    Returns:
        Rows ``{name: value, "num_clips", "top1_per_instance", "top5_per_instance"}``, sorted by value.
    """
    ranks, column = predictions.ranks, np.array(values)
    rows = []
    for value in sorted(set(values)):
        own = ranks[column == value]
        shares = {f"top{k}_per_instance": float(np.mean(own <= k)) for k in (1, 5)}
        rows.append({name: value, "num_clips": len(own), **shares})
    return rows


def confusion(predictions: Predictions) -> np.ndarray:
    """(G, G) int64: clips of the true gloss (row) that were taken for the gloss (column)."""
    num_glosses = len(predictions.glosses)
    pairs = predictions.gloss_targets * num_glosses + predictions.predicted
    return np.bincount(pairs, minlength=num_glosses**2).reshape(num_glosses, num_glosses)


def pick_examples(predictions: Predictions, *, right: int, wrong: int) -> list[int]:
    """Indices of clips worth looking at: the surest right answers, then the surest wrong ones.

    At most one clip of a gloss on each side, so that one easy or one mislabelled gloss does not fill the page.
    """
    correct, sureness = predictions.ranks == 1, predictions.probabilities.max(1)
    chosen = []
    for side, count in ((correct, right), (~correct, wrong)):
        first_of_gloss: dict[int, int] = {}
        for clip in np.argsort(-sureness, kind="stable"):
            if side[clip]:
                first_of_gloss.setdefault(int(predictions.gloss_targets[clip]), int(clip))
        chosen += list(first_of_gloss.values())[:count]
    return chosen


def write_predictions(path: Path, predictions: Predictions, *, all_probabilities: bool = True) -> None:
    """Write one CSV row a clip, atomically; with ``all_probabilities`` also ``<stem>.npz`` beside it.

    CSV columns: ``clip_id``, ``signer``, ``gloss`` (the true one), ``predicted``, ``correct`` (1 or 0),
    ``probability`` (of the predicted gloss), ``rank`` (of the true gloss, 1 = best), ``top1`` .. ``top5`` and
    ``p1`` .. ``p5`` (empty beyond G), and with a category head ``category``, ``category_predicted``,
    ``category_correct`` (empty for a clip without a category).

    The ``.npz`` holds ``clip_ids`` (N,), ``glosses`` (G,), ``gloss_targets`` (N,) and ``probabilities``
    (N, G) float32; it is read with ``allow_pickle=False``.
    """
    probabilities, ranks = predictions.probabilities, predictions.ranks
    best = np.argsort(-predictions.gloss_logits, axis=1, kind="stable")[:, :NUM_LISTED]
    numbers = range(1, NUM_LISTED + 1)
    header = ["clip_id", "signer", "gloss", "predicted", "correct", "probability", "rank"]
    header += [f"top{i}" for i in numbers] + [f"p{i}" for i in numbers]
    if predictions.category_logits is not None:
        header += ["category", "category_predicted", "category_correct"]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    empty = [""] * (NUM_LISTED - best.shape[1])
    for i, clip_id in enumerate(predictions.clip_ids):
        names = [predictions.glosses[g] for g in best[i]]
        shares = [f"{probabilities[i, g]:.6g}" for g in best[i]]
        gloss = predictions.glosses[predictions.gloss_targets[i]]
        row = [clip_id, predictions.signers[i], gloss, names[0], int(ranks[i] == 1), shares[0], ranks[i]]
        writer.writerow(row + names + empty + shares + empty + _category_cells(predictions, i))
    atomic.write_text(path, buffer.getvalue())
    if all_probabilities:
        with atomic.replaced(path.with_suffix(".npz")) as temporary, temporary.open("wb") as file:
            np.savez_compressed(
                file,
                clip_ids=np.array(predictions.clip_ids),
                glosses=np.array(predictions.glosses),
                gloss_targets=predictions.gloss_targets,
                probabilities=probabilities.astype(np.float32),
            )


def _ranks(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    own = np.take_along_axis(logits, targets[:, None], axis=1)
    tied_before = (logits == own) & (np.arange(logits.shape[1]) < targets[:, None])
    return 1 + ((logits > own) | tied_before).sum(1)


def _category_top1(predictions: Predictions) -> float | None:
    logits, targets = predictions.category_logits, predictions.category_targets
    if logits is None or targets is None or targets.max() < 0:
        return None
    labelled = targets >= 0
    return float(np.mean(logits.argmax(1)[labelled] == targets[labelled]))


def _category_cells(predictions: Predictions, i: int) -> list[Any]:
    logits, targets = predictions.category_logits, predictions.category_targets
    if logits is None or targets is None:
        return []
    predicted, name = logits[i].argmax(), predictions.categories[logits[i].argmax()]
    return (
        ["", name, ""] if targets[i] < 0 else [predictions.categories[targets[i]], name, int(predicted == targets[i])]
    )


def _per_class(predictions: Predictions, ranks: np.ndarray) -> list[dict[str, Any]]:
    from sklearn.metrics import precision_recall_fscore_support

    targets, num_glosses = predictions.gloss_targets, len(predictions.glosses)
    precision, recall, f1, support = precision_recall_fscore_support(
        targets, predictions.predicted, labels=np.arange(num_glosses), zero_division=np.nan
    )
    top5 = np.bincount(targets, weights=ranks <= 5, minlength=num_glosses)
    mistakes = confusion(predictions)
    np.fill_diagonal(mistakes, 0)
    rows = []
    for g, gloss in enumerate(predictions.glosses):
        most = int(mistakes[g].argmax())
        rows.append(
            {
                "gloss": gloss,
                "support": int(support[g]),
                "precision": _number(precision[g]),
                "recall": _number(recall[g]),
                "f1": _number(f1[g]),
                "top5": float(top5[g] / support[g]) if support[g] else None,
                "taken_for": predictions.glosses[most] if mistakes[g, most] else None,
                "taken_for_clips": int(mistakes[g, most]),
            }
        )
    return rows


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
