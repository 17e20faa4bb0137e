"""Video Swin Transformer (Liu et al. 2022, arXiv:2106.13230), torchvision's."""

from typing import Literal

from torch import Tensor, nn

from sign_recog.errors import ConfigError
from sign_recog.models.pixels import IMAGENET_MEAN, IMAGENET_STD
from sign_recog.models.pretrained import Published
from sign_recog.models.video import VideoBackbone

VARIANTS = ("swin3d_t", "swin3d_s", "swin3d_b")


def swin3d(variant: Literal["swin3d_t", "swin3d_s", "swin3d_b"], *, drop_path: float) -> VideoBackbone:
    """Build the tiny, small or base network; it reads clips and pictures of any size.

    The statistics are those of torchvision's ``Swin3D_T_Weights.KINETICS400_V1.transforms()``, and of the others.

    Args:
        drop_path: How often the last block's branches are skipped in training; the others' less often.

    Raises:
        ConfigError: If there is no such variant.
    """
    from sign_recog.torchvision_operators import declare_missing

    if variant not in VARIANTS:
        raise ConfigError(f"model.backbone.variant={variant!r} is unknown. Use {', '.join(VARIANTS)}.")
    declare_missing()
    from torchvision import models
    from torchvision.ops import StochasticDepth

    network = models.get_model(variant, weights=None)
    network.head = nn.Identity()
    skipping = [module for module in network.modules() if isinstance(module, StochasticDepth)]
    for block, module in enumerate(skipping):
        module.p = drop_path * block / (len(skipping) - 1)

    def time_tokens(clips: Tensor) -> Tensor:
        patches = network.pos_drop(network.patch_embed(clips))  # (B, T / 2, H / 4, W / 4, C), as all that follow
        return network.norm(network.features(patches)).mean(dim=(2, 3))

    return VideoBackbone(
        network,
        feature_dim=network.num_features,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        blocks=[block for stage in network.features if isinstance(stage, nn.Sequential) for block in stage],
        classifier=("head.",),
        published=Published(models.get_model_weights(variant).DEFAULT.url),
        time_tokens=time_tokens,
        time_stride=2,
    )
