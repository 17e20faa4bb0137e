"""report.html and report.json of one run, or of a folder of runs; comparison.html and .json of chosen runs."""

import json
import logging
import os
from pathlib import Path
from typing import Any, cast

from omegaconf import OmegaConf

from sign_recog.config import Config
from sign_recog.errors import ConfigError, DataError, SignRecogError
from sign_recog.evaluation import plots
from sign_recog.evaluation.aggregate import Group, read_sweep
from sign_recog.evaluation.comparison import Comparison, compare_runs
from sign_recog.evaluation.comparison_page import ComparisonReport, build_comparison_report
from sign_recog.evaluation.headline import RECOGNITION as RECOGNISED
from sign_recog.evaluation.headline import Headline, headline_of
from sign_recog.evaluation.page import Figure
from sign_recog.evaluation.report import (
    Example,
    RunReport,
    Stamp,
    SweepReport,
    build_run_report,
    build_sweep_report,
    collapse_check,
)
from sign_recog.evaluation.runs import find_runs, read_run
from sign_recog.evaluation.selection import fixed_part, runs_of_glob, select
from sign_recog.evaluation.strips import frame_strip, skeleton_strip
from sign_recog.stages import StageResult
from sign_recog.stages.build import stored_reader
from sign_recog.stages.evaluated import class_figures, evaluation_notes, evaluation_warnings, other_scores
from sign_recog.stages.of_task import of_task
from sign_recog.stages.report_parts import learning_curves, open_corpus_of, text_of, training_notes, write_page
from sign_recog.stages.run_folder import extractor_name, read_extraction, read_quality, run_dir, stored_extractor
from sign_recog.storage.checkpoint import RECOGNITION
from sign_recog.storage.corpus import PreparedCorpus
from sign_recog.storage.sequences import read_keypoints
from sign_recog.training.reproducibility import provenance

logger = logging.getLogger(__name__)


def run(config: Config) -> StageResult:
    """Write the page of ``run.folder``: a run's own page, or the summary of the runs below it; or of ``run.runs``.

    Raises:
        DataError: If the folder holds no run, or the run was not evaluated.
        ConfigError: If ``run.where`` is not understood, or names a setting that no run has, or runs that are compared
            are of no recogniser.
    """
    if config.run.runs is not None:
        return _report_comparison(config)
    folder = run_dir(config) if config.run.folder is None else Path(config.run.folder)
    runs = find_runs(folder) if folder.is_dir() else []
    if runs == [folder]:
        return _report_run(config, folder)
    return _report_sweep(config, folder)


def _report_run(config: Config, folder: Path) -> StageResult:
    path = folder / "metrics.json"
    if not path.exists():
        raise DataError(f"{path}: this run has no scores, so there is nothing to report. Run run=evaluate first.")
    metrics = json.loads(path.read_text(encoding="utf-8"))
    if (task := metrics.get("task", RECOGNITION)) != RECOGNITION:
        return of_task("report", task)(folder, metrics)
    corpus, notes = open_corpus_of(Path(metrics["data"]["manifest"]).parent)
    info = corpus.info if corpus else {"splits": {}, "leakage": [], "notes": [], "warnings": []}
    extractor = _extractor(folder, config)
    quality = read_quality(corpus.keypoints_dir(extractor)) if corpus else None
    report = RunReport(
        title=f"{metrics['run']['name']}, seed {metrics['run']['seed']}",
        split=metrics["split"],
        scores=metrics["scores"],
        stamp=Stamp.from_metrics(metrics),
        splits=info["splits"],
        leakage=info["leakage"],
        config_yaml=text_of(folder / "config.yaml"),
        provenance=metrics["provenance"],
        figures=_figures(folder, metrics),
        examples=_examples(folder, metrics, corpus, extractor),
        extraction=quality["rows"] if quality else [],
        groups=metrics["groups"],
        other_scores=other_scores(folder),
        notes=[
            *notes,
            *training_notes(folder),
            *_weights_notes(corpus, extractor),
            *evaluation_notes(folder, metrics),
            *info["notes"],
        ],
        warnings=[*(w for w in info["warnings"] if w not in info["leakage"]), *evaluation_warnings(folder)],
    )
    return write_page(folder, build_run_report(report), report.to_json(), _headline(metrics["scores"]))


def _extractor(folder: Path, config: Config) -> str:
    """The run's own extractor, whatever the command at hand names."""
    path = folder / "config.yaml"
    return stored_extractor(cast(dict[str, Any], OmegaConf.load(path))) if path.exists() else extractor_name(config)


def _weights_notes(corpus: PreparedCorpus | None, extractor: str) -> list[str]:
    """That the features are those of a network that was never trained."""
    extraction = read_extraction(corpus.features_dir(extractor)) if corpus else None
    weights = str((extraction or {}).get("weights", ""))
    return [f"Features of {extractor}: weights {weights}."] if weights.startswith("random") else []


def _headline(scores: dict[str, Any]) -> dict[str, Any]:
    low, high = scores["top1_per_instance_ci95"]
    return {"top-1 per instance": f"{scores['top1_per_instance']:.3f} (95 % interval {low:.3f} to {high:.3f})"}


def _figures(folder: Path, metrics: dict[str, Any]) -> list[Figure]:
    return learning_curves(folder, metrics) + class_figures(folder, metrics)


