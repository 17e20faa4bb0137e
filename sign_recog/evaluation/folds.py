"""The folds of one setting as one result: each fold, and all clips, of which each is tested once."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sign_recog.evaluation.outcomes import Outcomes, accuracy_interval, read_outcomes
from sign_recog.evaluation.runs import RunResult


@dataclass
class Pooled:
    """Top-1 per instance over clips of several runs, each clip counted once.

    Attributes:
        ci95: 95 % interval; ``resampled`` says over what, such as "12 signers".
    """

    num_clips: int
    accuracy: float
    ci95: tuple[float, float]
    resampled: str


@dataclass
class Fold:
    """One fold: its clips and signers, and the mean top-1 of the runs that tested it."""

    number: int
    num_clips: int
    signers: list[str]
    num_runs: int
    top1: float


@dataclass
class Folds:
    """All folds of one setting.

    Attributes:
        num_folds: As set; ``missing`` names those without scores.
        folds: By number.
        pooled: None where a run's predictions.csv is missing or damaged.
    """

    num_folds: int
    folds: list[Fold]
    missing: list[int]
    pooled: Pooled | None
    problem: str = ""


def describe_folds(runs: Sequence[RunResult], split: str) -> Folds:
    """Put together the scored ``runs`` of one setting, which differ in seed and fold."""
    num_folds = int(runs[0].config["data.split.folds"])
    by_number: dict[int, list[RunResult]] = {}
    for run in runs:
        by_number.setdefault(run.fold if run.fold is not None else -1, []).append(run)
    missing = sorted(set(range(num_folds)) - set(by_number))
    try:
        outcomes = {number: outcomes_of(own, split) for number, own in by_number.items()}
        pooled, problem = pool(outcomes_of(runs, split)), ""
    except (OSError, ValueError, KeyError) as error:
        outcomes, pooled, problem = {}, None, f"predictions.csv cannot be used ({error})"
    folds = [
        Fold(
            number,
            num_clips=int(own[0].data.get("clips") or 0),
            signers=sorted(set(outcomes[number].signers) - {""}) if number in outcomes else [],
            num_runs=len(own),
            top1=float(np.mean([run.scores["top1_per_instance"] for run in own])),
        )
        for number, own in sorted(by_number.items())
    ]
    return Folds(num_folds, folds, missing, pooled, problem)


def pool(outcomes: Outcomes) -> Pooled:
    """The accuracy over all clips, with its interval."""
    return Pooled(len(outcomes.clip_ids), outcomes.accuracy, accuracy_interval(outcomes), outcomes.resampled)


def outcomes_of(runs: Sequence[RunResult], split: str) -> Outcomes:
    """Every clip that ``runs`` scored."""
    return read_outcomes(predictions_path(run.folder, split) for run in runs)


def predictions_path(folder: Path, split: str) -> Path:
    """Where a run's predictions on ``split`` lie."""
    return folder / ("" if split == "test" else split) / "predictions.csv"
