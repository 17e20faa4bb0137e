"""Multiscale Vision Transformers.

MViT (Fan et al. 2021, arXiv:2104.11227) and MViTv2 (Li et al. 2022, arXiv:2112.01526),
built from torchvision's class. MViTv2-B is not among torchvision's networks; its sizes are those of the paper and of
PySlowFast's ``MVITv2_B_32x3.yaml``.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from torch import Tensor, nn

from sign_recog.errors import ConfigError
from sign_recog.models.pixels import SLOWFAST_MEAN, SLOWFAST_STD
from sign_recog.models.pretrained import Published
from sign_recog.models.video import VideoBackbone, check_grid

WIDTH = 96  # of the first stage; doubled with each that follows, as the heads are
POSITIONS = {"rel_pos_h": 1, "rel_pos_w": 1, "rel_pos_t": 1, "temporal_pos": 1, "spatial_pos": 2}
# PySlowFast's names in torchvision's words, as torchvision ported its weights (pytorch/vision pull request 6373)
RENAMED = {
    r"^patch_embed\.proj(ect)?\.": "conv_proj.",
    r"^cls_token$": "pos_encoding.class_token",
    r"^pos_embed_(spatial|temporal|class)$": r"pos_encoding.\1_pos",
    r"\.attn\.proj\.": ".attn.project.0.",
    r"\.attn\.pool_([qkv])\.weight$": r".attn.pool_\1.pool.weight",
    r"\.attn\.norm_([qkv])\.": r".attn.pool_\1.norm_act.0.",
    r"\.mlp\.fc1\.": ".mlp.0.",
    r"\.mlp\.fc2\.": ".mlp.3.",
    r"^(blocks\.\d+)\.proj\.": r"\1.project.",
    r"^head\.projection\.": "head.1.",
}


def mvit(
    *,
    version: Literal[1, 2],
    depths: Sequence[int],
    drop_path: float,
    num_frames: int,
    image_size: int,
    published: str | None,
) -> VideoBackbone:
    """Build an MViT for clips of one length and size.

    Position tables of weights for other clips (torchvision's are for 16 frames of 224 pixels) are interpolated, as
    S2's ``MViTv2_S_e`` does for 32 frames. The statistics are those of torchvision's
    ``MViT_V2_S_Weights.KINETICS400_V1.transforms()``.

    Args:
        version: 1: absolute positions, and a stage's last block widens. 2: relative positions, pooled queries added
            to what attention returns, and a stage's first block widens.
        depths: Blocks of each of the four stages; (1, 2, 11, 2) is MViT-B and MViTv2-S, (2, 3, 16, 3) MViTv2-B.
        drop_path: How often the last block's branches are skipped in training; the others' less often.
        published: torchvision's name of this network, None where it has none.

    Raises:
        ConfigError: If frames or pixels do not divide into patches, or the sizes are none of an MViT's.
    """
    from sign_recog.torchvision_operators import declare_missing

    declare_missing()
    from torchvision import models
    from torchvision.models.video.mvit import MSBlockConfig, MViT

    if version not in (1, 2) or len(depths) != 4 or min(depths) < 1:
        raise ConfigError(
            f"model.backbone.version={version} must be 1 or 2, and model.backbone.depths={list(depths)} the blocks of "
            "four stages, such as [1, 2, 11, 2]."
        )
    check_grid("An MViT", num_frames, image_size, frames=2, pixels=32)
    network = MViT(
        spatial_size=(image_size, image_size),
        temporal_size=num_frames,
        block_setting=[MSBlockConfig(**block) for block in block_settings(version, depths)],
        residual_pool=version == 2,
        residual_with_cls_embed=False,
        rel_pos_embed=version == 2,
        proj_after_attn=version == 2,
        stochastic_depth_prob=drop_path,
    )
    network.head = nn.Identity()
    return VideoBackbone(
        network,
        feature_dim=8 * WIDTH,
        mean=SLOWFAST_MEAN,
        std=SLOWFAST_STD,
        blocks=list(network.blocks),
        classifier=("head.",),
        published=None if published is None else Published(models.get_model_weights(published).DEFAULT.url),
        positions=POSITIONS,
        rename=from_slowfast,
        image_size=image_size,
    )


def block_settings(version: int, depths: Sequence[int]) -> list[dict]:
    """torchvision's ``MSBlockConfig`` of every block, as keywords.

    Queries are pooled by 2 in space where a stage begins; keys and values always, and the more the larger the map
    is: by 8, 4, 2 and 1 in the four stages.
    """
    stages = [stage for stage, depth in enumerate(depths) for _ in range(depth)]
    blocks = []
    for i, stage in enumerate(stages):
        before, after = stages[max(i - 1, 0)], stages[min(i + 1, len(stages) - 1)]
        into, out = (before, stage) if version == 2 else (stage, after)
        begins, pooled = before != stage, 8 // 2**stage
        pools = version == 2 or begins  # version 2 has a convolution of stride 1 where nothing is pooled
        blocks.append(
            {
                "num_heads": 2**stage,
                "input_channels": WIDTH * 2**into,
                "output_channels": WIDTH * 2**out,
                "kernel_q": [3, 3, 3] if pools else [],
                "kernel_kv": [3, 3, 3],
                "stride_q": [1, 2, 2] if begins else [1, 1, 1] if pools else [],
                "stride_kv": [1, pooled, pooled],
            }
        )
    return blocks


def from_slowfast(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights under torchvision's names; those that have them already stay as they are."""
    renamed = {}
    for name, weight in weights.items():
        if "conv_proj.weight" not in weights:
            for pattern, replacement in RENAMED.items():
                name = re.sub(pattern, replacement, name)
            if name.startswith("pos_encoding."):
                # there tables begin with axes of 1
                weight = weight.flatten() if "class" in name else weight.flatten(0, -2)
        renamed[name] = weight
    return renamed
