"""From the bytes of video frames to what image networks were trained on."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # RGB, of values in [0, 1]; torchvision's
IMAGENET_STD = (0.229, 0.224, 0.225)
KINETICS_MEAN = (0.43216, 0.394666, 0.37645)  # torchvision's, of its convolutional video networks
KINETICS_STD = (0.22803, 0.22145, 0.216989)
SLOWFAST_MEAN = (0.45, 0.45, 0.45)  # of PySlowFast, and of the networks that were trained with it (MViT, Hiera)
SLOWFAST_STD = (0.225, 0.225, 0.225)


class NormalizePixels(nn.Module):
    """(x / 255 - mean) / std, a channel at a time; part of a network, so that its users cannot forget it.

    The result has the dtype that the network has been moved to, float32 unless asked otherwise.

    Shapes:
        frames: (..., 3, H, W) uint8, RGB. Returns the same shape.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        deviation = torch.tensor(std).view(-1, 1, 1)
        # not persistent: weights of image networks come without them
        self.register_buffer("scale", 1 / (255 * deviation), persistent=False)
        self.register_buffer("shift", -torch.tensor(mean).view(-1, 1, 1) / deviation, persistent=False)

    def forward(self, frames: Tensor) -> Tensor:
        """Shapes as above.

        Raises:
            TypeError: If frames are not bytes: whether they were scaled already could only be guessed.
        """
        if frames.dtype != torch.uint8:
            raise TypeError(f"frames are {frames.dtype}; bytes (uint8, 0 to 255) are expected")
        return frames * self.scale + self.shift
