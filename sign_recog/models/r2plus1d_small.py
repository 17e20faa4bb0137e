"""A small residual network over space and time, to be trained from scratch.

As R(2+1)D (Tran et al. 2018, arXiv:1711.11248) every 3D convolution is one over space and one over time, but with no
more channels between them than around them, as in S3D (Xie et al. 2018, arXiv:1712.04851): less than half the
computation. Space is halved in the stem, space and time with each stage after the first.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from sign_recog.errors import ConfigError
from sign_recog.models.video import VideoBackbone


def r2plus1d_small(*, width: int, blocks: Sequence[int]) -> VideoBackbone:
    """Build it; pixels are scaled to [-1, 1].

    Args:
        width: Channels of the first stage; each of the others has twice as many as the one before.
        blocks: Residual blocks of each stage.

    Raises:
        ConfigError: If there is no stage, or one without channels or blocks.
    """
    if width < 1 or not blocks or min(blocks) < 1:
        raise ConfigError(
            f"model.backbone.width={width} and model.backbone.blocks={list(blocks)} must be at least 1. "
            "Use width=32 and blocks=[1, 1, 1, 1]."
        )
    stem = nn.Sequential(
        nn.Conv3d(3, width, (1, 7, 7), stride=(1, 2, 2), padding=(0, 3, 3), bias=False),
        nn.BatchNorm3d(width),
        nn.ReLU(inplace=True),
        *_over_time(width, stride=1),
        nn.ReLU(inplace=True),
    )
    stages: list[list[nn.Module]] = []
    channels = width
    for stage, number in enumerate(blocks):
        out = width * 2**stage
        first = ResidualBlock(channels, out, stride=1 if stage == 0 else 2)
        stages.append([first, *(ResidualBlock(out, out, stride=1) for _ in range(number - 1))])
        channels = out
    network = SmallR2Plus1d(stem, *(nn.Sequential(*stage) for stage in stages), nn.AdaptiveAvgPool3d(1), nn.Flatten())
    for module in network.modules():
        if isinstance(module, nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    half = (0.5, 0.5, 0.5)
    parts = [stem, *(block for stage in stages for block in stage)]
    return VideoBackbone(network, feature_dim=channels, mean=half, std=half, blocks=parts)


class SmallR2Plus1d(nn.Sequential):
    """The parts one after another; has a name of its own for messages."""


class ResidualBlock(nn.Module):
    """Two separable convolutions beside a shortcut, which is a convolution of 1 where the size changes.

    Shapes:
        maps: (B, in, T, H, W). Returns (B, out, T / stride, H / stride, W / stride), rounded up.
    """

    def __init__(self, in_channels: int, out_channels: int, *, stride: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            *_separable(in_channels, out_channels, stride),
            nn.ReLU(inplace=True),
            *_separable(out_channels, out_channels),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Sequential(
                nn.Conv3d(in_channels, out_channels, 1, stride=stride, bias=False), nn.BatchNorm3d(out_channels)
            )

    def forward(self, maps: Tensor) -> Tensor:
        """Shapes as above."""
        return nn.functional.relu(self.residual(maps) + self.shortcut(maps))


def _separable(in_channels: int, out_channels: int, stride: int = 1) -> list[nn.Module]:
    over_space = nn.Conv3d(
        in_channels, out_channels, (1, 3, 3), stride=(1, stride, stride), padding=(0, 1, 1), bias=False
    )
    return [over_space, nn.BatchNorm3d(out_channels), nn.ReLU(inplace=True), *_over_time(out_channels, stride)]


def _over_time(channels: int, stride: int) -> list[nn.Module]:
    over_time = nn.Conv3d(channels, channels, (3, 1, 1), stride=(stride, 1, 1), padding=(1, 0, 0), bias=False)
    return [over_time, nn.BatchNorm3d(channels)]
