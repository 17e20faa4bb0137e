"""How the losses of the gloss head and of the category head become the one that is minimised.

Every weighting is given ``loss.gloss_weight`` and ``loss.category_weight``; each says what it makes of them. A new
one is a class like those here and a file in conf/loss/weighting. What it learns or remembers lies in its
``state_dict``, so that it is in every checkpoint.
"""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn


def weighted_sum(losses: Mapping[str, Tensor], weights: Mapping[str, float | Tensor]) -> Tensor:
    """Sum of the losses that are there, each times its weight."""
    first, *rest = (weights[name] * loss for name, loss in losses.items())
    for term in rest:
        first = first + term
    return first


class Weighting(nn.Module):
    """Base of all: from each task's loss to one.

    Attributes:
        given: Task -> weight from the settings; a task of weight 0 for which there is no head is absent.
    """

    def __init__(self, *, gloss_weight: float, category_weight: float):
        super().__init__()
        self.given = {"gloss": gloss_weight}
        if category_weight > 0:
            self.given["category"] = category_weight

    def bind(self, network: nn.Module) -> None:
        """Get to know the network, once, before training."""

    def forward(self, losses: Mapping[str, Tensor], *, epoch: int) -> Tensor:
        """What a training step minimises.

        Args:
            losses: Task -> mean loss of the batch, a scalar; a task without a label in the batch is absent.
            epoch: From 0.
        """
        raise NotImplementedError

    def weights(self) -> dict[str, Tensor]:
        """Task -> the weight in use, a scalar, for the log."""
        raise NotImplementedError


class Static(Weighting):
    """The given weights, unchanged."""

    def forward(self, losses: Mapping[str, Tensor], *, epoch: int) -> Tensor:
        """As the base says."""
        return weighted_sum(losses, self.given)

    def weights(self) -> dict[str, Tensor]:
        """As the base says."""
        return {name: torch.tensor(weight) for name, weight in self.given.items()}


class Uncertainty(Weighting):
    """Learnt homoscedastic uncertainty (Kendall, Gal and Cipolla 2018, arXiv:1705.07115, section 3.2).

    The objective is the sum of exp(-s) * loss + s / 2 with a learnt s = log(sigma^2) for each task: for
    classification, loss / sigma^2 + log(sigma). The weights exp(-s) start at the given ones. The s are trained by
    the network's optimiser, without weight decay.
    """

    def __init__(self, *, gloss_weight: float, category_weight: float):
        super().__init__(gloss_weight=gloss_weight, category_weight=category_weight)
        self.log_variances = nn.ParameterDict(
            {name: nn.Parameter(torch.tensor(-math.log(weight))) for name, weight in self.given.items()}
        )

    def forward(self, losses: Mapping[str, Tensor], *, epoch: int) -> Tensor:
        """As the base says."""
        precisions = {name: (-s).exp() for name, s in self.log_variances.items()}
        return weighted_sum(losses, precisions) + sum(self.log_variances[name] / 2 for name in losses)

    def weights(self) -> dict[str, Tensor]:
        """As the base says."""
        return {name: (-s.detach()).exp() for name, s in self.log_variances.items()}
