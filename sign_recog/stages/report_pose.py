"""report.html and report.json of a detector's run."""

import json
from pathlib import Path
from typing import Any

from sign_recog.errors import DataError
from sign_recog.evaluation.pose.figures import figures, overlay
from sign_recog.evaluation.pose.report import PoseReport, WorstFrame, build_pose_report
from sign_recog.evaluation.report import Stamp
from sign_recog.stages import StageResult
from sign_recog.stages.report_parts import learning_curves, open_corpus_of, text_of, training_notes, write_page
from sign_recog.video.pictures import read_picture


def report_pose(folder: Path, metrics: dict[str, Any]) -> StageResult:
    """Write the page on the scores in ``folder``, ``metrics`` being the content of its metrics.json."""
    corpus, notes = open_corpus_of(Path(metrics["data"]["manifest"]).parent)
    info = corpus.info if corpus else {"notes": [], "warnings": []}
    scores = metrics["scores"]
    report = PoseReport(
        title=f"{metrics['run']['name']}, seed {metrics['run']['seed']}",
        split=metrics["split"],
        scores=scores,
        splits=metrics["splits"],
        stamp=Stamp.from_metrics(metrics),
        config_yaml=text_of(folder / "config.yaml"),
        provenance=metrics["provenance"],
        figures=[*figures(scores), *learning_curves(folder, metrics)],
        examples=[_worst(row) for row in metrics["examples"]],
        notes=[*notes, *training_notes(folder), *info["notes"]],
        warnings=[*info["warnings"], *_disagreement(folder)],
    )
    headline = {"pixel error": f"{scores['pixel_error']:.2f} (median {scores['pixel_error_median']:.2f})"}
    return write_page(folder, build_pose_report(report), report.to_json(), headline)


def _worst(row: dict[str, Any]) -> WorstFrame:
    try:
        png = overlay(read_picture(Path(row["image"])), row["labelled"], row["predicted"])
    except DataError:  # the page says that the picture is gone
        png = None
    return WorstFrame(row["frame_id"], row["pixel_error"], row["worst_landmark"], row["worst_error"], png)


def _disagreement(folder: Path) -> list[str]:
    """That val is not what training measured."""
    path = folder / "val" / "metrics.json"
    val = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if val.get("val_agrees") is not False:
        return []
    return ["Val is scored otherwise than in training: frames, labels or preprocessing have changed since."]
