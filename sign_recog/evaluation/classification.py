"""Scores of isolated sign recognition.

"Per instance" counts every clip once; "per class" averages the glosses' own shares, so that a
frequent gloss weighs no more than a rare one. A score says which of the two it is.
"""

from typing import Any

import numpy as np

from sign_recog.evaluation.predictions import Predictions, confusion_of, ranks_of

TOP_K = (1, 5, 10)


def score(predictions: Predictions, *, bootstrap_samples: int = 1000, seed: int = 0) -> dict[str, Any]:
    """Return all scores as plain values for JSON; what is undefined is None.

    - ``top{1,5,10}_per_instance``: share of clips whose gloss is among the k best; k is at most G.
    - ``top{1,5,10}_per_class``: the unweighted mean of that share over the glosses that occur.
    - ``top1_per_instance_ci95``, ``top1_per_class_ci95``: see :func:`bootstrap_interval`, :func:`class_interval`.
    - ``loss``: cross-entropy in nats, the mean over all clips (not over batches).
    - ``accuracy``: the same number as ``top1_per_instance``.
    - ``macro_f1``, ``weighted_precision``, ``weighted_recall``, ``weighted_f1``: scikit-learn's, over the glosses that
      occur or are predicted; weighted recall is the accuracy.
    - ``category_top1_per_instance``, ``category_macro_f1``, ``category_weighted_*``: over the clips that have a
      category; None without a category head.
    - ``per_class``: a row a gloss, in the vocabulary's order; precision, recall, f1, support and the
      gloss it is most often taken for. Precision is None where it was never predicted, recall and
      top-k where it does not occur.
    - ``per_category``: the same of the categories; empty without a category head.
    """
    from scipy.special import log_softmax

    targets, ranks = predictions.gloss_targets, predictions.ranks
    num_glosses = len(predictions.glosses)
    support = np.bincount(targets, minlength=num_glosses)
    occurs = support > 0
    per_class = {}
    for k in TOP_K:
        hits = np.bincount(targets, weights=ranks <= k, minlength=num_glosses)
        per_class[f"top{k}_per_class"] = float(np.mean(hits[occurs] / support[occurs]))
    log_probabilities = log_softmax(predictions.gloss_logits.astype(np.float64), axis=1)
    categories = predictions.labelled_categories
    return {
        "num_clips": len(targets),
        "num_glosses": num_glosses,
        "num_glosses_occurring": int(occurs.sum()),
        "num_signers": len(set(predictions.signers) - {""}),
        **_headline(predictions, bootstrap_samples, seed),
        **per_class,
        "top1_per_class_ci95": class_interval(targets, ranks == 1, samples=bootstrap_samples, seed=seed),
        "loss": float(-log_probabilities[np.arange(len(targets)), targets].mean()),
        "accuracy": float(np.mean(ranks == 1)),
        "per_class": _per_class("gloss", predictions.gloss_logits, targets, predictions.glosses),
        "per_category": _per_class("category", *categories, predictions.categories) if categories else [],
    }


def score_groups(
    predictions: Predictions, *, bootstrap_samples: int = 1000, seed: int = 0
) -> dict[str, dict[str, dict[str, Any]]]:
    """Scores of the clips that share a value of ``predictions.groups``: group -> value, sorted -> scores.

    The scores are ``num_clips`` and those of :func:`score` that are shares or F1, with their interval; "" stands for
    clips that say nothing. A small group's interval is wide: it says how little its score tells.
    """
    scores: dict[str, dict[str, dict[str, Any]]] = {}
    for name, values in predictions.groups.items():
        scores[name] = {}
        for value in sorted(set(values)):
            own = predictions.subset(np.flatnonzero(np.array(values) == value))
            scores[name][value] = {"num_clips": len(own.clip_ids), **_headline(own, bootstrap_samples, seed)}
    return scores


