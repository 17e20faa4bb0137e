"""A heatmap for each landmark, of a picture and its neighbours in time."""

import torch
from torch import Tensor, nn

from sign_recog.models.pose.backbone import FINEST, ImageBackbone, channels_last
from sign_recog.models.pose.decoding import heatmap_to_input, soft_argmax
from sign_recog.models.pose.heads import PyramidHead
from sign_recog.models.pose.heatmap import Heatmaps, check_heatmaps


class ContextTracker(nn.Module):
    """Heatmaps of the middle one of five frames: where a landmark is hidden or blurred, its neighbours tell.

    Each frame goes through the same backbone and pyramid by itself. The middle frame's map at a quarter of the size,
    plus what a 3 x 3 convolution makes of all five maps together, becomes the heatmaps: the middle frame speaks for
    itself, and the neighbours correct it. (Lightning Pose's heatmap_mhcrnn has a recurrent network over the five
    frames and a second head for the middle one instead.)

    Args: as :class:`~sign_recog.models.pose.heatmap.HeatmapTracker`.

    Shapes:
        frames: (B, 5, 3, H, W) uint8, RGB. Others and attributes: see :mod:`sign_recog.models.pose`.

    Raises:
        ConfigError: If the backbone does not suit.
        CheckpointError: If the weights cannot be had, or do not fit.
    """

    context = 2
    output_stride = FINEST
    landmark_weights = ("maps.weight", "maps.bias")

    def __init__(
        self,
        *,
        num_landmarks: int,
        height: int,
        width: int,
        backbone: str,
        weights: str | None,
        skip_channels: int,
        temperature: float,
    ) -> None:
        super().__init__()
        check_heatmaps(skip_channels, temperature)
        self.num_landmarks, self.height, self.width, self.temperature = num_landmarks, height, width, temperature
        self.backbone = ImageBackbone(backbone, weights, height, width, every_scale=True)
        self.pretrained = self.backbone.pretrained
        self.head = PyramidHead(self.backbone.channels, self.backbone.strides, skip_channels)
        together = (2 * self.context + 1) * skip_channels
        self.fuse = nn.Sequential(
            nn.Conv2d(together, skip_channels, 3, padding=1, bias=False), nn.BatchNorm2d(skip_channels), nn.ReLU()
        )
        self.maps = nn.Conv2d(skip_channels, num_landmarks, 1)
        channels_last(self)

    def forward(self, frames: Tensor) -> Heatmaps:
        """Shapes as above."""
        every = self.head(self.backbone(frames.flatten(0, 1))).unflatten(0, frames.shape[:2])
        return self._heatmaps([every[:, i] for i in range(2 * self.context + 1)])

    def run(self, frames: Tensor) -> Heatmaps:
        """Of consecutive frames (2 + N + 2, 3, H, W), the outputs of the N in the middle."""
        every, length = self.head(self.backbone(frames)), len(frames) - 2 * self.context
        return self._heatmaps([every[i : i + length] for i in range(2 * self.context + 1)])

    def decode(self, outputs: Heatmaps) -> tuple[Tensor, Tensor]:
        """Points (B, V, 2) in input pixels, and confidence (B, V), see :func:`soft_argmax`."""
        points, confidence = soft_argmax(outputs["heatmaps"], self.temperature)
        return heatmap_to_input(points, FINEST), confidence

    def _heatmaps(self, maps: list[Tensor]) -> Heatmaps:
        """From the maps of five consecutive frames, each (B, C, h, w)."""
        return {"heatmaps": self.maps(maps[self.context] + self.fuse(torch.cat(maps, dim=1)))}
