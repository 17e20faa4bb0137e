"""The Lightning module: one step of training and of validation."""

from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import LRSchedulerConfigType, OptimizerLRSchedulerConfig
from torch import Tensor, nn

from sign_recog.data.vocabulary import NO_CATEGORY
from sign_recog.storage.checkpoint import FORMAT, KEY
from sign_recog.types import Batch, Logits


class SignClassifier(pl.LightningModule):
    """A recognition network with its loss and optimiser.

    Logged once an epoch, over all clips of the split: ``train_loss``, ``val_loss``, ``train_gloss_acc``,
    ``val_gloss_acc``, and with a category head ``val_category_acc``.

    Args:
        build_optimizer: Parameter groups -> optimiser. Biases, norms and other vectors are not decayed.
        build_scheduler: Optimiser, ``total_steps`` -> learning-rate scheduler, stepped after every batch.
        record: What :func:`sign_recog.storage.checkpoint.read_checkpoint` gives back; stored in every checkpoint.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: nn.Module,
        build_optimizer: Callable[..., torch.optim.Optimizer],
        build_scheduler: Callable[..., Any],
        record: dict[str, Any],
        *,
        seed: int,
    ):
        super().__init__()
        self.network, self.loss = network, loss
        self._build_optimizer, self._build_scheduler = build_optimizer, build_scheduler
        self._record, self._seed = record, seed

    def forward(self, sequence: Tensor, padding_mask: Tensor) -> Logits:
        return self.network(sequence, padding_mask)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        # Every step has a random stream of its own: a resumed run, or one with loader processes, draws
        # what an undisturbed one draws, however often a loader or a hook took from the global stream.
        torch.manual_seed(self._seed * 1_000_003 + self.global_step)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        return self._step("train", batch)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self._step("val", batch)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        parameters = list(self.network.parameters())
        matrices = {"params": [p for p in parameters if p.ndim > 1]}
        vectors = {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0}
        optimizer = self._build_optimizer([matrices, vectors])
        steps = int(self.trainer.estimated_stepping_batches)
        scheduler = self._build_scheduler(optimizer, total_steps=steps)
        stepped: LRSchedulerConfigType = {"scheduler": scheduler, "interval": "step"}
        return {"optimizer": optimizer, "lr_scheduler": stepped}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        metrics = {name: float(value) for name, value in self.trainer.callback_metrics.items()}
        checkpoint[KEY] = {"format": FORMAT, **self._record, "metrics": metrics}

    def _step(self, split: str, batch: Batch) -> Tensor:
        """Loss of a batch; its figures are averaged over the epoch so that every clip counts once."""
        logits = self(batch["sequence"], batch["padding_mask"])
        loss = self.loss(logits, batch)
        hits = logits["gloss_logits"].detach().argmax(1) == batch["gloss"]
        self._log(f"{split}_loss", loss.detach(), len(hits))
        self._log(f"{split}_gloss_acc", hits.float().mean(), len(hits))
        if split == "val" and "category_logits" in logits:
            labelled = batch["category"] != NO_CATEGORY
            hits = (logits["category_logits"].argmax(1) == batch["category"])[labelled]
            if len(hits):
                self._log("val_category_acc", hits.float().mean(), len(hits))
        return loss

    def _log(self, name: str, value: Tensor, num_clips: int) -> None:
        self.log(name, value, on_step=False, on_epoch=True, batch_size=num_clips)
