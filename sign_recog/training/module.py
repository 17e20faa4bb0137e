"""The Lightning module: one step of training and of validation."""

from collections.abc import Callable
from typing import Any, cast

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import LRSchedulerConfigType, OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.utils.data import DataLoader

from sign_recog.data.vocabulary import NO_CATEGORY
from sign_recog.storage.checkpoint import FORMAT, KEY
from sign_recog.training.budget import Budget, BudgetedTrainer, clip_share, sampler_of
from sign_recog.training.losses import SignLoss
from sign_recog.training.processes import gathered, rank_and_size
from sign_recog.training.schedulers import WarmupPlateau
from sign_recog.types import Batch, Logits


class SignClassifier(pl.LightningModule):
    """A recognition network with its loss and optimiser.

    Logged once an epoch, over all clips of the split: ``train_loss``, ``val_loss``, ``train_gloss_acc``,
    ``val_gloss_acc``, ``val_gloss_top5``, and with a category head ``val_category_acc``. Both losses are the sum with
    the given task weights, whatever weights training uses, so that epochs and splits compare. At its end:
    ``gloss_weight`` and ``category_weight`` in use, and ``regularization``, the penalty on weights that was added.

    Args:
        build_optimizer: Network, and parameters without decay -> optimiser.
        build_scheduler: Optimiser, ``total_steps`` and ``steps_per_epoch`` -> learning-rate scheduler, stepped with
            the optimiser; a :class:`WarmupPlateau` also with the evaluations.
        record: What :func:`sign_recog.storage.checkpoint.read_checkpoint` gives back; stored in every checkpoint.
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
        super().__init__()
        self.network, self.loss = network, loss
        self._build_optimizer, self._build_scheduler = build_optimizer, build_scheduler
        self._record, self._seed = record, seed
        self._totals: dict[str, _Totals] = {}
        self.frozen: list[nn.Module] = []  # parts that do not learn, see training/freeze.py

    def train(self, mode: bool = True) -> "SignClassifier":
        """As torch's, but frozen parts stay in eval mode: no dropout, fixed running statistics."""
        super().train(mode)
        for part in self.frozen:
            part.eval()
        return self

    def forward(self, batch: Batch) -> Logits:
        """Logits of a batch; its languages are passed on where it has them."""
        language = (batch["language"],) if "language" in batch else ()
        return self.network(batch["sequence"], batch["padding_mask"], *language)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        # Every batch has a random stream of its own: a resumed run, or one with loader processes, draws
        # what an undisturbed one draws, however often a loader or a hook took from the global stream.
        # Processes with other clips draw other masks for them.
        own = self._seed * 1_000_003 + self.trainer.fit_loop.total_batch_idx
        _seed_torch(own + self.global_rank * 2**40)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        share = clip_share(self.trainer, batch_idx)
        losses = self._step("train", batch, counts=share > 0)
        epoch = self._budget.epoch_of(self.global_step + 1) - 1
        objective, penalty = self.loss.objective(losses, epoch=epoch), self.loss.penalty()
        total = objective if penalty is None else objective + penalty
        return total * share

    def configure_gradient_clipping(
        self, optimizer: Any, gradient_clip_val: Any = None, gradient_clip_algorithm: Any = None
    ) -> None:
        """As Lightning's; but with bf16 it refuses fused optimisers, which only fp16's scaled gradients forbid."""
        if gradient_clip_val is None or getattr(self.trainer.precision_plugin, "scaler", None) is not None:
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)
            return
        nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], gradient_clip_val)

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        if not (self.trainer.is_last_batch or self.trainer.should_stop):
            return
        values: dict[str, Any] = {f"{task}_weight": weight for task, weight in self.loss.weighting.weights().items()}
        penalty = self.loss.penalty()
        if penalty is not None:
            values["regularization"] = penalty.detach()
        self._log(self._totals.pop("train", _Totals()).means() | values)

    def on_train_epoch_end(self) -> None:
        for scheduler in (config.scheduler for config in self.trainer.lr_scheduler_configs):
            if isinstance(scheduler, WarmupPlateau):
                scheduler.step_evaluation(self.trainer.callback_metrics)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        loader = self.trainer.val_dataloaders
        if sampler_of(cast(DataLoader, loader)).own(batch_idx):
            self._step("val", batch)

    def on_validation_epoch_end(self) -> None:
        self._log(self._totals.pop("val", _Totals()).means())

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        own = [p for p in self.loss.parameters() if p.requires_grad]
        optimizer = self._build_optimizer(self.network, own)
        steps = int(self.trainer.estimated_stepping_batches)
        in_epoch = self._budget.steps_per_epoch
        scheduler = self._build_scheduler(optimizer, total_steps=steps, steps_per_epoch=in_epoch)
        stepped: LRSchedulerConfigType = {"scheduler": scheduler, "interval": "step"}
        return {"optimizer": optimizer, "lr_scheduler": stepped}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        metrics = {name: float(value) for name, value in self.trainer.callback_metrics.items()}
        step = self.global_step
        done = {"epoch": self._budget.epoch_of(step), "step": step}
        checkpoint[KEY] = {"format": FORMAT, **self._record, **done, "metrics": metrics}

    @property
    def _budget(self) -> Budget:
        return cast(BudgetedTrainer, self.trainer).budget

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
        self._totals.setdefault(split, _Totals()).add(figures)
        return losses

    def _log(self, values: dict[str, Any]) -> None:
        """Hand figures of a whole round to Lightning: at its end, since asking it at every step costs milliseconds."""
        for name, value in values.items():
            self.log(name, value, on_step=False, on_epoch=True, batch_size=1)


class _Totals:
    """Sums of figures over batches, left on the device until they are asked for."""

    def __init__(self) -> None:
        self._sums: dict[str, Any] = {}
        self._counts: dict[str, Any] = {}

    def add(self, figures: dict[str, tuple[Any, Any]]) -> None:
        """Add each figure's sum over a batch, and of how many clips it is."""
        for name, (total, count) in figures.items():
            self._sums[name] = self._sums.get(name, 0) + total
            self._counts[name] = self._counts.get(name, 0) + count

    def means(self) -> dict[str, Any]:
        """Each figure's mean over all its clips, of all processes; figures without any clip are left out."""
        sums, counts = self._sums, self._counts
        if rank_and_size()[1] > 1:
            sums, counts = ({n: float(value) for n, value in own.items()} for own in (sums, counts))
            parts = gathered((sums, counts))
            sums, counts = (_added([part[i] for part in parts]) for i in (0, 1))
        return {name: total / counts[name] for name, total in sums.items() if counts[name] > 0}


def _added(parts: list[dict[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: sum(part.get(name, 0.0) for part in parts) for name in names}


def _seed_torch(seed: int) -> None:
    """As ``torch.manual_seed``, which without a GPU spends milliseconds on remembering where it was called from."""
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)
