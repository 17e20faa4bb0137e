"""The Lightning module: one step of training and of validation."""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from sign_recog.data.vocabulary import NO_CATEGORY
from sign_recog.training.base import NetworkModule, Totals
from sign_recog.training.budget import clip_share, sampler_of
from sign_recog.training.losses import SignLoss
from sign_recog.types import Batch, Logits


class SignClassifier(NetworkModule):
    """A recognition network with its loss and optimiser.

    Logged once an epoch, over all clips of the split: ``train_loss``, ``val_loss``, ``train_gloss_acc``,
    ``val_gloss_acc``, ``val_gloss_top5``, and with a category head ``val_category_acc``. Both losses are the sum with
    the given task weights, whatever weights training uses, so that epochs and splits compare. At its end:
    ``gloss_weight`` and ``category_weight`` in use, and ``regularization``, the penalty on weights that was added.

    Args: as :class:`sign_recog.training.base.NetworkModule`.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: SignLoss,
        build_optimizer: Callable[..., torch.optim.Optimizer],
        build_scheduler: Callable[..., Any],
        record: dict[str, Any],
        *,
        seed: int,
    ):
        super().__init__(network, build_optimizer, build_scheduler, record, seed=seed)
        self.loss = loss

    def forward(self, batch: Batch) -> Logits:
        """Logits of a batch; its languages are passed on where it has them."""
        language = (batch["language"],) if "language" in batch else ()
        return self.network(batch["sequence"], batch["padding_mask"], *language)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        share = clip_share(self.trainer, batch_idx)
        losses = self._step("train", batch, counts=share > 0)
        epoch = self._budget.epoch_of(self.global_step + 1) - 1
        objective, penalty = self.loss.objective(losses, epoch=epoch), self.loss.penalty()
        total = objective if penalty is None else objective + penalty
        return total * share

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        if not (self.trainer.is_last_batch or self.trainer.should_stop):
            return
        values: dict[str, Any] = {f"{task}_weight": weight for task, weight in self.loss.weighting.weights().items()}
        penalty = self.loss.penalty()
        if penalty is not None:
            values["regularization"] = penalty.detach()
        self._log(self._totals.pop("train", Totals()).means() | values)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        loader = self.trainer.val_dataloaders
        if sampler_of(cast(DataLoader, loader)).own(batch_idx):
            self._step("val", batch)

    def on_validation_epoch_end(self) -> None:
        self._log(self._totals.pop("val", Totals()).means())

    def probe_loss(self, batch: Batch) -> Tensor:
        return self.loss.total(self.loss(self(batch), batch))

    def own_parameters(self) -> list[nn.Parameter]:
        """Those of the loss: weights of the tasks may learn."""
        return [p for p in self.loss.parameters() if p.requires_grad]

    def _step(self, split: str, batch: Batch, *, counts: bool = True) -> dict[str, Tensor]:
        """Each head's loss; the figures of a batch are averaged over the epoch so that every clip counts once.

        Args:
            counts: False = it is another process's clip, see :class:`BucketBatchSampler`.
        """
        logits = self(batch)
        losses = self.loss(logits, batch)
        if not counts:
            return losses
        num_clips = len(batch["gloss"])
        figures: dict[str, tuple[Any, Any]] = {
            f"{split}_loss": (self.loss.total(losses).detach() * num_clips, num_clips),
        }
        hits = logits["gloss_logits"].detach().argmax(1) == batch["gloss"]
        figures[f"{split}_gloss_acc"] = (hits.sum(), len(hits))
        if split == "val":
            best = logits["gloss_logits"].topk(min(5, logits["gloss_logits"].shape[1]), dim=1).indices
            figures["val_gloss_top5"] = ((best == batch["gloss"][:, None]).sum(), len(hits))
        if split == "val" and "category_logits" in logits:
            labelled = batch["category"] != NO_CATEGORY
            hits = (logits["category_logits"].argmax(1) == batch["category"]) & labelled
            figures["val_category_acc"] = (hits.sum(), labelled.sum())
        self._totals.setdefault(split, Totals()).add(figures)
        return losses
