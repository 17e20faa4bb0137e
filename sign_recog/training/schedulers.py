"""Learning rates over time.

Each function here takes the optimiser, the number of its steps in the whole training and in one epoch, and gives a
scheduler that is stepped after every step of the optimiser. Settings count epochs and may be fractions; a rate is a
share of each parameter group's own. A warm-up rises linearly and reaches the full rate with its last step; what
follows counts from there.
"""

import bisect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LinearLR, ReduceLROnPlateau

from sign_recog.config.trainer import Mode
from sign_recog.errors import ConfigError


def constant(optimizer: Optimizer, *, total_steps: int, steps_per_epoch: int, warmup_epochs: float) -> LambdaLR:
    """Keep the optimiser's learning rate."""
    return _after_warmup(optimizer, round(warmup_epochs * steps_per_epoch), lambda step: 1.0)


def cosine(
    optimizer: Optimizer,
    *,
    total_steps: int,
    steps_per_epoch: int,
    warmup_epochs: float,
    epochs: float | None,
    min_ratio: float,
) -> LambdaLR:
    """Fall along half a cosine to ``min_ratio`` of the peak, over ``epochs`` or to the end, and stay there.

    The cosine is that of Loshchilov and Hutter 2017 (arXiv:1608.03983) without restarts.
    """
    warmup = round(warmup_epochs * steps_per_epoch)
    length = max(1, total_steps - warmup) if epochs is None else epochs * steps_per_epoch
    return _after_warmup(optimizer, warmup, lambda step: _half_cosine(step / length, min_ratio))


def warmup_cosine(
    optimizer: Optimizer,
    *,
    total_steps: int,
    steps_per_epoch: int,
    warmup_share: float,
    warmup_epochs: float | None,
    min_ratio: float,
) -> LambdaLR:
    """:func:`cosine` after a warm-up of at least one step: ``warmup_epochs`` or else ``warmup_share`` of all steps."""
    steps = warmup_share * total_steps if warmup_epochs is None else warmup_epochs * steps_per_epoch
    warmup = max(1, round(steps))
    length = max(1, total_steps - warmup)
    return _after_warmup(optimizer, warmup, lambda step: _half_cosine(step / length, min_ratio))


def warm_restarts(
    optimizer: Optimizer,
    *,
    total_steps: int,
    steps_per_epoch: int,
    warmup_epochs: float,
    T_0: float,
    T_mult: int,
    min_ratio: float,
) -> LambdaLR:
    """Half cosines, the first ``T_0`` epochs long and each ``T_mult`` times as long as the one before (SGDR)."""

    def factor(step: int) -> float:
        start, length = 0.0, T_0 * steps_per_epoch
        while step >= start + length:
            start, length = start + length, length * T_mult
        return _half_cosine((step - start) / length, min_ratio)

    return _after_warmup(optimizer, round(warmup_epochs * steps_per_epoch), factor)


def multistep(
    optimizer: Optimizer,
    *,
    total_steps: int,
    steps_per_epoch: int,
    warmup_epochs: float,
    milestones: Sequence[float],
    gamma: float,
) -> LambdaLR:
    """The rate times ``gamma`` at each milestone, an epoch."""
    steps = sorted(round(epoch * steps_per_epoch) for epoch in milestones)
    warmup = round(warmup_epochs * steps_per_epoch)
    return _after_warmup(optimizer, warmup, lambda step: gamma ** bisect.bisect_right(steps, step))


class WarmupPlateau(LinearLR):
    """A linear warm-up stepped with the optimiser, then :class:`ReduceLROnPlateau` stepped with the evaluations.

    Torch's SequentialLR cannot hold a ReduceLROnPlateau, whose ``step`` needs a metric. Here the two follow each
    other by arithmetic: once warm, LinearLR leaves the rate as it finds it. Evaluations in the warm-up do not count,
    neither as the best nor as bad ones. Lightning would step a plateau schedule after the checkpoint is written, so
    a resumed run would miss a step; ``step_evaluation`` is called before.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        *,
        warmup_steps: int,
        monitor: str,
        mode: Mode,
        factor: float,
        patience: int,
        min_delta: float,
        min_ratio: float,
    ):
        self.monitor, self.warmup_steps = monitor, warmup_steps
        floors = [min_ratio * group["lr"] for group in optimizer.param_groups]
        first = 1 / max(1, warmup_steps)
        super().__init__(optimizer, start_factor=first, total_iters=max(0, warmup_steps - 1))
        self.plateau = ReduceLROnPlateau(
            optimizer,
            mode=Mode(mode).value,
            factor=factor,
            patience=patience,
            threshold=min_delta,
            threshold_mode="abs",
            min_lr=floors,
        )

    def step_evaluation(self, metrics: Mapping[str, Tensor]) -> None:
        """Take note of the validation metrics, and reduce the rate if they have stalled.

        Raises:
            ConfigError: If the monitored metric is not among them.
        """
        if self.monitor not in metrics:
            raise ConfigError(
                f"scheduler.monitor={self.monitor} has not been measured, so scheduler=plateau cannot tell a plateau. "
                "Train with clips in val, or use scheduler=cosine."
            )
        if self.last_epoch >= self.warmup_steps:
            self.plateau.step(float(metrics[self.monitor]))

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "plateau": self.plateau.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.plateau.load_state_dict(state_dict["plateau"])
        super().load_state_dict({name: value for name, value in state_dict.items() if name != "plateau"})


def plateau(
    optimizer: Optimizer,
    *,
    total_steps: int,
    steps_per_epoch: int,
    warmup_epochs: float,
    monitor: str,
    mode: Mode,
    factor: float,
    patience: int,
    min_delta: float,
    min_ratio: float,
) -> WarmupPlateau:
    """The rate times ``factor`` when ``monitor`` stalls, but no further down than to ``min_ratio`` of the peak.

    It stalls when more than ``patience`` evaluations in a row bring no improvement by ``min_delta``.
    """
    return WarmupPlateau(
        optimizer,
        warmup_steps=round(warmup_epochs * steps_per_epoch),
        monitor=monitor,
        mode=mode,
        factor=factor,
        patience=patience,
        min_delta=min_delta,
        min_ratio=min_ratio,
    )


def _after_warmup(optimizer: Optimizer, warmup: int, factor: Callable[[int], float]) -> LambdaLR:
    """``factor`` of the steps since the warm-up, of so many steps, has ended."""
    return LambdaLR(optimizer, lambda step: (step + 1) / warmup if step < warmup else factor(step - warmup))


def _half_cosine(progress: float, min_ratio: float) -> float:
    """From 1 at progress 0 to ``min_ratio`` at 1 and after."""
    return min_ratio + (1 - min_ratio) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
