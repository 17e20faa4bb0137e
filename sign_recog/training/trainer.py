"""The Lightning Trainer as our settings describe it."""

import logging
import warnings
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from pytorch_lightning.loggers import Logger

from sign_recog.config.schema import EarlyStoppingConfig, TrainerConfig
from sign_recog.training.callbacks import AtomicCheckpointIO, EpochProgress, FiniteLoss, MetricsCsv


def build_trainer(settings: TrainerConfig, folder: Path, loggers: list[Logger]) -> pl.Trainer:
    """Return a Trainer that writes metrics.csv and checkpoints/{best,last}.ckpt into ``folder``."""
    _quiet()
    # Checkpoints are written when an epoch and its validation are over, so a resumed run starts a whole epoch.
    whole_epoch: dict[str, Any] = {
        "dirpath": folder / "checkpoints",
        "save_on_train_epoch_end": True,
        "enable_version_counter": False,
    }
    callbacks: list[pl.Callback] = [
        FiniteLoss(),
        MetricsCsv(folder / "metrics.csv"),
        EpochProgress(),
        ModelCheckpoint(filename="best", monitor=settings.monitor, mode=settings.monitor_mode.value, **whole_epoch),
        ModelCheckpoint(filename="last", **whole_epoch),
    ]
    stopping = settings.early_stopping
    if stopping.enabled:
        callbacks.insert(0, _early_stopping(stopping))
    return pl.Trainer(
        max_epochs=settings.max_epochs,
        accelerator=settings.accelerator,
        devices=1,
        precision=settings.precision,  # type: ignore[arg-type]
        gradient_clip_val=settings.gradient_clip,
        deterministic="warn",
        logger=loggers,
        callbacks=callbacks,
        plugins=[AtomicCheckpointIO()],
        default_root_dir=folder,
        num_sanity_val_steps=0,
        log_every_n_steps=1,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def _early_stopping(settings: EarlyStoppingConfig) -> EarlyStopping:
    return EarlyStopping(
        monitor=settings.metric,
        mode=settings.mode.value,
        patience=settings.patience,
        min_delta=settings.min_delta,
        check_on_train_epoch_end=True,  # before the checkpoint is written, which so holds the counter
    )


def _quiet() -> None:
    """Without Lightning's advertisements and hints; its warnings stay."""
    logging.getLogger("pytorch_lightning.utilities.rank_zero").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*Checkpoint directory .* exists and is not empty.*")
    warnings.filterwarnings("ignore", message=".*LeafSpec.*is deprecated.*")  # Lightning 2.6 beside torch 2.13
