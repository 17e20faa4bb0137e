"""A backbone with weights from elsewhere waits until the rest has found its way, then learns, slowly at first.

While it waits it is frozen as :mod:`sign_recog.training.freeze` means it. Its learning rate is then
``unfreeze_start`` of what the schedule says, and grows by ``unfreeze_growth`` an epoch until it is all of it
(Lightning Pose's unfreezing).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
from torch import nn
from torch.optim import Optimizer

from sign_recog.config.pose import PoseConfig
from sign_recog.errors import ConfigError


class BackboneRamp(pl.Callback):
    """The rate of ``backbone`` as a share of the schedule's.

    The share is a function of the epoch alone and is applied around each step of the optimiser: any schedule goes on
    as if it were not there, and a resumed training needs to remember nothing.

    Args:
        backbone: Of the network that is trained.
        pretrained: Where its weights come from; "" = they are random.

    Raises:
        ConfigError: If its weights are random: frozen, they would teach the rest what they will not be.
    """

    frees_parts = True  # for the strategy of several processes

    def __init__(self, backbone: nn.Module, settings: PoseConfig, *, pretrained: str) -> None:
        if not pretrained:
            raise ConfigError(
                f"pose.unfreeze_epoch={settings.unfreeze_epoch} would keep a backbone of random weights frozen. "
                "Give model.weights (a file, or download) or transfer.checkpoint, or pose.unfreeze_epoch=null."
            )
        assert settings.unfreeze_epoch is not None
        self._backbone, self._first = backbone, settings.unfreeze_epoch
        self._start, self._growth = settings.unfreeze_start, settings.unfreeze_growth
        self._members = {id(parameter) for parameter in backbone.parameters()}
        self._epoch = 1
        self._trainable = [p for p in backbone.parameters() if p.requires_grad]  # the others are frozen by transfer

    def share(self, epoch: int) -> float:
        """Of the rate in ``epoch``, counted from 1; 0 = frozen."""
        if epoch < self._first:
            return 0.0
        return min(1.0, self._start * self._growth ** (epoch - self._first))

    def split_groups(self, optimizer: Optimizer) -> None:
        """Give the backbone's parameters groups of their own, at the end, with the settings of those they were in.

        To be called before a scheduler looks at the groups.
        """
        for group in list(optimizer.param_groups):
            own = [p for p in group["params"] if id(p) in self._members]
            if own and len(own) < len(group["params"]):
                group["params"] = [p for p in group["params"] if id(p) not in self._members]
                optimizer.param_groups.append({**group, "params": own})

    @contextmanager
    def scaled(self, optimizer: Optimizer) -> Iterator[None]:
        """Inside, the backbone's groups have their share of the rate."""
        groups = [group for group in optimizer.param_groups if id(group["params"][0]) in self._members]
        rates = [group["lr"] for group in groups]
        share = self.share(self._epoch)
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate * share
        try:
            yield
        finally:
            for group, rate in zip(groups, rates, strict=True):
                group["lr"] = rate

    def setup(self, trainer: pl.Trainer, pl_module: Any, stage: str) -> None:
        self._apply(pl_module, frozen=self._first > 1)  # before several processes share the network

    def on_train_batch_start(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        self._epoch = trainer.budget.epoch_of(trainer.global_step + 1)
        frozen = self.share(self._epoch) == 0
        if frozen != (self._backbone in pl_module.frozen):
            self._apply(pl_module, frozen=frozen)

    def _apply(self, pl_module: Any, *, frozen: bool) -> None:
        for parameter in self._trainable:
            parameter.requires_grad_(not frozen)
        pl_module.frozen = [part for part in pl_module.frozen if part is not self._backbone]
        if frozen:
            pl_module.frozen.append(self._backbone)
        pl_module.train(pl_module.training)
