"""The folder ``results`` of an evaluation: the files that S2's testing wrote, with their names.

``<check>`` is the checkpoint's file name without its ending: best, last, step0000120.

- ``<check>_<set>-top-k.json``: BaseRes of each set that was scored, ShuffRes of ``test-shuffled``;
- ``<check>_val_loss.json``: CompRes, where test, val and shuffled test all were scored in one command;
- ``<check>_<set>-bargraph.png``, ``-confmat.png``, ``-heatmap.png``, and ``-report.json``, the classification report
  that the heat map shows, of ``run.split``.
"""

from pathlib import Path
from typing import Any

from sign_recog.config.evaluation import EvaluationConfig
from sign_recog.evaluation import bundle, class_plots, plots
from sign_recog.evaluation.predictions import Predictions, confusion
from sign_recog.storage import atomic

MOST_CONFUSED = 50  # glosses in the confusion matrix; more cannot be read


def write_results(
    folder: Path,
    check: str,
    reported: dict[str, float],
    scores: dict[str, dict[str, Any]],
    shuffled: dict[str, Any] | None,
) -> None:
    """Write the JSON files.

    Args:
        reported: What training measured on val.
        scores: Set -> its scores.
        shuffled: Content of the shuffled test's metrics.json; its first permutation is the one that is written.
    """
    records = {name: bundle.base_record(own) for name, own in scores.items()}
    if shuffled is not None:
        order = shuffled["permutations"][0]["perm"]
        records["test-shuffled"] = bundle.shuffled_record(shuffled["scores"], order)
    for name, record in records.items():
        atomic.write_json(folder / f"{check}_{name}-top-k.json", record)
    if records.keys() >= {"test", "val", "test-shuffled"}:
        full = bundle.full_record(
            check, reported, test=records["test"], val=records["val"], test_shuff=records["test-shuffled"]
        )
        atomic.write_json(folder / f"{check}_val_loss.json", full)


def write_pictures(
    folder: Path,
    check: str,
    split: str,
    predictions: Predictions,
    scores: dict[str, Any],
    settings: EvaluationConfig,
) -> None:
    """Draw what ``settings`` ask for."""
    start = f"{check}_{split}"
    if settings.bar_graph:
        atomic.write_bytes(folder / f"{start}-bargraph.png", class_plots.bar_graph(scores["per_class"]))
    if settings.confusion_matrix:
        image = plots.confusion_matrix(confusion(predictions), predictions.glosses, most=MOST_CONFUSED)
        atomic.write_bytes(folder / f"{start}-confmat.png", image)
    if settings.heat_map:
        report = bundle.classification_report(predictions)
        atomic.write_bytes(folder / f"{start}-heatmap.png", class_plots.report_heat_map(report))
        atomic.write_json(folder / f"{start}-report.json", report)


def stored_pictures(folder: Path, check: str, split: str) -> dict[str, bytes]:
    """Kind -> the picture of an earlier evaluation, of those that are there."""
    paths = {kind: folder / f"{check}_{split}-{kind}.png" for kind in ("bargraph", "confmat", "heatmap")}
    return {kind: path.read_bytes() for kind, path in paths.items() if path.exists()}
