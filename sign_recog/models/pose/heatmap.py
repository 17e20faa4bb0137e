"""A heatmap for each landmark, of one picture by itself."""

from collections.abc import Sequence
from typing import TypedDict

from torch import Tensor, nn

from sign_recog.errors import ConfigError
from sign_recog.models.pose.backbone import FINEST, ImageBackbone, channels_last
from sign_recog.models.pose.decoding import heatmap_to_input, soft_argmax
from sign_recog.models.pose.heads import PyramidHead, ShuffleHead


class Heatmaps(TypedDict):
    """What a tracker by heatmaps returns."""

    heatmaps: Tensor  # (B, V, H / 4, W / 4) logits over the pixels of each map


class HeatmapTracker(nn.Module):
    """A heatmap for each landmark, at a quarter of the picture's size (Biderman et al. 2024, Lightning Pose).

    Args:
        num_landmarks: V.
        height, width: Of pictures.
        backbone: Name of a network of timm.
        weights: See :class:`~sign_recog.models.pose.backbone.ImageBackbone`.
        skip_channels: Of the maps in which the backbone's finer scales join the coarsest; None = Lightning Pose's own
            head, which reads the coarsest alone.
        temperature: Sharpens heatmaps before they are read: of a Gaussian the deviation is divided by its root.

    Shapes and attributes: see :mod:`sign_recog.models.pose`.

    Raises:
        ConfigError: If the backbone does not suit.
        CheckpointError: If the weights cannot be had, or do not fit.
    """

    context = 0
    output_stride = FINEST
    landmark_weights: Sequence[str]

    def __init__(
        self,
        *,
        num_landmarks: int,
        height: int,
        width: int,
        backbone: str,
        weights: str | None,
        skip_channels: int | None,
        temperature: float,
    ) -> None:
        super().__init__()
        check_heatmaps(skip_channels, temperature)
        self.num_landmarks, self.height, self.width, self.temperature = num_landmarks, height, width, temperature
        self.backbone = ImageBackbone(backbone, weights, height, width, every_scale=skip_channels is not None)
        self.pretrained = self.backbone.pretrained
        if skip_channels is None:
            self.head: nn.Module = ShuffleHead(self.backbone.channels[-1], self.backbone.strides[-1], num_landmarks)
            self.maps: nn.Module = nn.Identity()
            self.landmark_weights = [f"head.{name}" for name, _ in self.head.named_parameters()]
        else:
            self.head = PyramidHead(self.backbone.channels, self.backbone.strides, skip_channels)
            self.maps = nn.Conv2d(skip_channels, num_landmarks, 1)
            self.landmark_weights = ["maps.weight", "maps.bias"]
        channels_last(self)

    def forward(self, frames: Tensor) -> Heatmaps:
        """Shapes:
        frames: (B, 3, H, W) uint8, RGB.
        """
        return {"heatmaps": self.maps(self.head(self.backbone(frames)))}

    def run(self, frames: Tensor) -> Heatmaps:
        """Of consecutive frames (N, 3, H, W)."""
        return self(frames)

    def decode(self, outputs: Heatmaps) -> tuple[Tensor, Tensor]:
        """Points (B, V, 2) in input pixels, and confidence (B, V), see :func:`soft_argmax`."""
        points, confidence = soft_argmax(outputs["heatmaps"], self.temperature)
        return heatmap_to_input(points, FINEST), confidence


def check_heatmaps(skip_channels: int | None, temperature: float) -> None:
    """Raises:
    ConfigError: If settings of heatmaps are none.
    """
    if skip_channels is not None and skip_channels < 1:
        raise ConfigError(f"model.skip_channels={skip_channels} must be at least 1, or null.")
    if temperature <= 0:
        raise ConfigError(f"model.temperature={temperature} must be above 0.")
