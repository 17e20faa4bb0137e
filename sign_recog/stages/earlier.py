"""What has been trained before: in this run's folder, and of the same settings elsewhere.

All of it is read from small files, so that a sweep of many jobs is settled beside thousands of runs in a moment.
"""

import json
import logging
import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sign_recog.config import Config, identity
from sign_recog.errors import ConfigError
from sign_recog.evaluation.headline import headline_of
from sign_recog.evaluation.runs import find_runs, read_run
from sign_recog.evaluation.views import views_of
from sign_recog.stages import StageResult
from sign_recog.stages.run_folder import plain, run_dir
from sign_recog.storage.run_record import (
    RunRecord,
    read_record,
    set_aside,
    step_checkpoints,
    step_of,
    write_record,
)

logger = logging.getLogger(__name__)
Key = tuple[str, int]  # settings and seed


@dataclass(frozen=True)
class Training:
    """A training as its folder tells of it.

    Attributes:
        begun: Whether it has a checkpoint.
        trained: Whether it came to its end.
        epoch, epochs: The latest it has finished, and how many there will be; None = not known.
        running: Whether its status says so; a process that was killed leaves that too.
    """

    folder: Path
    begun: bool
    trained: bool
    epoch: int | None
    epochs: int | None
    running: bool


def read_training(folder: Path) -> Training:
    """Read a run's folder, which need not exist."""
    record = read_record(folder)
    progress = _read(folder / "progress.json")
    trained = record.trained if record else "ended" in _read(folder / "provenance.json")
    begun = resume_candidates(folder) != []
    running = _read(folder / "status.json").get("state") == "running"
    return Training(folder, begun, trained and begun, progress.get("epoch"), progress.get("epochs"), running)


def resume_candidates(folder: Path) -> list[Path]:
    """The checkpoints a training can go on from: last.ckpt, or where it is missing the others."""
    last, best = (folder / "checkpoints" / f"{name}.ckpt" for name in ("last", "best"))
    if last.is_file():
        return [last]
    return [*([best] if best.is_file() else []), *step_checkpoints(folder)]


def resume_point(folder: Path) -> Path | None:
    """The checkpoint to go on from: last.ckpt, or where it is missing the one with most steps; None = none is there.

    Raises:
        CheckpointError: If best.ckpt has to be looked into and is damaged.
    """
    found = resume_candidates(folder)
    if len(found) < 2:
        return found[0] if found else None
    return max(found, key=_steps)


def _steps(path: Path) -> int:
    from sign_recog.storage import checkpoint

    step = step_of(path)
    return step if step is not None else int(checkpoint.load(path)["global_step"])


def settings_id(config: Config) -> str:
    """The id that runs of the same settings share, whatever their seed, name and folder."""
    return identity.settings_id(plain(config))


def trainings_below(root: Path) -> dict[Key, list[Path]]:
    """Settings and seed -> the run folders of theirs below ``root``."""
    found = defaultdict(list)
    for folder in find_runs(root) if root.is_dir() else []:
        if (key := _key(folder)) is not None:
            found[key].append(folder)
    return dict(found)


def _key(folder: Path) -> Key | None:
    if record := read_record(folder):
        return record.settings, record.seed
    run = read_run(folder)  # of an earlier version; its scores or its folder's name say it
    return (run.settings, run.seed) if run.settings and run.seed is not None else None


def find_trained(config: Config, known: dict[Key, list[Path]]) -> Training | None:
    """A finished training of these settings and this seed in another folder; an evaluated one, if there is one."""
    own = run_dir(config).resolve()
    others = [folder for folder in known.get((settings_id(config), config.seed), []) if folder.resolve() != own]
    trained = [found for folder in others if (found := read_training(folder)).trained]
    return min(trained, key=lambda one: len(missing_scores(config, one)), default=None)


def scored_split(config: Config) -> str | None:
    """The split that the command scores after its training; None = it only trains."""
    evaluate = getattr(config.run, "evaluate", None)
    return evaluate.split if evaluate is not None and "evaluate" in config.run.stages else None


def missing_scores(config: Config, training: Training) -> list[str]:
    """What the command scores after its training, and the folder of ``training`` does not hold; empty = nothing.

    Scores count if they are of the checkpoint, and of the views, that the command would score.
    """
    if (split := scored_split(config)) is None:
        return []
    evaluate, evaluation = config.run.evaluate, config.evaluation
    checkpoint = Path(evaluate.checkpoint or f"{config.trainer.select.value}.ckpt").name
    views = views_of({"views": plain(evaluation.views)})
    places = {name: "" if name == "test" else name for name in evaluation.sets_of(split)}
    if evaluation.shuffled:
        places["test with shuffled frames"] = "shuffled"
    missing = []
    for name, place in places.items():
        metrics = _read(training.folder / place / "metrics.json")
        there = metrics.get("run", {}).get("checkpoint") == checkpoint and views_of(metrics.get("data", {})) == views
        enough = place != "shuffled" or len(metrics.get("permutations", [])) >= evaluation.num_permutations
        if evaluate.corpus is not None or not (there and enough):  # another corpus's scores lie elsewhere
            missing.append(f"{name} as asked for here" if metrics else name)
    return missing


