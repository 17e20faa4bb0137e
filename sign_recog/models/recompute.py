"""Gradient checkpointing: a block's activations are not kept but computed anew in the backward pass.

Chen et al. 2016, arXiv:1604.06174. Dropout repeats its draw, and batch norms count a batch once.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


def recompute_in_backward(blocks: Iterable[nn.Module]) -> None:
    """Let ``blocks`` keep only their inputs for the backward pass; names and values of weights stay as they are."""
    for block in blocks:
        # in place of the method, since a module around the block would change the names of its weights
        block.forward = partial(_forward, block, block.forward)


def _forward(block: nn.Module, original: Callable[..., Any], *given: Any, **named: Any) -> Any:
    if not torch.is_grad_enabled() or torch.compiler.is_exporting():
        return original(*given, **named)
    if not any(t.requires_grad for t in (*given, *block.parameters()) if isinstance(t, torch.Tensor)):
        return original(*given, **named)  # nothing of it learns: nothing is kept anyway
    norms = [m for m in block.modules() if isinstance(m, _BatchNorm) and m.training]
    if not norms:
        return checkpoint(original, *given, use_reentrant=False, **named)
    again = partial(_contexts, norms)
    return checkpoint(original, *given, use_reentrant=False, context_fn=again, **named)


def _contexts(norms: list[_BatchNorm]) -> tuple[AbstractContextManager, AbstractContextManager]:
    """Around the first computation, and around the one of the backward pass."""
    return nullcontext(), _unchanged(norms)


@contextmanager
def _unchanged(norms: list[_BatchNorm]) -> Iterator[None]:
    """Batch norms normalise by the batch as in training, and their running statistics do not move."""
    before = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum, norm.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for norm, (momentum, counted) in zip(norms, before, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, counted
