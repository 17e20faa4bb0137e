"""Several runs' scores as one result: mean, deviation and interval over the seeds, or over the folds.

Runs whose settings differ in the seed only form a group, as do the folds of one cross-validation; no mean is ever
taken over other settings, splits or sets of clips. A run without scores is listed with the reason.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sign_recog.config.identity import ALL_SECTIONS
from sign_recog.errors import DataError
from sign_recog.evaluation.folds import Folds, describe_folds
from sign_recog.evaluation.gap import DIVISION, Gap, find_gaps
from sign_recog.evaluation.headline import RECOGNITION, Headline, headline_of
from sign_recog.evaluation.runs import RunResult, find_runs, read_run
from sign_recog.evaluation.views import views_of

MIN_SEEDS = 3  # with 2, Student's t interval is 9 deviations wide on either side
FOLD = "data.split.fold"


@dataclass
class Summary:
    """One number over several runs.

    Attributes:
        n: Runs (or folds, see ``what``) that have the number.
        std: Sample standard deviation (divided by n - 1); None for one run.
        ci95: 95 % interval of the mean by Student's t with n - 1 degrees of freedom; None for one run. It
            is not cut at 0 or 1: an interval that leaves [0, 1] says that there are too few runs.
    """

    n: int
    mean: float
    std: float | None
    ci95: tuple[float, float] | None
    what: str = "run"

    @property
    def text(self) -> str:
        """ "1 run", "2 runs", "5 folds" ..."""
        return _count(self.n, self.what)


@dataclass
class Group:
    """Runs that differ in the seed only, or in seed and fold.

    Attributes:
        runs: Those with scores, by seed.
        unfinished: Those of the same settings without.
        scores: Score -> its summary over ``runs``, or over the folds (each fold's mean over its seeds).
        differing: The settings that tell this group from the others: "model.dropout" -> value.
        folds: What cross-validation adds; None = the clips were not divided into folds.
    """

    settings: str
    runs: list[RunResult]
    unfinished: list[RunResult]
    scores: dict[str, Summary]
    differing: dict[str, Any] = field(default_factory=dict)
    folds: Folds | None = None

    @property
    def seeds(self) -> list[int | None]:
        """The seed of each of ``runs``; None = not known."""
        return [run.seed for run in self.runs]


@dataclass
class Sweep:
    """All runs of a folder, on one split.

    Attributes:
        groups: Best mean of the headline score first, groups without any score last.
        headline: What the runs are judged by.
        warnings: Sentences on what makes the groups' numbers less comparable than they look.
        gaps: Seen against unseen signers, for settings that were run with both.
    """

    split: str
    groups: list[Group]
    warnings: list[str]
    gaps: list[Gap] = field(default_factory=list)
    headline: Headline = RECOGNITION


def read_sweep(folder: Path, *, split: str = "test") -> Sweep:
    """Read every run below ``folder`` and group them by settings.

    Raises:
        DataError: If there is no such folder, or no run in it.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder. Give run.folder=FOLDER, a folder with runs in it.")
    folders = find_runs(folder)
    if not folders:
        raise DataError(f"{folder}: holds no run. Give run.folder=FOLDER, a folder below outputs/ with runs in it.")
    return build_sweep([read_run(path, split=split) for path in folders], split=split)


def build_sweep(runs: Iterable[RunResult], *, split: str) -> Sweep:
    """Group runs by settings, summarise each group, and name the settings in which the groups differ."""
    by_settings: dict[str, list[RunResult]] = {}
    for run in runs:
        by_settings.setdefault(_group_of(run), []).append(run)
    groups = [_build_group(settings, members, split) for settings, members in by_settings.items()]
    headline = headline_of(name for group in groups for name in group.scores)

    def rank(group: Group) -> tuple[float, str]:
        own = group.scores.get(headline.score)
        return float("inf") if own is None else headline.rank(own.mean), group.settings

    groups.sort(key=rank)
    for group, differing in zip(groups, _differing_settings(groups), strict=True):
        group.differing = differing
    gaps, problems = find_gaps(groups, split)
    return Sweep(split, groups, [*_warnings(groups, split), *problems], gaps, headline)


def _group_of(run: RunResult) -> str:
    return run.settings_without(FOLD) if run.fold is not None else run.settings or str(run.folder)


def _build_group(settings: str, members: list[RunResult], split: str) -> Group:
    members.sort(key=lambda r: (-1 if r.seed is None else r.seed, -1 if r.fold is None else r.fold, str(r.folder)))
    scored = [run for run in members if run.state == "scored"]
    unfinished = [run for run in members if run.state != "scored"]
    if not scored or scored[0].fold is None:
        return Group(settings, scored, unfinished, summarize_scores(scored))
    return Group(settings, scored, unfinished, summarize_folds(scored), folds=describe_folds(scored, split))


def summarize(values: Sequence[float], what: str = "run") -> Summary:
    """Mean, sample deviation and 95 % interval of the mean of at least one value."""
    n, mean = len(values), float(np.mean(values))
    if n == 1:
        return Summary(1, mean, None, None, what)
    from scipy.stats import t

    std = float(np.std(values, ddof=1))
    half = float(t.ppf(0.975, n - 1)) * std / n**0.5
    return Summary(n, mean, std, (mean - half, mean + half), what)


def summarize_scores(runs: list[RunResult]) -> dict[str, Summary]:
    """Summarise every score that is a number; a run in which it is undefined (None) does not count for it."""
    names = dict.fromkeys(name for run in runs for name in run.scores if not name.startswith("num_"))
    columns = {name: [run.scores[name] for run in runs if _is_number(run.scores.get(name))] for name in names}
    return {name: summarize(values) for name, values in columns.items() if values}


def summarize_folds(runs: list[RunResult]) -> dict[str, Summary]:
    """As :func:`summarize_scores`, over the folds: a fold's score is the mean over its seeds."""
    by_fold = defaultdict(list)
    for run in runs:
        by_fold[run.fold].append(run)
    means = defaultdict(list)
    for own in by_fold.values():
        for name, summary in summarize_scores(own).items():
            means[name].append(summary.mean)
    return {name: summarize(values, "fold") for name, values in means.items()}


def _count(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _differing_settings(groups: list[Group]) -> list[dict[str, Any]]:
    """For each group the settings in which some groups differ; a key that a group lacks is left out."""
    configs = [next((run.config for run in [*g.runs, *g.unfinished] if run.config), {}) for g in groups]
    keys = sorted({k for config in configs for k in config if k.partition(".")[0] in ALL_SECTIONS and k != FOLD})
    known = [config for config in configs if config]
    differ = [
        key
        for key in keys
        if len({json.dumps(config[key], default=str) if key in config else None for config in known}) > 1
    ]
    return [{key: config[key] for key in differ if key in config} for config in configs]


def _warnings(groups: list[Group], split: str) -> list[str]:
    scored = [run for group in groups for run in group.runs]
    found = []
    missing = sum(len(group.unfinished) for group in groups)
    if missing:
        found.append(
            f"{missing} of {_count(missing + len(scored), 'run')} have no scores on {split}; they are in no mean."
        )
    for group in groups:
        found += _fold_warnings(group)
        if len({(run.seed, run.fold) for run in group.runs}) < len(group.runs):
            found.append(f"Settings {group.settings} hold a seed twice: its deviation is too small.")
    if not _same_clips(groups):
        found.append("The runs were not scored on the same clips, so their scores cannot be compared.")
    if len(views := sorted({views_of(run.data) for run in scored})) > 1:
        found.append(
            f"The runs were scored with different views of a clip ({', '.join(views)}: parts of its time x parts of "
            "its picture), so their scores cannot be compared, nor those of one setting averaged. Score them alike "
            "(evaluation.views)."
        )
    few = [group for group in groups if 0 < len(group.runs) < MIN_SEEDS and group.folds is None]
    if few:
        found.append(
            f"{len(few)} of {len(groups)} settings have fewer than {MIN_SEEDS} scored runs: too few seeds to tell a "
            "difference between settings from chance."
        )
    chosen_from = {group.runs[0].settings_without(*DIVISION) for group in groups if group.runs}
    if split == "test" and len(chosen_from) > 1:
        found.append(
            "Choosing settings by their score on test makes the chosen score too good. Choose on val "
            "(run=evaluate run.split=val), then report test once."
        )
    return found


def _fold_warnings(group: Group) -> list[str]:
    if group.folds is None:
        return []
    found, folds = [], group.folds
    if folds.missing:
        found.append(
            f"Settings {group.settings}: fold {', '.join(map(str, folds.missing))} of {folds.num_folds} has no scores, "
            "so not every clip is tested."
        )
    if folds.problem:
        found.append(f"Settings {group.settings}: no accuracy over all clips, since {folds.problem}. Evaluate again.")
    return found


def _same_clips(groups: list[Group]) -> bool:
    """Whether groups that divide the clips in the same way, and the seeds of each, were scored on the same clips."""
    by_strategy = defaultdict(set)
    for group in groups:
        clips = frozenset((run.data.get("corpus"), run.data.get("clips_hash")) for run in group.runs)
        if group.folds is None and len(clips) > 1:
            return False
        if clips:
            by_strategy[group.runs[0].strategy].add(clips)
    return all(len(found) == 1 for found in by_strategy.values())
