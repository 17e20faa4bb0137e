"""A moving average of the weights: what is evaluated, kept as checkpoint, and used later.

Averaging over the last steps smooths the noise of single ones (Polyak and Juditsky 1992; Tarvainen and Valpola
2017, arXiv:1703.01780). Lightning's callback exchanges the weights around validation and keeps both in the
checkpoint: the average as the network's weights, the current ones beside it for going on.
"""

from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor

from sign_recog.config.trainer import EmaConfig


class ExponentialMovingAverage(WeightAveraging):
    """``average = decay * average + (1 - decay) * weights`` after every optimiser step; buffers too.

    The first step's weights are the first average. With ``warmup`` the t-th update uses at most
    ``(1 + t) / (10 + t)``, so that a short training is not an average over its beginning.
    """

    def __init__(self, settings: EmaConfig):
        super().__init__(use_buffers=True, multi_avg_fn=self._average)
        self._settings = settings

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        if self._average_model is not None:
            # torch asks this counter at every step whether it is the first; on a GPU the loop would wait for it.
            self._average_model.n_averaged = self._average_model.n_averaged.cpu()

    def decay(self, updates: int) -> float:
        """The share of the average that an update after ``updates`` earlier ones keeps."""
        if not self._settings.warmup:
            return self._settings.decay
        return min(self._settings.decay, (1 + updates) / (10 + updates))

    @torch.no_grad()
    def _average(self, averages: list[Tensor], current: list[Tensor], *_: Any) -> None:
        """torch hands over tensors of one device and type at a time."""
        if averages[0].is_floating_point():
            # Lightning counts a step after this call, so this is the number of updates before it.
            torch._foreach_lerp_(averages, current, 1 - self.decay(self._latest_update_step))
        else:
            for average, value in zip(averages, current, strict=True):
                average.copy_(value)
