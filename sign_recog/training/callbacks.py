"""What happens around the epochs: the table of metrics, the progress line, whole checkpoints."""

import csv
import io
import os
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO
from tqdm import tqdm

from sign_recog.storage import atomic

# S1's log columns, with units.
COLUMNS = (
    "epoch",
    "train_loss",
    "train_gloss_acc",
    "val_loss",
    "val_gloss_acc",
    "val_category_acc",
    "lr",
    "epoch_time_s",
    "gpu_memory_allocated_mb",
    "gpu_memory_reserved_mb",
)


class MetricsCsv(pl.Callback):
    """``metrics.csv``: one header, one row an epoch.

    The rows travel in the checkpoint, so a resumed run writes the table an undisturbed one writes;
    Lightning's CSVLogger would start a new file and mixes steps with epochs.
    """

    def __init__(self, path: Path):
        self._path, self._start = path, 0.0
        self._rows: list[dict[str, Any]] = []

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._start = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        values = {name: float(value) for name, value in trainer.callback_metrics.items()}
        values["lr"] = trainer.optimizers[0].param_groups[0]["lr"]
        row: dict[str, Any] = {"epoch": trainer.current_epoch + 1}
        row |= {name: f"{values[name]:.6g}" for name in COLUMNS if name in values}
        row["epoch_time_s"] = round(time.perf_counter() - self._start, 3)
        if torch.cuda.is_available():
            row["gpu_memory_allocated_mb"] = round(torch.cuda.max_memory_allocated() / 2**20)
            row["gpu_memory_reserved_mb"] = round(torch.cuda.max_memory_reserved() / 2**20)
        self._rows.append(row)
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self._rows)
        atomic.write_text(self._path, buffer.getvalue())

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self._rows}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._rows = list(state["rows"])


class EpochProgress(pl.Callback):
    """One bar over the epochs, with rate, time left and the latest validation figures."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._bar = tqdm(
            total=trainer.max_epochs, initial=trainer.current_epoch, desc="training", unit="epoch", mininterval=1.0
        )

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        shown = ("train_loss", "val_loss", "val_gloss_acc")
        values = {name: float(trainer.callback_metrics[name]) for name in shown if name in trainer.callback_metrics}
        self._bar.set_postfix({name: f"{value:.3f}" for name, value in values.items()}, refresh=False)
        self._bar.update()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._bar.close()


class FiniteLoss(pl.Callback):
    """End a run whose loss is no longer a number, naming the clips of the batch."""

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        from sign_recog.errors import DataError

        if not torch.isfinite(outputs["loss"]):
            raise DataError(
                f"The loss is {float(outputs['loss'])} in epoch {trainer.current_epoch + 1}, batch {batch_idx + 1}, "
                f"with the clips {', '.join(batch['clip_id'])}. Check them with run=validate, or lower optim.lr."
            )


class AtomicCheckpointIO(TorchCheckpointIO):
    """Checkpoints appear whole or not at all."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        with atomic.replaced(Path(os.fspath(path))) as temporary:
            torch.save(checkpoint, temporary)
