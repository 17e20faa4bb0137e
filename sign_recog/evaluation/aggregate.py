"""Several runs' scores as one result: mean, deviation and interval over the seeds.

Runs with the same settings id differ in the seed only and form a group; no mean is ever taken over
different settings, splits or sets of clips. A run without scores is listed with the reason.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sign_recog.config.identity import SECTIONS
from sign_recog.errors import DataError

RUN_FILES = ("config.yaml", "metrics.json", "status.json")
_SEED_FOLDER = re.compile(r"seed(\d+)")
MIN_SEEDS = 3  # with 2, Student's t interval is 9 deviations wide on either side


@dataclass
class RunResult:
    """What a run folder says about itself.

    Attributes:
        state: "scored", or why there are no scores: "running", "failed", "damaged", or "unscored" (its
            training may be done, but it was not evaluated on this split).
        error: The message of a failed or damaged run; else "".
        settings: Id that runs share which differ in the seed only; "" = not known.
        seed: None = not known.
        scores: Of :func:`sign_recog.evaluation.classification.score`; empty without scores.
        data: What was scored: corpus, clips, clips_hash, ...; empty without scores.
        config: The run's configuration, flattened: "model.num_layers" -> value.
    """

    folder: Path
    state: str
    error: str = ""
    settings: str = ""
    seed: int | None = None
    scores: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)


@dataclass
class Summary:
    """One number over several runs.

    Attributes:
        n: Runs that have the number.
        std: Sample standard deviation (divided by n - 1); None for one run.
        ci95: 95 % interval of the mean by Student's t with n - 1 degrees of freedom; None for one run. It
            is not cut at 0 or 1: an interval that leaves [0, 1] says that there are too few runs.
    """

    n: int
    mean: float
    std: float | None
    ci95: tuple[float, float] | None

    @property
    def text(self) -> str:
        """ "1 run", "2 runs", ..."""
        return _runs(self.n)


@dataclass
class Group:
    """Runs that differ in the seed only.

    Attributes:
        runs: Those with scores, by seed.
        unfinished: Those of the same settings without.
        scores: Score -> its summary over ``runs``.
        differing: The settings that tell this group from the others: "model.dropout" -> value.
    """

    settings: str
    runs: list[RunResult]
    unfinished: list[RunResult]
    scores: dict[str, Summary]
    differing: dict[str, Any] = field(default_factory=dict)

    @property
    def seeds(self) -> list[int | None]:
        """The seed of each of ``runs``; None = not known."""
        return [run.seed for run in self.runs]


@dataclass
class Sweep:
    """All runs of a folder, on one split.

    Attributes:
        groups: Best mean of the headline score first, groups without any score last.
        warnings: Sentences on what makes the groups' numbers less comparable than they look.
    """

    split: str
    groups: list[Group]
    warnings: list[str]


def read_sweep(folder: Path, *, split: str = "test", headline: str = "top1_per_instance") -> Sweep:
    """Read every run below ``folder`` and group them by settings.

    Raises:
        DataError: If there is no such folder, or no run in it.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder. Give run.folder=FOLDER, a folder with runs in it.")
    folders = find_runs(folder)
    if not folders:
        raise DataError(f"{folder}: holds no run. Give run.folder=FOLDER, a folder below outputs/ with runs in it.")
    return build_sweep([read_run(path, split=split) for path in folders], split=split, headline=headline)


def find_runs(folder: Path) -> list[Path]:
    """Return ``folder`` if it is a run's, else the run folders below it, sorted.

    A run's folder holds one of ``RUN_FILES``. A folder in which only ``status.json`` tells of another
    finished stage, or of a report, was no training and is left out; so are hidden folders.
    """
    if any((folder / name).is_file() for name in RUN_FILES):
        return [folder] if _is_training(folder) else []
    below = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    return [run for path in below for run in find_runs(path)]


def read_run(folder: Path, *, split: str = "test") -> RunResult:
    """Read one run folder; damaged or missing scores become its ``state``, never an exception."""
    config, problem = _read_config(folder / "config.yaml")
    seed_folder = _SEED_FOLDER.fullmatch(folder.name)
    guessed_seed = int(seed_folder[1]) if seed_folder else None
    run = RunResult(folder, "unscored", config=config, seed=config.get("seed", guessed_seed))
    if seed_folder:  # the layout <settings id>/seed<seed> of conf/config.yaml, for runs that left no scores
        run.settings = folder.parent.name
    path = folder / ("" if split == "test" else split) / "metrics.json"
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
        if metrics["split"] != split:
            raise ValueError(f"its split is {metrics['split']}, not {split}")
        run.scores, run.data = metrics["scores"], metrics.get("data", {})
        run.settings, run.seed = metrics["run"]["settings"], metrics["run"]["seed"]
        run.state = "scored"
    except FileNotFoundError:
        run.state, run.error = _unscored_state(folder)
    except (ValueError, KeyError, TypeError) as error:
        run.state, run.error, run.scores, run.data = "damaged", f"{path.name} cannot be used ({error}).", {}, {}
    run.error = run.error or problem
    return run