def is_done(config: Config, training: Training | None) -> bool:
    """Whether a training leaves nothing to do: it has ended, and all is scored that the command scores."""
    return training is not None and training.trained and not missing_scores(config, training)


def settle(config: Config) -> StageResult | None:
    """Look for earlier trainings before a command trains; a result is that of one, and nothing is left to do.

    Raises:
        ConfigError: If the training would repeat another folder's, or the run to be set aside is running.
    """
    settings = config.run.training()
    if settings is None:
        return None
    own = read_training(run_dir(config))
    if settings.force:
        _make_room(own)
        return None
    if settings.skip_existing and is_done(config, own):
        return _existing(config, own)
    other = None if own.begun else find_trained(config, trainings_below(Path(config.paths.output_root)))
    if other is None:
        return None
    if settings.skip_existing and is_done(config, other):
        return _existing(config, other)
    raise ConfigError(duplicate_message(config, other))


def duplicate_message(config: Config, other: Training) -> str:
    """Why a training is refused, and what to do."""
    scores = missing_scores(config, other)
    missing = f" It was not evaluated on {', '.join(scores)}." if scores else ""
    return (
        f"{other.folder} holds a finished training of the same settings and seed {config.seed}.{missing} Use it "
        f"(run=evaluate run.checkpoint={other.folder}/checkpoints/{config.trainer.select.value}.ckpt), leave out what "
        "is finished with skip_existing=true, or train once more with force=true."
    )


def _existing(config: Config, training: Training) -> StageResult:
    """The result that the finished command would have returned."""
    logger.info("%s: finished before; nothing to do (skip_existing=true).", training.folder)
    split = scored_split(config)
    if split is not None:
        scores = read_run(training.folder, split=split).scores
        objective = scores.get(headline_of(scores).score)
    else:
        objective = _objective(config, training.folder)
    return StageResult(objective=objective, summary={"finished before": training.folder})


def _objective(config: Config, folder: Path) -> float:
    record = read_record(folder)
    if record is not None and record.objective is not None:
        return record.objective
    from sign_recog.storage import checkpoint

    path = folder / "checkpoints" / f"{config.trainer.select.value}.ckpt"
    return checkpoint.read_trained(path).metrics[config.trainer.monitor]


def _make_room(own: Training) -> None:
    """Set an earlier run aside, so that training starts anew."""
    folder = own.folder
    if not own.begun and not (folder / "metrics.json").exists():
        return  # it was stopped before its first epoch was over
    job = os.environ.get("SLURM_JOB_ID")
    if job is not None and _read(folder / "provenance.json").get("slurm_job_id") == job:
        logger.info("%s: job %s began it with force=true and goes on, since it was requeued.", folder, job)
        return
    if own.running:
        raise ConfigError(
            f"{folder}: status.json says that it is running, so it is not set aside. Wait for it; if it was killed, "
            "repeat the command without force=true to go on, or delete the folder to begin anew."
        )
    target = set_aside(folder, staying=_of_this_command(folder))
    logger.warning("%s: the earlier run was set aside as %s (force=true). run=clean removes it.", folder, target)


def _of_this_command(folder: Path) -> Iterator[Path]:
    """What Hydra has written before the stage began."""
    yield from folder.glob(".hydra")
    yield from folder.glob("*.log")


def record_run(config: Config, **changes: Any) -> None:
    """Write ``run.json`` into the run folder."""
    folder = run_dir(config)
    before = read_record(folder)
    choices = chosen_options() or (before.choices if before else {})
    write_record(folder, RunRecord(settings_id(config), config.seed, choices=choices, **changes))


def chosen_options() -> dict[str, str]:
    """Group -> the option that the command chose; empty where Hydra did not start it."""
    from hydra.core.hydra_config import HydraConfig

    if not HydraConfig.initialized():
        return {}
    choices = HydraConfig.get().runtime.choices
    return {str(group): str(name) for group, name in choices.items() if name and not str(group).startswith("hydra/")}


def _read(path: Path) -> dict[str, Any]:
    """A JSON object; empty where the file is missing or damaged, as after a crash of the machine."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
