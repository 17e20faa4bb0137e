"""What is written down after every evaluation: the table of metrics, the progress file and the progress line."""

import csv
import io
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from tqdm import tqdm

from sign_recog.storage import atomic
from sign_recog.training.budget import Budget

# S1's log columns, with units, and the optimiser steps taken.
COLUMNS = (
    "epoch",
    "step",
    "train_loss",
    "train_gloss_acc",
    "val_loss",
    "val_gloss_acc",
    "val_gloss_top5",
    "val_category_acc",
    "lr",
    "gloss_weight",
    "category_weight",
    "regularization",
    "epoch_time_s",
    "gpu_memory_allocated_mb",
    "gpu_memory_reserved_mb",
)
TRANSLATION_COLUMNS = (
    *COLUMNS[:3], "train_token_acc", "val_loss", "val_token_acc", "val_bleu1", "val_bleu2", "val_bleu3", "val_bleu4",
    "val_chrf", "val_length_ratio", "lr", *COLUMNS[-3:],
)  # fmt: skip
POSE_COLUMNS = (
    *COLUMNS[:3], "train_pixel_error", "val_loss", "val_pixel_error", "train_temporal", "train_pca_singleview",
    "train_pca_multiview", "lr", *COLUMNS[-3:],
)  # fmt: skip


class MetricsCsv(pl.Callback):
    """``metrics.csv``: one header, one row an evaluation, which is one an epoch unless ``trainer.eval_every_steps``.

    ``epoch`` is the one the last step belonged to. Training figures are means over the clips since the last row.
    The rows travel in the checkpoint, so a resumed run writes the table an undisturbed one writes;
    Lightning's CSVLogger would start a new file and mixes steps with epochs.
    """

    def __init__(self, path: Path, budget: Budget, columns: Sequence[str] = COLUMNS):
        self._path, self._budget, self._columns, self._start = path, budget, columns, 0.0
        self._rows: list[dict[str, Any]] = []

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._start = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        values = metric_values(trainer)
        values["lr"] = trainer.optimizers[0].param_groups[0]["lr"]
        step = trainer.global_step
        row: dict[str, Any] = {"epoch": self._budget.epoch_of(step), "step": step}
        row |= {name: f"{values[name]:.6g}" for name in self._columns if name in values}
        row["epoch_time_s"] = round(time.perf_counter() - self._start, 3)
        if torch.cuda.is_available():
            row["gpu_memory_allocated_mb"] = round(torch.cuda.max_memory_allocated() / 2**20)
            row["gpu_memory_reserved_mb"] = round(torch.cuda.max_memory_reserved() / 2**20)
        self._rows.append(row)
        if not trainer.is_global_zero:
            return
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, self._columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self._rows)
        atomic.write_text(self._path, buffer.getvalue())

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self._rows}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._rows = list(state["rows"])


class Progress(pl.Callback):
    """``progress.json`` for programs that watch a training, and a bar on the terminal for people.

    The file says epoch and step, and of how many; seconds since this process began to train; ``eta_s``, the seconds
    left at this process's speed (null before the first evaluation); and the latest metrics (null = not finite).
    """

    def __init__(self, path: Path, budget: Budget):
        self._path, self._budget = path, budget
        self._start, self._first_step = 0.0, 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._start, self._first_step = time.perf_counter(), trainer.global_step
        self._write(trainer)
        self._bar = tqdm(
            total=self._budget.total_steps,
            initial=trainer.global_step,
            desc=self._where(trainer),
            unit="step",
            mininterval=1.0,
            disable=not trainer.is_global_zero,
        )

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._write(trainer)
        values = metric_values(trainer)
        shown = {
            name: f"{values[name]:.3f}"
            for name in ("train_loss", "val_loss", "val_gloss_acc", "val_bleu4", "val_pixel_error")
            if name in values
        }
        self._bar.set_postfix(shown, refresh=False)
        self._bar.set_description(self._where(trainer), refresh=False)

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step > self._bar.n:
            self._bar.update(trainer.global_step - self._bar.n)

    def _where(self, trainer: pl.Trainer) -> str:
        return f"training, epoch {min(self._budget.epoch_of(trainer.global_step + 1), self._budget.epochs)}"

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._bar.close()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        if hasattr(self, "_bar"):
            self._bar.close()

    def _write(self, trainer: pl.Trainer) -> None:
        if not trainer.is_global_zero:
            return
        step, seconds = trainer.global_step, time.perf_counter() - self._start
        done, left = step - self._first_step, self._budget.total_steps - step
        content = {
            "epoch": self._budget.epoch_of(step),
            "epochs": self._budget.epochs,
            "step": step,
            "steps": self._budget.total_steps,
            "seconds": round(seconds, 3),
            "eta_s": round(seconds / done * left, 3) if done else None,
            "metrics": {n: v if math.isfinite(v) else None for n, v in sorted(metric_values(trainer).items())},
            "updated": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        }
        atomic.write_json(self._path, content)


def metric_values(trainer: pl.Trainer) -> dict[str, float]:
    """The latest logged metrics."""
    return {name: float(value) for name, value in trainer.callback_metrics.items()}
