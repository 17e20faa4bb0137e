"""What the run folders below a folder say about themselves."""

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sign_recog.config.identity import ORDERED, WITHOUT_EFFECT, digest, sections_of
from sign_recog.storage.run_record import is_set_aside, read_record

RUN_FILES = ("config.yaml", "metrics.json", "status.json")
_SEED_FOLDER = re.compile(r"seed(\d+)")


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
        collapse: A translator's, see :mod:`sign_recog.evaluation.translation.collapse`; else empty.
        config: The run's configuration, flattened: "model.num_layers" -> value.
        choices: Group -> the option that was chosen: "model" -> "s3d"; empty where it was not recorded.
    """

    folder: Path
    state: str
    error: str = ""
    settings: str = ""
    seed: int | None = None
    scores: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    choices: dict[str, str] = field(default_factory=dict)
    collapse: dict[str, Any] = field(default_factory=dict)

    @property
    def strategy(self) -> str | None:
        """How its clips were divided; None = not known."""
        return self.config.get("data.split.strategy")

    @property
    def fold(self) -> int | None:
        """The fold it was tested on; None = its clips were not divided into folds."""
        return self.config["data.split.fold"] if (self.strategy or "").startswith("kfold") else None

    def settings_without(self, *keys: str) -> str:
        """Id that runs share which differ in the seed and in ``keys`` only; ``settings`` where there is no config."""
        translates = any(key.startswith("tokenizer.") for key in self.config)
        sections = sections_of(str(self.config.get("model._target_", "")), translates=translates)
        effect = {key: value for key, value in self.config.items() if key.partition(".")[0] in sections}
        if not effect:
            return self.settings or str(self.folder)
        unread = {*keys, *(".".join(path) for path in WITHOUT_EFFECT)}
        steps = [key for key in effect if key.startswith(tuple(f"{'.'.join(path)}." for path in ORDERED))]
        return digest([{key: value for key, value in effect.items() if key not in unread}, steps])


def find_runs(folder: Path) -> list[Path]:
    """Return ``folder`` if it is a run's, else the run folders below it, sorted.

    A run's folder holds one of ``RUN_FILES``. A folder in which only ``status.json`` tells of another
    finished stage, or of a report, was no training and is left out; so are hidden folders, and earlier runs
    that were set aside.
    """
    if any((folder / name).is_file() for name in RUN_FILES):
        return [folder] if _is_training(folder) else []
    with os.scandir(folder) as entries:
        below = sorted(entry.path for entry in entries if not entry.name.startswith(".") and entry.is_dir())
    return [run for path in map(Path, below) if not is_set_aside(path) for run in find_runs(path)]


def read_run(folder: Path, *, split: str = "test") -> RunResult:
    """Read one run folder; damaged or missing scores become its ``state``, never an exception."""
    config, problem = _read_config(folder / "config.yaml")
    seed_folder = _SEED_FOLDER.fullmatch(folder.name)
    guessed_seed = int(seed_folder[1]) if seed_folder else None
    run = RunResult(folder, "unscored", config=config, seed=config.get("seed", guessed_seed))
    if record := read_record(folder):
        run.choices = record.choices
    if seed_folder:  # the layout <settings id>/seed<seed> of conf/config.yaml, for runs that left no scores
        run.settings = folder.parent.name
    path = folder / ("" if split == "test" else split) / "metrics.json"
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
        if metrics["split"] != split:
            raise ValueError(f"its split is {metrics['split']}, not {split}")
        run.scores, run.data = metrics["scores"], metrics.get("data", {})
        run.collapse = metrics.get("collapse", {})
        run.settings, run.seed = metrics["run"]["settings"], metrics["run"]["seed"]
        run.state = "scored"
    except FileNotFoundError:
        run.state, run.error = _unscored_state(folder)
    except (ValueError, KeyError, TypeError) as error:
        run.state, run.error, run.scores, run.data = "damaged", f"{path.name} cannot be used ({error}).", {}, {}
    run.error = run.error or problem
    return run


def flatten(node: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one: {"model": {"dropout": 0.1}} -> {"model.dropout": 0.1}; lists stay whole."""
    if isinstance(node, dict) and (node or not prefix):
        return {k: v for name, value in node.items() for k, v in flatten(value, f"{prefix}{name}.").items()}
    return {prefix.removesuffix("."): node}


def _is_training(folder: Path) -> bool:
    if any((folder / name).exists() for name in ("config.yaml", "metrics.json", "checkpoints")):
        return True
    status = _read_status(folder)
    return (
        status.get("stage") in ("classify", "translate", "train_pose", "pipeline", None)
        and status.get("state") != "finished"
    )


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
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where PyYAML was built with libyaml
    try:
        return flatten(yaml.load(path.read_text(encoding="utf-8"), Loader=loader) or {}), ""
    except (yaml.YAMLError, OSError, ValueError) as error:
        first_line = str(error).partition("\n")[0]
        return {}, f"{path.name} cannot be read ({first_line})."
