"""From a heatmap to the point it shows, finer than its pixels."""

import torch
from torch import Tensor

WINDOW = 4  # heatmap pixels around the highest one that decide where the point is
NEAR = 2.0  # heatmap pixels around the point whose share is the confidence


def soft_argmax(logits: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """The mean place of ``softmax(temperature * logits)`` around its highest pixel, and how sure that is.

    Far from the highest pixel nothing has a say: the mean over a whole map that shows two places would be a third.
    The gradient flows through the mean.

    Shapes:
        logits: (B, V, h, w). Returns points (B, V, 2) float32, x and y in heatmap pixels, (0, 0) in the middle of the
        first; confidence (B, V): the share of the softmax within ``NEAR`` pixels of the point in x and y.
    """
    height, width = logits.shape[2:]
    share = torch.softmax(temperature * logits.float().flatten(2), dim=2)
    highest = share.argmax(dim=2, keepdim=True)
    share = share.unflatten(2, (height, width))
    rows = torch.arange(height, device=logits.device)
    columns = torch.arange(width, device=logits.device)
    in_rows = ((rows - highest // width).abs() <= WINDOW).to(share.dtype)  # (B, V, h)
    in_columns = ((columns - highest % width).abs() <= WINDOW).to(share.dtype)  # (B, V, w)
    of_columns = (share * in_rows[..., None]).sum(dim=2) * in_columns
    of_rows = (share * in_columns[..., None, :]).sum(dim=3) * in_rows
    mass = of_columns.sum(dim=2)
    x = (of_columns * columns).sum(dim=2) / mass
    y = (of_rows * rows).sum(dim=2) / mass
    near_rows = ((rows - y.detach()[..., None]).abs() <= NEAR).to(share.dtype)
    near_columns = ((columns - x.detach()[..., None]).abs() <= NEAR).to(share.dtype)
    near = (share.detach() * near_rows[..., None] * near_columns[..., None, :]).sum(dim=(2, 3))
    return torch.stack([x, y], dim=2), near.clamp(0, 1)


def heatmap_to_input(points: Tensor, stride: float) -> Tensor:
    """Heatmap pixels -> input pixels, where a heatmap pixel covers ``stride`` of them; the corners of both meet."""
    return (points + 0.5) * stride - 0.5


def input_to_heatmap(points: Tensor, stride: float) -> Tensor:
    """The inverse of :func:`heatmap_to_input`."""
    return (points + 0.5) / stride - 0.5
