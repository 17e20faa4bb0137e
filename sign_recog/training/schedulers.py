"""Learning rates over time, as functions of the optimiser and the number of its steps."""

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def warmup_cosine(optimizer: Optimizer, *, total_steps: int, warmup_share: float, min_ratio: float) -> LambdaLR:
    """Rise linearly over ``warmup_share`` of the steps, then fall along half a cosine to ``min_ratio`` of the peak.

    The cosine is that of Loshchilov and Hutter 2017 (arXiv:1608.03983) without restarts.
    """
    warmup = max(1, round(warmup_share * total_steps))

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        progress = min(1.0, (step - warmup) / max(1, total_steps - warmup))
        return min_ratio + (1 - min_ratio) * 0.5 * (1 + math.cos(math.pi * progress))

    return LambdaLR(optimizer, factor)


def constant(optimizer: Optimizer, *, total_steps: int) -> LambdaLR:
    """Keep the optimiser's learning rate; ``total_steps`` is what every scheduler is given."""
    return LambdaLR(optimizer, lambda step: 1.0)
