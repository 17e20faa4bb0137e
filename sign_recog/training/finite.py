"""A training whose loss or gradient is no longer a number ends, and names the clips it came from.

On a GPU the numbers of a step are looked at one step later: by then they have arrived, so nothing waits for them.
"""

import math
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from sign_recog.errors import DataError
from sign_recog.training.processes import gathered

SMALLEST_SCALE = 1e-4  # of float16 gradients; below it even tiny gradients overflow: they are not finite at all


class FiniteSteps(pl.Callback):
    """Raise a DataError after a step whose loss or gradient is infinite or not a number.

    With float16, a gradient that overflows is expected now and then: the scaler leaves that step out and scales
    down. Only a scale that keeps falling is an error.
    """

    def __init__(self) -> None:
        self._clips: list[str] = []  # of the batches since the last step
        self._gradient: Tensor | None = None
        self._pending: tuple[Tensor, torch.cuda.Event | None, str, list[str]] | None = None

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        scaler = getattr(trainer.precision_plugin, "scaler", None)
        if scaler is None:
            gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
            self._gradient = torch.nn.utils.get_total_norm(gradients) if gradients else None
        elif scaler.get_scale() < SMALLEST_SCALE:
            raise DataError(
                f"The gradient was not finite in float16, step after step, until epoch {trainer.current_epoch + 1} "
                f"with the clips {', '.join(self._clips)}. Use trainer.precision=bf16-mixed or 32-true."
            )

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._clips += batch["clip_id"]
        numbers = [outputs["loss"].detach(), *([] if self._gradient is None else [self._gradient])]
        where = f"epoch {trainer.current_epoch + 1}, batch {batch_idx + 1}"
        self._check()
        self._pending = (*_fetch(torch.stack(numbers)), where, list(self._clips))
        if self._pending[1] is None:
            self._check()
        if (batch_idx + 1) % trainer.accumulate_grad_batches == 0:
            self._clips, self._gradient = [], None

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._check()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._check()
        self._clips, self._gradient = [], None

    def _check(self) -> None:
        """Look at the numbers that were sent for."""
        if self._pending is None:
            return
        numbers, arrived, where, clips = self._pending
        self._pending = None
        if arrived is not None:
            arrived.synchronize()
        loss, *gradient = numbers.tolist()
        found = [(loss, clips)]
        if gradient and not math.isfinite(gradient[0]):
            found = gathered(found[0])  # of all processes, since all see this gradient; the cause is one's loss
        name, values = "loss", [(value, own) for value, own in found if not math.isfinite(value)]
        if not values and gradient and not math.isfinite(gradient[0]):
            name, values = "gradient's norm", [(gradient[0], [clip for _, own in found for clip in own])]
        if values:
            value, named = values[0]
            raise DataError(
                f"The {name} is {value} in {where}, with the clips {', '.join(named)}. "
                "Check them with run=validate, or lower optim.lr."
            )


def _fetch(numbers: Tensor) -> tuple[Tensor, torch.cuda.Event | None]:
    """Start copying ``numbers`` to the CPU; the event says when they are there, None = now."""
    if not numbers.is_cuda:
        return numbers, None
    copy = torch.empty(numbers.shape, dtype=numbers.dtype, pin_memory=True)
    copy.copy_(numbers, non_blocking=True)
    arrived = torch.cuda.Event()
    arrived.record()
    return copy, arrived
