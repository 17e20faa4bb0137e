"""The coordinates of each landmark themselves, of one picture by itself."""

from typing import TypedDict

import torch
from torch import Tensor, nn

from sign_recog.models.pose.backbone import ImageBackbone, channels_last


class Points(TypedDict):
    """What a tracker by regression returns."""

    points: Tensor  # (B, V, 2), x and y in input pixels


class RegressionTracker(nn.Module):
    """A linear map from the backbone's vector of the picture to coordinates (Lightning Pose's regression tracker).

    Simple and fast, and less exact than heatmaps: the mean over all places has to know where each thing was. It says
    nothing of how sure it is, so its confidence is 1 everywhere.

    Args:
        num_landmarks: V.
        height, width: Of pictures.
        backbone: Name of a network of timm.
        weights: See :class:`~sign_recog.models.pose.backbone.ImageBackbone`.
        dropout: Of the vector.

    Shapes and attributes: see :mod:`sign_recog.models.pose`.

    Raises:
        ConfigError: If the backbone does not suit.
        CheckpointError: If the weights cannot be had, or do not fit.
    """

    context = 0
    landmark_weights = ("head.1.weight", "head.1.bias")
    size: Tensor

    def __init__(
        self, *, num_landmarks: int, height: int, width: int, backbone: str, weights: str | None, dropout: float
    ) -> None:
        super().__init__()
        self.num_landmarks, self.height, self.width = num_landmarks, height, width
        self.backbone = ImageBackbone(backbone, weights, height, width, every_scale=False)
        self.pretrained = self.backbone.pretrained
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.backbone.channels[-1], 2 * num_landmarks))
        self.register_buffer("size", torch.tensor([width, height], dtype=torch.float32), persistent=False)
        channels_last(self)

    def forward(self, frames: Tensor) -> Points:
        """Shapes:
        frames: (B, 3, H, W) uint8, RGB.
        """
        vector = self.backbone(frames)[-1].mean(dim=(2, 3))
        # 0 is the picture's middle, and 1 half a side further.
        places = self.head(vector).float().unflatten(1, (-1, 2))
        return {"points": (places + 1) / 2 * self.size - 0.5}

    def run(self, frames: Tensor) -> Points:
        """Of consecutive frames (N, 3, H, W)."""
        return self(frames)

    def decode(self, outputs: Points) -> tuple[Tensor, Tensor]:
        """Points (B, V, 2) in input pixels, and confidence (B, V), which is 1."""
        points = outputs["points"]
        return points, torch.ones_like(points[..., 0])
