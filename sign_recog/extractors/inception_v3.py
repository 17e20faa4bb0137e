"""A frame -> 2048 values with InceptionV3 (Szegedy et al. 2016, arXiv:1512.00567), as FSLR's ``X2048``.

torchvision's network without its classifier: what global average pooling gives. Its published weights come
from TensorFlow and want colours in [-1, 1]; torchvision reaches that by ImageNet's normalisation and, inside
the network, ``transform_input``, which undoes it. Here colours are brought to [-1, 1] at once.
"""

from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

from sign_recog.extractors.base import NetworkExtractor

if TYPE_CHECKING:
    from torch import Tensor, nn

_IMAGE_SIZE = 299  # pixels; the network's own


class InceptionV3Extractor(NetworkExtractor):
    """One clip of a video -> (T, 2048) features, one a frame; frames are squashed to 299 x 299, nothing is cropped.

    Args:
        target_fps, batch_size, precision, device: See :class:`NetworkExtractor`; a window is a frame.
        weights: File of torchvision's ``inception_v3`` state dict, with or without its classifiers; None = random.
    """

    def __init__(
        self, *, target_fps: float | None, batch_size: int, precision: str | int, device: str, weights: str | None
    ) -> None:
        super().__init__(
            num_frames=1,
            sampling_rate=1,
            stride=1,
            window_rule="even",
            target_fps=target_fps,
            image_size=_IMAGE_SIZE,
            resize=None,
            framing="squash",
            batch_size=batch_size,
            precision=precision,
            device=device,
            weights=weights,
            compile=False,
        )

    def version(self) -> str:
        return f"torchvision {version('torchvision')}"

    @property
    def head(self) -> tuple[str, ...]:
        return ("fc.", "AuxLogits.")

    def build(self) -> "nn.Module":
        from torch import nn
        from torchvision.models.inception import Inception3

        network = Inception3(aux_logits=False, transform_input=False, init_weights=False)
        network.fc = nn.Identity()
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                # He et al. 2015: values keep their size over the layers, so that even fp16 holds random features.
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        return network

    def prepare(self, network: "nn.Module") -> "nn.Module":
        import torch
        from torch import nn
        from torch.nn.utils.fusion import fuse_conv_bn_eval
        from torchvision.models.inception import BasicConv2d

        for module in network.modules():
            if isinstance(module, BasicConv2d):
                module.conv = fuse_conv_bn_eval(module.conv, module.bn)
                module.bn = nn.Identity()
        return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, network: "nn.Module", frames: "Tensor", num_padding: Sequence[int]) -> "Tensor":
        images = frames[:, 0].permute(0, 3, 1, 2)  # (B, 3, H, W), in memory as it came: channels last
        return network(images.float() / 127.5 - 1.0)[:, None]
