"""From a backbone's maps to a finer one: what a heatmap is made of."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from sign_recog.models.pose.backbone import FINEST


class ShuffleHead(nn.Module):
    """Lightning Pose's way from the coarsest map to heatmaps: sub-pixel shuffle, then transposed convolutions.

    The shuffle (Shi et al. 2016, arXiv:1609.05158) doubles the size by turning four channels into four pixels; each
    convolution doubles it again, with a channel a landmark.

    Shapes:
        maps: the coarsest, (B, C, H / s, W / s). Returns (B, V, H / 4, W / 4).
    """

    def __init__(self, channels: int, stride: int, num_landmarks: int) -> None:
        super().__init__()
        self.shuffle = nn.PixelShuffle(2) if stride > FINEST else nn.Identity()
        steps = [stride // 2 >> i for i in range(stride.bit_length()) if stride // 2 >> i > FINEST]
        width = channels // 4 if stride > FINEST else channels
        convolutions: list[nn.Module] = []
        for _ in steps:
            convolutions.append(
                nn.ConvTranspose2d(width, num_landmarks, 3, stride=2, padding=1, output_padding=1)
            )  # fmt: skip
            width = num_landmarks
        if not steps:
            convolutions.append(nn.Conv2d(width, num_landmarks, 3, padding=1))
        self.layers = nn.Sequential(*convolutions)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Shapes as above."""
        return self.layers(self.shuffle(maps[-1]))


class PyramidHead(nn.Module):
    """All maps brought to the finest one's size and summed, the coarse ones step by step (Lin et al. 2017, FPN,
    arXiv:1612.03144): what a landmark is comes from the coarse maps, where exactly it is from the fine ones.

    Shapes:
        maps: (B, C_i, H / s_i, W / s_i), the finest first. Returns (B, ``width``, H / 4, W / 4).
    """

    def __init__(self, channels: Sequence[int], strides: Sequence[int], width: int) -> None:
        super().__init__()
        self._strides = [FINEST << i for i in range((max(strides) // FINEST).bit_length())]
        self.lateral = nn.ModuleDict(
            {str(stride): nn.Conv2d(own, width, 1, bias=False) for own, stride in zip(channels, strides, strict=True)}
        )
        self.smooth = nn.ModuleDict({str(stride): _block(width) for stride in self._strides})
        self._given = list(strides)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Shapes as above."""
        given = dict(zip(self._given, maps, strict=True))
        total: Tensor | None = None
        for stride in reversed(self._strides):
            if total is not None:
                total = F.interpolate(total, scale_factor=2.0, mode="bilinear", align_corners=False)
            if stride in given:
                own = self.lateral[str(stride)](given[stride])
                total = own if total is None else total + own
            assert total is not None  # the coarsest is given
            total = self.smooth[str(stride)](total)
        assert total is not None
        return total


def _block(width: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
