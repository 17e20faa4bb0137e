"""Parts of a network that do not learn: for ever, or until the rest has converged.

Frozen means: no gradient, and eval mode through every call of train(), so no dropout and fixed running statistics.
"""

import logging
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
from torch import nn

from sign_recog.config.transfer import TransferConfig
from sign_recog.errors import ConfigError
from sign_recog.training.parts import find_part

if TYPE_CHECKING:
    from sign_recog.training.base import NetworkModule

logger = logging.getLogger(__name__)


class Freeze(pl.Callback):
    """Freeze ``freeze_parts``; with ``freeze_until_convergence`` free them once, when val_loss stops falling.

    Counted are the evaluations since val_loss was last strictly lower, without Lightning's sanity check. At
    ``patience`` everything but ``keep_frozen`` is freed and every learning rate becomes ``lr_after_unfreeze``.
    A schedule goes on from there in proportion, and never above it.

    Args:
        network: Where parts are looked for, and frozen, at once.

    Raises:
        ConfigError: If a part is unknown, or nothing would be left to learn.
    """

    def __init__(self, network: nn.Module, settings: TransferConfig):
        self._network, self._settings = network, settings
        self._best, self._waited, self._fired = math.inf, 0, False
        for name in settings.keep_frozen:
            find_part(network, name, "transfer.keep_frozen")
        freeze_parts(network, settings.freeze_parts, "transfer.freeze_parts")

    @property
    def frees_parts(self) -> bool:
        """Whether what is frozen may learn later."""
        return self._settings.freeze_until_convergence

    def setup(self, trainer: pl.Trainer, pl_module: Any, stage: str) -> None:
        self._apply(pl_module)

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self._apply(pl_module)  # again: the checkpoint of a resumed training may have told that the parts are free

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        pl_module.train()  # after a validation Lightning restores the modes of before: parts just freed were in eval

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        limit = self._settings.lr_after_unfreeze
        if self._fired and limit is not None:
            for group in trainer.optimizers[0].param_groups:
                group["lr"] = min(group["lr"], limit)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if trainer.sanity_checking or self._fired or not self._settings.freeze_until_convergence:
            return
        loss = float(trainer.callback_metrics["val_loss"])
        if loss < self._best:
            self._best, self._waited = loss, 0
            return
        self._waited += 1
        if self._waited >= self._settings.patience:
            self._fired = True
            self._apply(pl_module)
            if self._settings.lr_after_unfreeze is not None:
                _set_learning_rate(trainer, self._settings.lr_after_unfreeze)
            logger.info("val_loss has not fallen for %d evaluations: the frozen parts now learn.", self._waited)

    def state_dict(self) -> dict[str, Any]:
        return {"best": self._best, "waited": self._waited, "fired": self._fired}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._best, self._waited, self._fired = state["best"], state["waited"], state["fired"]

    def _apply(self, pl_module: "NetworkModule") -> None:
        was_training = pl_module.training
        if self._fired:
            for name in self._settings.freeze_parts:
                find_part(self._network, name, "transfer.freeze_parts").requires_grad_(True)
            pl_module.frozen = freeze_parts(self._network, self._settings.keep_frozen, "transfer.keep_frozen")
        else:
            pl_module.frozen = freeze_parts(self._network, self._settings.freeze_parts, "transfer.freeze_parts")
        pl_module.train(was_training)


def freeze_parts(network: nn.Module, names: Sequence[str], key: str) -> list[nn.Module]:
    """Let the parts of ``network`` called ``names`` learn no more, and return them.

    Raises:
        ConfigError: If a part is unknown, or nothing is left to learn.
    """
    parts = [find_part(network, name, key) for name in names]
    for part in parts:
        part.requires_grad_(False)
    if not any(p.requires_grad for p in network.parameters()):
        raise ConfigError(f"{key}={list(names)} leave nothing of the network to train. Leave a part out.")
    return parts


def _set_learning_rate(trainer: pl.Trainer, rate: float) -> None:
    """Every group's rate becomes ``rate``, and what schedules start from changes in proportion."""
    groups = trainer.optimizers[0].param_groups
    ratios = [rate / group["lr"] if group["lr"] > 0 else math.inf for group in groups]
    for group in groups:
        group["lr"] = rate
    for scheduler in (config.scheduler for config in trainer.lr_scheduler_configs):
        bases = zip(scheduler.base_lrs, ratios, strict=True)
        scheduler.base_lrs = [base * ratio if math.isfinite(ratio) else rate for base, ratio in bases]
