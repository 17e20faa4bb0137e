"""What stands before a translation network's encoder: frames, glosses or keypoints to its width.

Each part maps (sequence, padding_mask) to the encoder's input (B, T', H) and the padding mask (B, T') of that.
"""

import math

import torch
from torch import Tensor, nn

from sign_recog.errors import ConfigError
from sign_recog.models.conv_transformer import ConvBlock
from sign_recog.models.standardize import Standardize


def check_input(input_dim: int | None, num_source_tokens: int | None) -> None:
    """Raises ConfigError unless it is known what the sequence holds: vectors, or tokens."""
    if (input_dim is None) == (num_source_tokens is None):
        raise ConfigError(
            f"A translation network reads either vectors or tokens, and was given input_dim={input_dim} and "
            f"num_source_tokens={num_source_tokens}. Give one of them."
        )


class FrameInput(nn.Module):
    """A linear map of every frame, times the square root of the width (Tarres et al. 2023, arXiv:2304.06371).

    Shapes:
        sequence: (B, T, D) float; padding_mask: (B, T) bool, True = padding. Returns (B, T, H) and the same mask.
    """

    def __init__(self, *, input_dim: int, d_model: int) -> None:
        super().__init__()
        self.projection = nn.Linear(input_dim, d_model)
        self.scale = math.sqrt(d_model)

    def forward(self, sequence: Tensor, padding_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Shapes as above."""
        return self.scale * self.projection(sequence), padding_mask


class TokenInput(nn.Module):
    """A vector for every gloss, times the square root of the width (Vaswani et al. 2017, arXiv:1706.03762).

    Shapes:
        sequence: (B, T) int64, any token where padded; padding_mask: (B, T) bool, True = padding.
        Returns (B, T, H) and the same mask.
    """

    def __init__(self, *, num_source_tokens: int, d_model: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(num_source_tokens, d_model)
        self.scale = math.sqrt(d_model)
        nn.init.normal_(self.embedding.weight, std=d_model**-0.5)

    def forward(self, sequence: Tensor, padding_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Shapes as above."""
        return self.scale * self.embedding(sequence), padding_mask


class ConvStem(nn.Module):
    """Convolutions over time before the encoder, as in :class:`~sign_recog.models.conv_transformer.ConvTransformer`.

    For keypoints, whose motion is in differences between neighbouring frames. The encoder reads one state for every
    ``pool`` frames: their mean, over those that are not padding.

    Args:
        num_blocks: Convolution blocks.
        kernel_size: In frames; odd.
        pool: Frames a state.
        dropout, drop_path: Of the blocks.
        standardize: Bring every input value to mean 0 and deviation 1 over the training frames.

    Shapes:
        sequence: (B, T, D) float; padding_mask: (B, T) bool, True = padding.
        Returns (B, ceil(T / pool), H) and its mask.
    """

    def __init__(
        self,
        *,
        input_dim: int,
        d_model: int,
        num_blocks: int,
        kernel_size: int,
        pool: int,
        dropout: float,
        drop_path: float,
        standardize: bool,
    ) -> None:
        super().__init__()
        if kernel_size % 2 == 0 or pool < 1:
            raise ConfigError(
                f"model.stem.kernel_size={kernel_size} must be odd and model.stem.pool={pool} at least 1 frame. "
                f"Use for example kernel_size={kernel_size + 1 - kernel_size % 2} and pool={max(pool, 1)}."
            )
        self.pool = pool
        self.standardize = Standardize(input_dim) if standardize else None
        self.projection = nn.Sequential(nn.Linear(input_dim, d_model), nn.LayerNorm(d_model))
        self.blocks = nn.ModuleList(ConvBlock(d_model, kernel_size, dropout, drop_path) for _ in range(num_blocks))
        self.norm = nn.LayerNorm(d_model)

    def forward(self, sequence: Tensor, padding_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Shapes as above."""
        if self.standardize is not None:
            sequence = self.standardize(sequence, padding_mask)
        states = self.projection(sequence)
        for block in self.blocks:
            states = block(states, src_key_padding_mask=padding_mask)
        states, padding_mask = mean_of_groups(states, padding_mask, self.pool)
        return self.norm(states), padding_mask


def mean_of_groups(states: Tensor, padding_mask: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Means of ``size`` neighbouring frames over those that are no padding, (B, ceil(T / size), H), and their mask."""
    if size == 1:
        return states, padding_mask
    missing = -states.shape[1] % size
    valid = ~nn.functional.pad(padding_mask, (0, missing), value=True).unflatten(1, (-1, size))
    groups = nn.functional.pad(states, (0, 0, 0, missing)).unflatten(1, (-1, size))
    groups = torch.where(valid.unsqueeze(-1), groups, 0)
    counts = valid.sum(dim=2)
    return groups.sum(dim=2) / counts.clamp(min=1).unsqueeze(-1), counts == 0