def build_sweep(runs: Iterable[RunResult], *, split: str, headline: str = "top1_per_instance") -> Sweep:
    """Group runs by settings, summarise each group, and name the settings in which the groups differ."""
    by_settings: dict[str, list[RunResult]] = {}
    for run in runs:
        by_settings.setdefault(run.settings or str(run.folder), []).append(run)
    groups = []
    for settings, members in by_settings.items():
        members.sort(key=lambda run: (-1 if run.seed is None else run.seed, str(run.folder)))
        scored = [run for run in members if run.state == "scored"]
        groups.append(Group(settings, scored, [r for r in members if r.state != "scored"], summarize_scores(scored)))
    groups.sort(key=lambda group: (-group.scores[headline].mean if headline in group.scores else 1.0, group.settings))
    for group, differing in zip(groups, _differing_settings(groups), strict=True):
        group.differing = differing
    return Sweep(split, groups, _warnings(groups, split))


def summarize(values: Sequence[float]) -> Summary:
    """Mean, sample deviation and 95 % interval of the mean of at least one value."""
    n, mean = len(values), float(np.mean(values))
    if n == 1:
        return Summary(1, mean, None, None)
    from scipy.stats import t

    std = float(np.std(values, ddof=1))
    half = float(t.ppf(0.975, n - 1)) * std / n**0.5
    return Summary(n, mean, std, (mean - half, mean + half))


def summarize_scores(runs: list[RunResult]) -> dict[str, Summary]:
    """Summarise every score that is a number; a run in which it is undefined (None) does not count for it."""
    names = dict.fromkeys(name for run in runs for name in run.scores if not name.startswith("num_"))
    columns = {name: [run.scores[name] for run in runs if _is_number(run.scores.get(name))] for name in names}
    return {name: summarize(values) for name, values in columns.items() if values}


def flatten(node: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one: {"model": {"dropout": 0.1}} -> {"model.dropout": 0.1}; lists stay whole."""
    if isinstance(node, dict) and (node or not prefix):
        return {k: v for name, value in node.items() for k, v in flatten(value, f"{prefix}{name}.").items()}
    return {prefix.removesuffix("."): node}


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_training(folder: Path) -> bool:
    if any((folder / name).exists() for name in ("config.yaml", "metrics.json", "checkpoints")):
        return True
    status = _read_status(folder)
    return status.get("stage") != "report" and status.get("state") != "finished"


def _read_status(folder: Path) -> dict[str, Any]:
    try:
        status = json.loads((folder / "status.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        return {"state": "failed", "error": f"status.json is damaged ({error})."}
    return status if isinstance(status, dict) else {}


def _unscored_state(folder: Path) -> tuple[str, str]:
    status = _read_status(folder)
    if status.get("stage") == "report" or status.get("state") not in ("running", "failed"):
        return "unscored", ""
    return status["state"], status.get("error") or ""


def _read_config(path: Path) -> tuple[dict[str, Any], str]:
    """The flattened configuration, and what is wrong with its file ("" = nothing, also where there is none)."""
    if not path.exists():
        return {}, ""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    try:
        return flatten(OmegaConf.to_container(OmegaConf.load(path))), ""
    except (YAMLError, OmegaConfBaseException, OSError, ValueError) as error:
        first_line = str(error).partition("\n")[0]
        return {}, f"{path.name} cannot be read ({first_line})."


def _differing_settings(groups: list[Group]) -> list[dict[str, Any]]:
    """For each group the settings in which some groups differ; a key that a group lacks is left out."""
    configs = [next((run.config for run in [*g.runs, *g.unfinished] if run.config), {}) for g in groups]
    keys = sorted({k for config in configs for k in config if k.partition(".")[0] in SECTIONS})
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
        found.append(f"{missing} of {_runs(missing + len(scored))} have no scores on {split}; they are in no mean.")
    if len({(run.data.get("corpus"), run.data.get("clips_hash")) for run in scored}) > 1:
        found.append("The runs were not scored on the same clips, so their scores cannot be compared.")
    for group in groups:
        if len(set(group.seeds)) < len(group.runs):
            found.append(f"Settings {group.settings} hold a seed twice: its deviation is too small.")
    few = [group for group in groups if 0 < len(group.runs) < MIN_SEEDS]
    if few:
        found.append(
            f"{len(few)} of {len(groups)} settings have fewer than {MIN_SEEDS} scored runs: too few seeds to tell a "
            "difference between settings from chance."
        )
    if split == "test" and sum(bool(group.runs) for group in groups) > 1:
        found.append(
            "Choosing settings by their score on test makes the chosen score too good. Choose on val "
            "(run=evaluate run.split=val), then report test once."
        )
    return found
