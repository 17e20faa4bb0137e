"""Hiera, a hierarchical Transformer (Ryali et al. 2023, arXiv:2306.00989), of the library ``hiera-transformer``."""

import math
import warnings
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from sign_recog.errors import ConfigError
from sign_recog.models.pixels import SLOWFAST_MEAN, SLOWFAST_STD, NormalizePixels
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
        time_tokens=lambda clips: hiera_time_tokens(network, clips),
        time_stride=2,
    )


class PaddedHiera(nn.Module):
    """Hiera over the bytes of windows whose ends may be padding, of which it sees nothing; for features.

    Shapes:
        frames: (B, T, H, W, 3) uint8, RGB; num_steps: time steps (of two frames) that are no padding.
        Returns (B, num_steps, D), see :func:`hiera_time_tokens`.
    """

    def __init__(self, backbone: VideoBackbone) -> None:
        super().__init__()
        self.normalize = NormalizePixels(backbone.mean, backbone.std)
        self.backbone = backbone.network
        self.backbone.norm = nn.Identity()  # it follows the tokens; files of pre-training have none

    def forward(self, frames: Tensor, num_steps: int) -> Tensor:
        """Shapes as above."""
        clips = self.normalize(frames.permute(0, 1, 4, 2, 3)).transpose(1, 2)
        return hiera_time_tokens(self.backbone, clips, num_steps)


def hiera_time_tokens(network: nn.Module, clips: Tensor, num_steps: int | None = None) -> Tensor:
    """The last stage's output before the final norm, averaged over space: a vector for every two frames.

    Args:
        num_steps: Only the first so many time steps are computed, as if the clip ended there: nothing attends to later
            ones. It is what the library's ``mask`` does when it leaves out all mask units of later steps, since
            attention within mask units and pooling never leave a step. The patches of a step read no later step's
            frames (kernel 3, stride 2), so that zeroing those would change nothing. None = all.

    Shapes:
        clips: (B, 3, T, H, W) float, of the network's size. Returns (B, num_steps, D).
    """
    hiera: Any = network
    all_steps, *places = hiera.mask_spatial_shape  # a mask unit has one time step
    num_steps = all_steps if num_steps is None else num_steps
    tokens = hiera.unroll(hiera.patch_embed(clips) + hiera.get_pos_embed())
    # unrolled, all units' first places come first, then all second ones, and so on; units are in order of time
    tokens = tokens.unflatten(1, (hiera.mu_size, -1))[:, :, : num_steps * math.prod(places)].flatten(1, 2)
    for block in hiera.blocks:
        tokens = block(tokens)
    return tokens.unflatten(1, (num_steps, -1)).mean(dim=2)


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
