"""Hiera, a hierarchical Transformer (Ryali et al. 2023, arXiv:2306.00989), of the library ``hiera-transformer``."""

import warnings
from collections.abc import Sequence
from typing import Any

from torch import nn

from sign_recog.errors import ConfigError
from sign_recog.models.pixels import SLOWFAST_MEAN, SLOWFAST_STD
from sign_recog.models.pretrained import Published
from sign_recog.models.video import VideoBackbone, check_grid

POSITIONS = {"pos_embed_spatial": 2, "pos_embed_temporal": 1}


def hiera(
    *,
    embed_dim: int,
    num_heads: int,
    stages: Sequence[int],
    drop_path: float,
    num_frames: int,
    image_size: int,
    published: str | None,
) -> VideoBackbone:
    """Build the network for clips of one length and size: patches of 2 x 4 x 4, as the library's ``*_16x224``.

    Position tables of weights for other clips are interpolated. Mean and deviation are those of Kinetics training
    with PySlowFast, by which the authors trained it.

    Args:
        embed_dim, num_heads: Of the first of four stages; doubled with each that follows.
        stages: Blocks of each stage.
        drop_path: How often the last block's branches are skipped in training; the others' less often.
        published: The library's function of this network, None where it publishes no weights for clips.

    Raises:
        ConfigError: If the library is missing, or frames or pixels do not divide into patches.
    """
    library = _library()
    check_grid("Hiera", num_frames, image_size, frames=2, pixels=32)
    network = library.Hiera(
        input_size=(num_frames, image_size, image_size),
        embed_dim=embed_dim,
        num_heads=num_heads,
        stages=tuple(stages),
        q_stride=(1, 2, 2),
        mask_unit_size=(1, 8, 8),
        patch_kernel=(3, 7, 7),
        patch_stride=(2, 4, 4),
        patch_padding=(1, 3, 3),
        sep_pos_embed=True,
        drop_path_rate=drop_path,
    )
    network.head = nn.Identity()
    address = None if published is None else getattr(library, published).checkpoints["mae_k400_ft_k400"]
    return VideoBackbone(
        network,
        feature_dim=8 * embed_dim,
        mean=SLOWFAST_MEAN,
        std=SLOWFAST_STD,
        blocks=list(network.blocks),
        classifier=("head.",),
        published=None if address is None else Published(address),
        positions=POSITIONS,
        image_size=image_size,
    )


def _library() -> Any:
    from sign_recog.torchvision_operators import declare_missing

    declare_missing()  # timm, which the library uses, imports torchvision
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it uses names that timm has moved
            import hiera
    except ImportError as error:
        raise ConfigError(
            f"The networks hiera_* need a library that cannot be loaded ({error}). Run: pip install hiera-transformer"
        ) from error
    return hiera
