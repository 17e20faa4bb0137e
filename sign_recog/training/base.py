"""What the Lightning modules share: random streams, frozen parts, clipping, optimiser, schedule, checkpoints."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import LRSchedulerConfigType, OptimizerLRSchedulerConfig
from torch import nn

from sign_recog.storage.checkpoint import FORMAT, KEY
from sign_recog.training.budget import Budget, BudgetedTrainer
from sign_recog.training.processes import gathered, rank_and_size
from sign_recog.training.schedulers import WarmupPlateau


class NetworkModule(pl.LightningModule):
    """A network with its optimiser; a subclass adds the steps of training and validation.

    Args:
        build_optimizer: Network, and parameters without decay -> optimiser.
        build_scheduler: Optimiser, ``total_steps`` and ``steps_per_epoch`` -> learning-rate scheduler, stepped with
            the optimiser; a :class:`WarmupPlateau` also with the evaluations.
        record: What :mod:`sign_recog.storage.checkpoint` gives back; stored in every checkpoint.
    """

    def __init__(
        self,
        network: nn.Module,
        build_optimizer: Callable[..., torch.optim.Optimizer],
        build_scheduler: Callable[..., Any],
        record: dict[str, Any],
        *,
        seed: int,
    ):
        super().__init__()
        self.network = network
        self._build_optimizer, self._build_scheduler = build_optimizer, build_scheduler
        self._record, self._seed = record, seed
        self._totals: dict[str, Totals] = {}
        self.frozen: list[nn.Module] = []  # parts that do not learn, see training/freeze.py

    def train(self, mode: bool = True) -> "NetworkModule":
        """As torch's, but frozen parts stay in eval mode: no dropout, fixed running statistics."""
        super().train(mode)
        for part in self.frozen:
            part.eval()
        return self

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        # Every batch has a random stream of its own: a resumed run, or one with loader processes, draws
        # what an undisturbed one draws, however often a loader or a hook took from the global stream.
        # Processes with other clips draw other masks for them.
        own = self._seed * 1_000_003 + self.trainer.fit_loop.total_batch_idx
        _seed_torch(own + self.global_rank * 2**40)

    def configure_gradient_clipping(
        self, optimizer: Any, gradient_clip_val: Any = None, gradient_clip_algorithm: Any = None
    ) -> None:
        """As Lightning's; but with bf16 it refuses fused optimisers, which only fp16's scaled gradients forbid."""
        if gradient_clip_val is None or getattr(self.trainer.precision_plugin, "scaler", None) is not None:
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)
            return
        nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], gradient_clip_val)

    def on_train_epoch_end(self) -> None:
        for scheduler in (config.scheduler for config in self.trainer.lr_scheduler_configs):
            if isinstance(scheduler, WarmupPlateau):
                scheduler.step_evaluation(self.trainer.callback_metrics)

    def probe_loss(self, batch: Any) -> torch.Tensor:
        """What a step minimises on ``batch``, counted nowhere; for training/memory_probe.py."""
        raise NotImplementedError

    def own_parameters(self) -> Sequence[nn.Parameter]:
        """What learns besides the network, without decay."""
        return []

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        optimizer = self._build_optimizer(self.network, self.own_parameters())
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

    def _log(self, values: dict[str, Any]) -> None:
        """Hand figures of a whole round to Lightning: at its end, since asking it at every step costs milliseconds."""
        for name, value in values.items():
            self.log(name, value, on_step=False, on_epoch=True, batch_size=1)


class Totals:
    """Sums of figures over batches, left on the device until they are asked for."""

    def __init__(self) -> None:
        self._sums: dict[str, Any] = {}
        self._counts: dict[str, Any] = {}

    def add(self, figures: dict[str, tuple[Any, Any]]) -> None:
        """Add each figure's sum over a batch, and of how many clips (or tokens) it is."""
        for name, (total, count) in figures.items():
            self._sums[name] = self._sums.get(name, 0) + total
            self._counts[name] = self._counts.get(name, 0) + count

    def means(self) -> dict[str, Any]:
        """Each figure's mean over all its clips, of all processes; figures without any are left out."""
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
