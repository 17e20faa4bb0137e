"""The Lightning Trainer as our settings describe it."""

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.plugins.environments import LightningEnvironment
from pytorch_lightning.callbacks import EarlyStopping
from pytorch_lightning.loggers import Logger
from torch.utils.data import DataLoader

from sign_recog.config.trainer import EarlyStoppingConfig, TrainerConfig
from sign_recog.storage import checkpoint, meeting
from sign_recog.training.budget import Budget, BudgetedTrainer, StopAtBudget, sampler_of
from sign_recog.training.callbacks import COLUMNS, MetricsCsv, Progress
from sign_recog.training.checkpoints import AtomicCheckpointIO, checkpoint_callbacks
from sign_recog.training.ema import ExponentialMovingAverage
from sign_recog.training.finite import FiniteSteps
from sign_recog.training.precision import check_accelerator, on_cuda, usable_precision
from sign_recog.training.processes import rank_and_size
from sign_recog.training.strategy import SharedSteps


def build_trainer(
    settings: TrainerConfig,
    folder: Path,
    loggers: list[Logger],
    *,
    budget: Budget,
    columns: Sequence[str] = COLUMNS,
    callbacks: Sequence[pl.Callback] = (),
) -> BudgetedTrainer:
    """Return a Trainer that writes metrics.csv, progress.json and checkpoints/{best,last}.ckpt into ``folder``.

    In a group of processes (training/processes.py) it is one of theirs; rank 0 writes.

    Args:
        columns: Of metrics.csv.
        callbacks: Further ones.

    Raises:
        ConfigError: If the machine lacks the accelerator asked for.
    """
    _quiet()
    check_accelerator(settings)
    size = rank_and_size()[1]
    shared: dict[str, Any] = {}
    if size > 1:
        strategy = SharedSteps(frees_parts=any(getattr(callback, "frees_parts", False) for callback in callbacks))
        # Batch norms then see the whole batch, as in one process; torch has that for GPUs only.
        shared = {"strategy": strategy, "sync_batchnorm": on_cuda(settings), "use_distributed_sampler": False}
    # The order matters: nothing may be written or decided from numbers that are not finite, and checkpoints,
    # which Lightning puts last, hold the state that all others have at the end of a round.
    own: list[pl.Callback] = [FiniteSteps(), StopAtBudget(budget), *callbacks]
    if settings.ema.enabled:
        own.append(ExponentialMovingAverage(settings.ema))
    own += [MetricsCsv(folder / "metrics.csv", budget, columns), Progress(folder / "progress.json", budget)]
    if settings.early_stopping.enabled:
        own.append(_early_stopping(settings.early_stopping))
    return BudgetedTrainer(
        budget,
        accelerator=settings.accelerator,
        devices=size // meeting.num_nodes(),
        num_nodes=meeting.num_nodes(),
        **shared,
        precision=usable_precision(settings),
        accumulate_grad_batches=settings.accumulate,
        gradient_clip_val=settings.gradient_clip,
        deterministic="warn",
        logger=loggers,
        callbacks=[*own, *checkpoint_callbacks(settings, folder / "checkpoints")],
        # Under Slurm Lightning would take signals and requeue by itself; a repeated command resumes here.
        plugins=[AtomicCheckpointIO(), LightningEnvironment()],
        default_root_dir=folder,
        num_sanity_val_steps=0,
        log_every_n_steps=1,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def fit(
    trainer: BudgetedTrainer,
    module: pl.LightningModule,
    train_loader: DataLoader,
    val_loader: DataLoader,
    *,
    resume: Path | None,
) -> None:
    """Train to the end of the budget, from the beginning or from the checkpoint ``resume``.

    In a group of processes each takes its share of every batch of both loaders.
    """
    for loader in (train_loader, val_loader):
        sampler_of(loader).divide(*rank_and_size())
    if resume is not None:
        # Loader processes are asked for their first batches before Lightning tells the sampler which round it is.
        sampler_of(train_loader).set_epoch(checkpoint.load(resume)["epoch"] + 1)
    trainer.fit(module, train_loader, val_loader, ckpt_path=resume, weights_only=True)


def _early_stopping(settings: EarlyStoppingConfig) -> EarlyStopping:
    return EarlyStopping(
        monitor=settings.metric,
        mode=settings.mode.value,
        patience=settings.patience,
        min_delta=settings.min_delta,
        check_finite=False,  # would end the training without a word, and a repeated command would go on
        check_on_train_epoch_end=True,  # before the checkpoint is written, which so holds the counter
    )


def _quiet() -> None:
    """Without Lightning's advertisements and hints; its warnings stay."""
    logging.getLogger("pytorch_lightning.utilities.rank_zero").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*Checkpoint directory .* exists and is not empty.*")
    warnings.filterwarnings("ignore", message=".*sync_dist=True.*")  # what is logged is over all processes already
    warnings.filterwarnings("ignore", message=".*LeafSpec.*is deprecated.*")  # Lightning 2.6 beside torch 2.13
    warnings.filterwarnings("ignore", message=".*module.* in eval mode at the start of training.*")  # frozen parts
    warnings.filterwarnings("ignore", message=".*`srun` command is available on your system but is not used.*")
