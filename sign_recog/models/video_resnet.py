"""Residual networks over space and time of Tran et al. 2018 (arXiv:1711.11248), torchvision's."""

from typing import Literal

from torch import Tensor, nn

from sign_recog.errors import ConfigError
from sign_recog.models.pixels import KINETICS_MEAN, KINETICS_STD
from sign_recog.models.pretrained import Published
from sign_recog.models.video import VideoBackbone

VARIANTS = {"r3d_18": 8, "mc3_18": 1, "r2plus1d_18": 8}  # frames of a time step of the last stage


def video_resnet(variant: Literal["r3d_18", "mc3_18", "r2plus1d_18"]) -> VideoBackbone:
    """Build one of 18 layers: 3D convolutions, 3D only in the first stage, or (2+1)D ones.

    The statistics are those of torchvision's ``R3D_18_Weights.KINETICS400_V1.transforms()``, and of the others.

    Raises:
        ConfigError: If there is no such variant.
    """
    from sign_recog.torchvision_operators import declare_missing

    if variant not in VARIANTS:
        raise ConfigError(f"model.backbone.variant={variant!r} is unknown. Use {', '.join(VARIANTS)}.")
    declare_missing()
    from torchvision import models

    network = models.get_model(variant, weights=None)
    network.fc = nn.Identity()
    stages = (network.layer1, network.layer2, network.layer3, network.layer4)

    def time_tokens(clips: Tensor) -> Tensor:
        maps = network.stem(clips)
        for stage in stages:
            maps = stage(maps)
        return maps.mean(dim=(3, 4)).transpose(1, 2)

    return VideoBackbone(
        network,
        feature_dim=512,
        mean=KINETICS_MEAN,
        std=KINETICS_STD,
        blocks=[network.stem, *(block for stage in stages for block in stage)],
        classifier=("fc.",),
        published=Published(models.get_model_weights(variant).DEFAULT.url),
        time_tokens=time_tokens,
        time_stride=VARIANTS[variant],
    )