def _examples(folder: Path, metrics: dict[str, Any], corpus: PreparedCorpus | None, extractor: str) -> list[Example]:
    path = folder / "config.yaml"
    modality: Any = OmegaConf.to_container(OmegaConf.load(path).modality) if path.exists() else {}
    reads_videos = bool(modality) and modality.get("extraction") is None
    examples = []
    for row in metrics["examples"]:
        strip = None
        if corpus is not None and reads_videos:
            strip = _frame_strip(corpus, row["clip_id"], modality)
        elif corpus is not None:
            keypoints = corpus.keypoints_dir(extractor) / f"{row['clip_id']}.npz"
            strip = skeleton_strip(read_keypoints(keypoints)) if keypoints.exists() else None
        examples.append(Example(**row, png=strip))
    return examples


def _frame_strip(corpus: PreparedCorpus, clip_id: str, modality: dict[str, Any]) -> bytes | None:
    """Frames as the network read them; None where the clip's video is gone."""
    try:
        clip = next(clip for clip in corpus.clips if clip.clip_id == clip_id)
        sequences = stored_reader(modality).open(corpus, [clip], "")
        return frame_strip(sequences.read(0, None))
    except (StopIteration, SignRecogError):
        return None


def _report_sweep(config: Config, folder: Path) -> StageResult:
    sweep = read_sweep(folder)
    runs = [run.folder for group in sweep.groups for run in group.runs]
    links = {r: os.path.relpath(r / "report.html", folder) for r in runs if (r / "report.html").exists()}
    report = SweepReport(
        title=folder.name,
        folder=folder,
        sweep=sweep,
        figures=[Figure("Every run", plots.seeds_dot_plot(sweep.groups, headline=sweep.headline))] if runs else [],
        links=links,
        provenance=provenance(config.seed),
    )
    summary = {_group_name(group): _group_result(group, sweep.headline) for group in sweep.groups}
    for group in sweep.groups:
        if check := collapse_check(group):
            logger.log(logging.INFO if check[0] else logging.WARNING, "%s: %s", _group_name(group), check[1])
    summary |= {f"gap {gap.settings_seen} to {gap.settings_unseen}": gap.text for gap in sweep.gaps}
    for warning in sweep.warnings:
        logger.warning("%s", warning)
    return write_page(folder, build_sweep_report(report), report.to_json(), summary)


def _report_comparison(config: Config) -> StageResult:
    settings = config.run
    runs = select([read_run(path, split=settings.split) for path in runs_of_glob(settings.runs)], settings.where)
    judged = headline_of(name for run in runs for name in run.scores)
    if judged is not RECOGNISED:
        raise ConfigError(
            f"run.runs={settings.runs} names runs that are judged by {judged.label}, and a comparison is of "
            "recognisers, clip by clip. Use run.folder=FOLDER, which sums up every setting below it."
        )
    comparison = compare_runs(runs, split=settings.split)
    folder = fixed_part(settings.runs) if settings.output_dir is None else Path(settings.output_dir)
    several = len(comparison.sets) > 1
    figures = [
        Figure(
            f"Set {number}" if several else "Every run",
            plots.seeds_dot_plot(one.groups, names=comparison.names),
            "A dot a run; the line is their mean, the bar its 95 % interval.",
        )
        for number, one in enumerate(comparison.sets, start=1)
    ]
    pages = {run.folder: run.folder / "report.html" for run in runs}
    report = ComparisonReport(
        title=f"Comparison of {len(runs)} runs",
        runs=settings.runs,
        where=settings.where,
        folder=folder,
        comparison=comparison,
        figures=figures,
        links={run: os.path.relpath(page, folder) for run, page in pages.items() if page.exists()},
        provenance=provenance(config.seed),
    )
    for warning in comparison.warnings:
        logger.warning("%s", warning)
    page = build_comparison_report(report)
    return write_page(folder, page, report.to_json(), _comparison_summary(comparison), "comparison")


def _comparison_summary(comparison: Comparison) -> dict[str, Any]:
    """Rank and name -> score; of several sets one after another, each begun by why it stands by itself."""
    summary: dict[str, Any] = {}
    for number, one in enumerate(comparison.sets, start=1):
        label = f"set {number}, " if len(comparison.sets) > 1 else ""
        if one.reasons:
            summary[f"{label}not ranked with set 1"] = " ".join(one.reasons)
        for rank, group in enumerate(one.groups, start=1):
            against = one.significance.get(group.settings, {})
            p = f"; McNemar p {against['p_value']:.3g} against the first" if "p_value" in against else ""
            name = f"{label}{rank}. {comparison.names[group.settings]} ({group.scores['top1_per_instance'].text})"
            summary[name] = f"{_group_result(group, RECOGNISED)}{p}"
    return summary


def _group_name(group: Group) -> str:
    if group.folds is not None:
        return f"{group.settings} ({len(group.folds.folds)} of {group.folds.num_folds} folds)"
    return f"{group.settings} (seeds {', '.join(map(str, group.seeds))})"


def _group_result(group: Group, headline: Headline) -> str:
    found, digits = group.scores.get(headline.score), headline.digits
    if found is None:
        return "no scores"
    mean = f"{headline.label} {found.mean:.{digits}f}"
    if found.ci95 is None:
        return f"{mean}; {found.text}, so no deviation"
    low, high = (f"{end:.{digits}f}" for end in found.ci95)
    text = f"{mean}, deviation {found.std:.{digits}f}, 95 % interval {low} to {high}"
    if group.folds is None or group.folds.pooled is None:
        return text
    pooled = group.folds.pooled
    low, high = (f"{end:.4f}" for end in pooled.ci95)
    return f"{text}; all {pooled.num_clips} clips {pooled.accuracy:.4f}, 95 % interval {low} to {high}"
