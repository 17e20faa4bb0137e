"""A curriculum over the two tasks: one first, both in the end."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from sign_recog.config.weightings.curriculum import Curve, Order
from sign_recog.training.weighting import Weighting, weighted_sum

CURVES: dict[Curve, Callable[[float], float]] = {
    Curve.linear: lambda p: p,
    Curve.cosine: lambda p: (1 - math.cos(math.pi * p)) / 2,
    Curve.exponential: lambda p: math.expm1(2 * p) / math.expm1(2),
}


class Curriculum(Weighting):
    """FSLR's curricula as shares of the two tasks, which add up to 1 and end at 0.5 each.

    A task's weight is twice its share times its given weight; so FSLR's own weights are those of gloss_weight =
    category_weight = 0.5, and after the curriculum the given ones hold. Progress p rises from 0 to 1 over
    ``epochs`` epochs that begin after ``warmup_epochs``, f(p) is the curve ``schedule``:

    - ``gloss_first``: the category's share is min_weight + (0.5 - min_weight) f(p).
    - ``category_first``: the gloss's share is that.
    - ``dynamic``: the task that has learnt less has the larger share. With R_i the mean training loss of the epoch
      before, relative to that of the first epoch, the gloss's share is R_gloss / (R_gloss + R_category), kept at
      least ``min_weight`` from 0 and 1, and drawn to 0.5 by the curve: 0.5 + (share - 0.5) (1 - f(p)). In the first
      epoch and during the warm-up, when rates are only measured, it is 0.5.

    FSLR's documents name ``dynamic`` and a warm-up without saying what they do; these are our definitions.
    """

    sums: Tensor
    batches: Tensor

    def __init__(
        self,
        *,
        gloss_weight: float,
        category_weight: float,
        order: Order,
        schedule: Curve,
        epochs: int,
        warmup_epochs: int,
        min_weight: float,
    ):
        super().__init__(gloss_weight=gloss_weight, category_weight=category_weight)
        self.order, self.curve = Order(order), CURVES[Curve(schedule)]
        self.epochs, self.warmup_epochs, self.min_weight = epochs, warmup_epochs, min_weight
        self.register_buffer("sums", torch.zeros(len(self.given)))  # of the losses of this epoch's batches
        self.register_buffer("batches", torch.zeros(len(self.given)))
        self._epoch = 0
        self._first: list[float] = []  # mean loss of each task in the first epoch
        self._share = self.share(0, None)  # of the gloss

    def forward(self, losses: Mapping[str, Tensor], *, epoch: int) -> Tensor:
        """As the base says; measures the losses."""
        if epoch != self._epoch:
            self._begin(epoch)
        for i, name in enumerate(self.given):
            if name in losses:
                self.sums[i] += losses[name].detach()
                self.batches[i] += 1
        return weighted_sum(losses, self._weights())

    def weights(self) -> dict[str, Tensor]:
        """As the base says."""
        return {name: torch.tensor(weight) for name, weight in self._weights().items()}

    def share(self, epoch: int, rates: tuple[float, float] | None) -> float:
        """The gloss's share in ``epoch`` (from 0), given the relative losses of gloss and category, if measured."""
        p = min(1.0, max(0.0, (epoch - self.warmup_epochs) / self.epochs))
        risen = self.min_weight + (0.5 - self.min_weight) * self.curve(p)
        if self.order is Order.gloss_first:
            return 1 - risen
        if self.order is Order.category_first:
            return risen
        if rates is None or epoch < self.warmup_epochs:
            return 0.5
        measured = rates[0] / sum(rates) if sum(rates) > 0 else 0.5
        kept = min(1 - self.min_weight, max(self.min_weight, measured))
        return 0.5 + (kept - 0.5) * (1 - self.curve(p))

    def get_extra_state(self) -> dict[str, Any]:
        """What ``state_dict`` holds besides the sums."""
        return {"epoch": self._epoch, "first": self._first, "share": self._share}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Go on where a checkpoint was."""
        self._epoch, self._first, self._share = state["epoch"], list(state["first"]), state["share"]

    def _begin(self, epoch: int) -> None:
        means = (self.sums / self.batches.clamp(min=1)).tolist()
        self._first = self._first or means
        rates = tuple(now / first if first > 0 else 0.0 for now, first in zip(means, self._first, strict=True))
        self._share, self._epoch = self.share(epoch, rates), epoch  # type: ignore[arg-type]
        self.sums.zero_()
        self.batches.zero_()

    def _weights(self) -> dict[str, float]:
        shares = {"gloss": self._share, "category": 1 - self._share}
        return {name: 2 * shares[name] * weight for name, weight in self.given.items()}
