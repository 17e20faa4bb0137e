"""Scores as S2's files hold them: the records BaseRes, ShuffRes and CompRes of its README, with its names.

Shares are between 0 and 1, but ``best_val_acc`` is in per cent.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sign_recog.evaluation.classification import TOP_K
from sign_recog.evaluation.predictions import Predictions
from sign_recog.evaluation.shuffle import shannon_entropy


def base_record(scores: dict[str, Any]) -> dict[str, Any]:
    """BaseRes: top-k per class and per instance, and the mean cross-entropy in nats.

    Args:
        scores: Of :func:`sign_recog.evaluation.classification.score`.
    """
    return {
        "top_k_average_per_class_acc": {f"top{k}": scores[f"top{k}_per_class"] for k in TOP_K},
        "top_k_per_instance_acc": {f"top{k}": scores[f"top{k}_per_instance"] for k in TOP_K},
        "average_loss": scores["loss"],
    }


def shuffled_record(scores: dict[str, Any], order: Sequence[int] | np.ndarray) -> dict[str, Any]:
    """ShuffRes: as :func:`base_record`, with the order of the frames and its entropy in bits."""
    return {**base_record(scores), "perm": [int(i) for i in order], "shannon_entropy": shannon_entropy(order)}


def full_record(
    check_name: str,
    reported: dict[str, float],
    *,
    test: dict[str, Any],
    val: dict[str, Any],
    test_shuff: dict[str, Any],
) -> dict[str, Any]:
    """CompRes: everything of one checkpoint.

    Args:
        check_name: The checkpoint's file name without its ending.
        reported: What training measured when it wrote the checkpoint; a figure it did not measure becomes None.
        test, val: Of :func:`base_record`.
        test_shuff: Of :func:`shuffled_record`.
    """
    accuracy = reported.get("val_gloss_acc")
    return {
        "check_name": f"{check_name}_val",
        "best_val_acc": None if accuracy is None else 100 * accuracy,
        "best_val_loss": reported.get("val_loss"),
        "test": test,
        "val": val,
        "test_shuff": test_shuff,
    }


def classification_report(predictions: Predictions) -> dict[str, Any]:
    """scikit-learn's report as plain values: ``accuracy``, ``macro avg``, ``weighted avg``, and ``classes``.

    In ``classes`` stands each gloss that occurs or is predicted; what is undefined counts as 0, as in its text.
    """
    from sklearn.metrics import precision_recall_fscore_support

    targets, predicted = predictions.gloss_targets, predictions.predicted
    shown = np.union1d(targets, predicted)
    columns = precision_recall_fscore_support(targets, predicted, labels=shown, zero_division=0)
    classes = {predictions.glosses[g]: _row(*row) for g, *row in zip(shown, *columns, strict=True)}
    averages = {}
    for kind in ("macro", "weighted"):
        precision, recall, f1, _ = precision_recall_fscore_support(targets, predicted, average=kind, zero_division=0)
        averages[f"{kind} avg"] = _row(precision, recall, f1, len(targets))
    return {"accuracy": float(np.mean(targets == predicted)), **averages, "classes": classes}


def _row(precision: float, recall: float, f1: float, support: int) -> dict[str, float | int]:
    return {
        "precision": float(precision), "recall": float(recall), "f1-score": float(f1), "support": int(support),
    }  # fmt: skip
