"""report.html and report.json of a translator's run."""

import json
from pathlib import Path
from typing import Any

from sign_recog.evaluation.report import Stamp
from sign_recog.evaluation.translation.report import Example, TranslationReport, build_translation_report, figures
from sign_recog.stages import StageResult
from sign_recog.stages.report_parts import learning_curves, open_corpus_of, text_of, training_notes, write_page


def report_translation(folder: Path, metrics: dict[str, Any]) -> StageResult:
    """Write the page on the scores in ``folder``, ``metrics`` being the content of its metrics.json."""
    corpus, notes = open_corpus_of(Path(metrics["data"]["manifest"]).parent)
    info = corpus.info if corpus else {"splits": {}, "leakage": [], "notes": [], "warnings": []}
    search = ", ".join(f"{name} {value}" for name, value in metrics["generation"].items())
    warnings = [w for w in info["warnings"] if w not in info["leakage"]]
    if cut := metrics["data"]["sequences_cut"]:
        warnings.append(f"{cut} sequences of {metrics['split']} are cut to translation.max_source_length.")
    report = TranslationReport(
        title=f"{metrics['run']['name']}, seed {metrics['run']['seed']}",
        split=metrics["split"],
        scores=metrics["scores"],
        collapse=metrics["collapse"],
        stamp=Stamp.from_metrics(metrics),
        splits=info["splits"],
        leakage=info["leakage"],
        config_yaml=text_of(folder / "config.yaml"),
        provenance=metrics["provenance"],
        examples=[Example(**row) for row in metrics["examples"]],
        groups=metrics["groups"],
        loss=metrics["scores"]["loss"],
        accuracy=metrics["scores"]["token_acc"],
        figures=[*learning_curves(folder, metrics), *figures(metrics["groups"])],
        notes=[*notes, f"Sentences were searched for with {search}.", *training_notes(folder), *info["notes"]],
        warnings=[*warnings, *_disagreement(folder)],
    )
    low, high = metrics["collapse"]["system"]["bleu4_ci95"]
    headline = {"BLEU-4": f"{metrics['scores']['bleu4']:.2f} (95 % interval {low:.2f} to {high:.2f})"}
    return write_page(folder, build_translation_report(report), report.to_json(), headline)


def _disagreement(folder: Path) -> list[str]:
    """That val is not what training measured."""
    path = folder / "val" / "metrics.json"
    val = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if val.get("val_agrees") is not False:
        return []
    return ["Val is scored otherwise than in training: clips, files or preprocessing have changed since."]