def bootstrap_interval(hits: np.ndarray, *, samples: int = 1000, seed: int = 0) -> list[float]:
    """95 % percentile bootstrap interval [low, high] of the mean of ``hits`` (N,) bool (Efron 1979).

    Clips are resampled, so the interval tells how far another draw of clips *by the same signers, for
    the same trained network* would move the score; the variation between signers and between training
    seeds is not in it. Drawing N of N clips with replacement hits a Binomial(N, mean) number of times,
    so that is what is drawn. If all clips are right, or all wrong, the interval has no width.
    """
    rates = np.random.default_rng(seed).binomial(len(hits), np.mean(hits), samples) / len(hits)
    return [float(bound) for bound in np.quantile(rates, (0.025, 0.975))]


def class_interval(targets: np.ndarray, hits: np.ndarray, *, samples: int = 1000, seed: int = 0) -> list[float]:
    """As :func:`bootstrap_interval`, of the unweighted mean over the glosses of the share of ``hits`` (N,) bool.

    Clips are resampled within each gloss of ``targets`` (N,), so that every draw holds the same glosses.
    """
    _, gloss = np.unique(targets, return_inverse=True)
    support = np.bincount(gloss)
    rates = np.bincount(gloss, weights=hits) / support
    draws = np.random.default_rng(seed).binomial(support, rates, (samples, len(support))) / support
    return [float(bound) for bound in np.quantile(draws.mean(axis=1), (0.025, 0.975))]


def _headline(predictions: Predictions, bootstrap_samples: int, seed: int) -> dict[str, Any]:
    """The scores that are given for every set of clips."""
    ranks, categories = predictions.ranks, predictions.labelled_categories
    return {
        **{f"top{k}_per_instance": float(np.mean(ranks <= k)) for k in TOP_K},
        "top1_per_instance_ci95": bootstrap_interval(ranks == 1, samples=bootstrap_samples, seed=seed),
        **_averages("", predictions.gloss_targets, predictions.predicted),
        "category_top1_per_instance": float(np.mean(ranks_of(*categories) == 1)) if categories else None,
        **(_averages("category_", categories[1], categories[0].argmax(1)) if categories else _averages("category_")),
    }


def _averages(
    prefix: str, targets: np.ndarray | None = None, predicted: np.ndarray | None = None
) -> dict[str, float | None]:
    """scikit-learn's averages over the classes that occur or are predicted; None where there are no clips."""
    from sklearn.metrics import precision_recall_fscore_support

    names = ("macro_f1", "weighted_precision", "weighted_recall", "weighted_f1")
    if targets is None:
        return dict.fromkeys((f"{prefix}{name}" for name in names), None)
    macro = precision_recall_fscore_support(targets, predicted, average="macro", zero_division=0)
    weighted = precision_recall_fscore_support(targets, predicted, average="weighted", zero_division=0)
    values = (macro[2], *weighted[:3])
    return {f"{prefix}{name}": float(value) for name, value in zip(names, values, strict=True)}


def _per_class(kind: str, logits: np.ndarray, targets: np.ndarray, classes: list[str]) -> list[dict[str, Any]]:
    from sklearn.metrics import precision_recall_fscore_support

    num_classes = len(classes)
    precision, recall, f1, support = precision_recall_fscore_support(
        targets, logits.argmax(1), labels=np.arange(num_classes), zero_division=np.nan
    )
    top5 = np.bincount(targets, weights=ranks_of(logits, targets) <= 5, minlength=num_classes)
    mistakes = confusion_of(logits, targets)
    np.fill_diagonal(mistakes, 0)
    rows = []
    for c, name in enumerate(classes):
        most = int(mistakes[c].argmax())
        rows.append(
            {
                kind: name,
                "support": int(support[c]),
                "precision": _number(precision[c]),
                "recall": _number(recall[c]),
                "f1": _number(f1[c]),
                "top5": float(top5[c] / support[c]) if support[c] else None,
                "taken_for": classes[most] if mistakes[c, most] else None,
                "taken_for_clips": int(mistakes[c, most]),
            }
        )
    return rows


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
