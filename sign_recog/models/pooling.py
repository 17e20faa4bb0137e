"""Pooling over space and time that small clips survive."""

from torch import Tensor, nn


class ClippedAvgPool(nn.Module):
    """Means over windows that move by one; a window is no larger than the map.

    Shapes:
        maps: (B, C, T, H, W). Returns (B, C, T', H', W').
    """

    def __init__(self, window: tuple[int, int, int]) -> None:
        super().__init__()
        self.window = window

    def forward(self, maps: Tensor) -> Tensor:
        """Shapes as above."""
        window = [min(most, size) for most, size in zip(self.window, maps.shape[2:], strict=True)]
        return nn.functional.avg_pool3d(maps, window, stride=1)
