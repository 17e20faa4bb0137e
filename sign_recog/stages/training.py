"""What every training does around its own work: look back, train here or in several processes, say how it ended."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn
from torch.utils.data import DataLoader

from sign_recog.config import Config, identity
from sign_recog.errors import CheckpointError, ConfigError, DataError, Stopped
from sign_recog.stages.build import build
from sign_recog.stages.earlier import read_training, record_run, resume_point
from sign_recog.stages.run_folder import plain, run_dir, write_config
from sign_recog.storage import checkpoint
from sign_recog.storage.meeting import num_nodes
from sign_recog.storage.run_record import read_record
from sign_recog.training.budget import Budget
from sign_recog.training.freeze import Freeze
from sign_recog.training.memory_probe import MemoryProbe
from sign_recog.training.precision import check_accelerator, compile_network, num_devices, on_cuda
from sign_recog.training.processes import run_in_processes
from sign_recog.training.reproducibility import git_commit, peak_memory, record_end, record_start
from sign_recog.training.trainer import build_trainer, fit

logger = logging.getLogger(__name__)
Memory = dict[str, int | None]


@dataclass(frozen=True)
class Begun:
    """A training that a run folder holds; all None where there is none.

    Attributes:
        path: The checkpoint to go on from.
        content: All of it.
        own: Our part of it.
    """

    path: Path | None = None
    content: dict[str, Any] | None = None
    own: dict[str, Any] | None = None


def look_back(config: Config, task: str) -> Begun:
    """What the run folder holds of an earlier command.

    Raises:
        ConfigError: If that was with other settings.
        CheckpointError: If it is damaged, none of this program's, or of another task.
    """
    folder = run_dir(config)
    point = resume_point(folder)
    if point is None:
        return Begun()
    content = checkpoint.load(point)
    own = checkpoint.own_part(content, point)
    if (before := checkpoint.task_of(own)) != task:
        raise CheckpointError(f"{folder} holds a training of {before}, and this is one of {task}. Use another folder.")
    _refuse_changed_settings(config, own["config"], folder)
    return Begun(point, content, own)


def train_to_end(
    config: Config, begun: Begun, budget: Budget, work: Callable[[], Memory], *, check: Callable[[], None] | None = None
) -> None:
    """Train, or go on, or say that nothing is left to do.

    Args:
        work: What each process of the training does.
        check: Raises if the training is not to begin.
    """
    folder = run_dir(config)
    selected = folder / "checkpoints" / f"{config.trainer.select.value}.ckpt"
    # run=clean may have removed last.ckpt of a training that is over.
    over = selected.exists() and read_training(folder).trained
    if begun.content is not None and (over or _finished(begun.content, config, budget)):
        logger.info("%s: this training has finished; nothing to do.", folder)
        return
    if begun.own is not None and begun.path is not None and begun.path.name != "last.ckpt":
        logger.warning("last.ckpt is missing, so training goes on from %s, epoch %d.", begun.path, begun.own["epoch"])
    write_config(config)
    record_run(config)
    record_start(folder / "provenance.json", config.seed)
    check_accelerator(config.trainer)
    if check is not None:
        check()
    memory = _train(config, work)
    record_end(folder / "provenance.json", memory)


def record_trained(config: Config, chosen: checkpoint.TrainedNetwork) -> tuple[float, dict[str, Any]]:
    """Write down that a training is over; return its objective, and what its summary says in any case."""
    objective = chosen.metrics[config.trainer.monitor]
    epochs, steps = _length(run_dir(config), chosen)
    record_run(config, trained=True, epochs=epochs, steps=steps, objective=objective)
    return objective, {
        "parameters": sum(weight.numel() for weight in chosen.weights.values()),
        "epochs": epochs,
        "steps": steps,
        "selected checkpoint": chosen.path,
        "selected epoch": chosen.epoch,
        **{name: chosen.metrics[name] for name in sorted(chosen.metrics) if name.startswith("val_")},
    }


def fit_module(
    config: Config,
    module: Any,
    network: nn.Module,
    loaders: dict[str, DataLoader],
    budget: Budget,
    *,
    columns: tuple[str, ...],
    resume: Path | None,
    callbacks: Sequence[Any] = (),
) -> Memory:
    """Train ``module`` in this process, which may be one of several; return the most memory it has used."""
    if config.trainer.compile:
        compile_network(network, config.trainer)
    folder = run_dir(config)
    loggers = [build(node)(folder) for node in config.logger.values()]
    for one in loggers:
        one.log_hyperparams({**plain(config), "git_commit": git_commit()})
    own: list[Any] = [Freeze(network, config.transfer)] if config.transfer.freeze_parts else []
    if config.trainer.memory_probe:
        own.append(MemoryProbe(loaders["train"]))
    trainer = build_trainer(
        config.trainer, folder, loggers, budget=budget, columns=columns, callbacks=[*own, *callbacks]
    )
    fit(trainer, module, loaders["train"], loaders["val"], resume=resume)
    return peak_memory()


def refuse_changed_clips(clip_ids: Sequence[str], before: list[str], folder: Path, *, what: str = "clips") -> None:
    """A training that went on with other clips would be neither the old one nor a new one.

    Args:
        what: Is trained on.

    Raises:
        DataError: If they differ.
    """
    differ = sorted(set(clip_ids) ^ set(before))
    if differ:
        raise DataError(
            f"{folder} holds a training on {len(before)} train {what}; now there are {len(clip_ids)}, and "
            f"{len(differ)} are in only one of the two ({', '.join(differ[:3])}{', ...' if len(differ) > 3 else ''}). "
            "Use another paths.run_dir, or delete this folder to train anew."
        )


def shares_batches(config: Config) -> bool:
    """Whether several processes will share every batch."""
    return num_devices(config.trainer) * num_nodes() > 1


def _train(config: Config, work: Callable[[], Memory]) -> list[Memory]:
    """Train here, or in a process for each device; return the most memory each process has used."""
    size = num_devices(config.trainer)
    try:
        if size * num_nodes() > config.trainer.batch_size:
            raise ConfigError(
                f"{num_nodes()} nodes with {size} devices each share every batch, and trainer.batch_size="
                f"{config.trainer.batch_size} clips are too few for them. Use larger batches, or fewer devices."
            )
        return [work()] if size * num_nodes() == 1 else run_in_processes(work, size, cuda=on_cuda(config.trainer))
    except SystemExit as error:  # the answer to Ctrl-C and to SIGTERM, Lightning's too
        last = run_dir(config) / "checkpoints" / "last.ckpt"
        kept = f"{last} holds epoch {checkpoint.read_trained(last).epoch}" if last.exists() else "No epoch was over"
        raise Stopped(f"Training was stopped. {kept}; the same command goes on from there.") from error


def _length(folder: Path, chosen: checkpoint.TrainedNetwork) -> tuple[int, int]:
    """Epochs and steps of a training that is over."""
    last, record = folder / "checkpoints" / "last.ckpt", read_record(folder)
    if last.exists() or record is None or record.epochs is None or record.steps is None:
        final = checkpoint.read_trained(last) if last.exists() else chosen
        return final.epoch, final.step
    return record.epochs, record.steps


def _finished(content: dict[str, Any], config: Config, budget: Budget) -> bool:
    """Whether a last checkpoint is a training's end: its budget is used, or it had stopped early."""
    if content["global_step"] >= budget.total_steps:
        return True
    states = [state for name, state in content["callbacks"].items() if name.startswith("EarlyStopping")]
    return config.trainer.early_stopping.enabled and any(s["wait_count"] >= s["patience"] for s in states)


def _refuse_changed_settings(config: Config, stored: dict[str, Any], folder: Path) -> None:
    """A folder given by hand may hold a training with other settings; naming them beats mixing them."""
    differing = identity.changed_settings(plain(config), stored)
    changed = [f"{key}: {before} then, {now} now" for key, before, now in differing]
    if changed:
        listed = "\n  - ".join(changed)
        raise ConfigError(
            f"{folder} holds a training with other settings:\n  - {listed}\n"
            "Use another paths.run_dir, or give the settings of then."
        )
