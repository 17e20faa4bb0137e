"""Inputs of any unit and offset, brought to mean 0 and deviation 1."""

import torch
from torch import Tensor, nn


class Standardize(nn.Module):
    """Each input value less its mean, over its standard deviation, over all training frames so far.

    The sums grow in training mode alone and are part of the checkpoint; padding does not count. Not the batch but
    all frames seen decide, augmented as they are, so a clip's output in eval mode depends on nothing but the clip.
    Sums are kept in float64, because the variance is a difference of large numbers.

    Shapes:
        sequence: (B, T, D) float; padding_mask: (B, T) bool, True = padding. Returns (B, T, D); before any training
        the input itself.
    """

    _MIN_DEVIATION = 1e-5  # a value that never changes is moved, not divided by 0

    count: Tensor
    total: Tensor
    squares: Tensor

    def __init__(self, input_dim: int) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))
        self.register_buffer("total", torch.zeros(input_dim, dtype=torch.float64))
        self.register_buffer("squares", torch.zeros(input_dim, dtype=torch.float64))

    def forward(self, sequence: Tensor, padding_mask: Tensor) -> Tensor:
        """Shapes as above."""
        if self.training:
            self._add(sequence.detach(), ~padding_mask)
        count = self.count.clamp(min=1)
        mean = self.total / count
        variance = self.squares / count - mean.square()
        deviation = variance.clamp(min=0).sqrt().clamp(min=self._MIN_DEVIATION)
        deviation = torch.where(self.count > 0, deviation, 1)
        return (sequence - mean.to(sequence.dtype)) / deviation.to(sequence.dtype)

    @torch.no_grad()
    def _add(self, sequence: Tensor, valid: Tensor) -> None:
        frames = sequence.double() * valid.unsqueeze(-1)
        self.count += valid.sum()
        self.total += frames.sum(dim=(0, 1))
        self.squares += frames.square().sum(dim=(0, 1))
