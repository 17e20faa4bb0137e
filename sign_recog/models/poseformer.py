"""SignON's PoseFormer: learned filters over time before and after the frame embedding, then a Transformer."""

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

from sign_recog.errors import ConfigError
from sign_recog.models.encoder import TokenEncoder, encoder_layers
from sign_recog.models.heads import Heads

PoseEmbedding = Literal["residual", "plain", "none"]


class PoseFormer(TokenEncoder):
    """Filters over time on the keypoints, a frame embedding, convolutions over time, a Transformer encoder.

    Each filter is one depthwise convolution, each block after the frame embedding two with a GELU between; both are
    residual. Frames of padding are set to 0 after every convolution, so the last frames of a clip see zeros behind
    them whatever the batch. Pre-norm encoder layers with drop path, a token for the clip, linear classifiers.

    Args:
        pose_embedding: Of a frame's D values in H. ``residual``: a linear layer, and a two-layer network (GELU)
            added to it. ``plain``: a two-layer network. ``none``: a linear layer.
        kernel_sizes: In frames, odd: one filter and one block each.
        drop_path: Probability of skipping a branch of an encoder layer for a clip.

    Shapes:
        sequence: (B, T, D) float; padding_mask: (B, T) bool, True = padding.
        Returns gloss_logits (B, G) and, if num_categories > 0, category_logits (B, K).
    """

    def __init__(
        self,
        *,
        input_dim: int,
        num_glosses: int,
        num_categories: int,
        num_languages: int,
        pose_embedding: PoseEmbedding,
        kernel_sizes: Sequence[int],
        d_model: int,
        num_layers: int,
        num_heads: int,
        ffn_dim: int,
        dropout: float,
        drop_path: float,
        head_dropout: float,
        language_dim: int | None = None,
    ) -> None:
        if any(size < 1 or size % 2 == 0 for size in kernel_sizes):
            raise ConfigError(
                f"model.kernel_sizes={list(kernel_sizes)}: a frame must be in the middle of its kernel. Use odd sizes."
            )
        layers = encoder_layers(
            num_layers, dim=d_model, num_heads=num_heads, ffn_dim=ffn_dim, dropout=dropout, drop_path=drop_path
        )
        heads = Heads(
            d_model,
            num_glosses=num_glosses,
            num_categories=num_categories,
            num_languages=num_languages,
            language_dim=language_dim,
            dropout=head_dropout,
        )
        super().__init__(d_model=d_model, layers=layers, output_norm=nn.LayerNorm(d_model), heads=heads)
        self.filters = nn.ModuleList(ResidualConvolutions(input_dim, size, 1) for size in kernel_sizes)
        self.projection = _pose_embedding(pose_embedding, input_dim, d_model, dropout)
        self.convolutions = nn.ModuleList(ResidualConvolutions(d_model, size, 2) for size in kernel_sizes)

    def embed_frames(self, sequence: Tensor, padding_mask: Tensor) -> Tensor:
        """Each frame, after filters that also look at its neighbours, (B, T, H)."""
        return self.projection(_over_time(self.filters, sequence, padding_mask))

    def before_positions(self, frames: Tensor, padding_mask: Tensor) -> Tensor:
        """The convolutions over embedded frames, (B, T, H) to the same."""
        return _over_time(self.convolutions, frames, padding_mask)


class ResidualConvolutions(nn.Module):
    """Depthwise convolutions of one kernel size in a row, GELU between, added to their input.

    Shapes:
        frames: (B, C, T) with 0 where padded; padding: (B, 1, T) bool, True = padding. Returns the same as ``frames``.
    """

    def __init__(self, dim: int, kernel_size: int, num_convolutions: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv1d(dim, dim, kernel_size, padding=kernel_size // 2, groups=dim) for _ in range(num_convolutions)
        )

    def forward(self, frames: Tensor, padding: Tensor) -> Tensor:
        """Shapes as above."""
        change = frames
        for i, convolution in enumerate(self.convolutions):
            change = nn.functional.gelu(change) if i else change
            change = convolution(change).masked_fill(padding, 0)
        return frames + change


class ResidualEmbedding(nn.Module):
    """A linear layer, and a two-layer network with GELU added to what it gives."""

    def __init__(self, input_dim: int, d_model: int, dropout: float) -> None:
        super().__init__()
        self.linear = nn.Linear(input_dim, d_model)
        self.change = _pose_embedding("plain", d_model, d_model, dropout)

    def forward(self, frames: Tensor) -> Tensor:
        """(..., D) to (..., H)."""
        embedded = self.linear(frames)
        return embedded + self.change(embedded)


def _pose_embedding(kind: PoseEmbedding, input_dim: int, d_model: int, dropout: float) -> nn.Module:
    if kind == "residual":
        return ResidualEmbedding(input_dim, d_model, dropout)
    if kind == "plain":
        hidden = [nn.Linear(input_dim, d_model), nn.GELU(), nn.Dropout(dropout)]
        return nn.Sequential(*hidden, nn.Linear(d_model, d_model))
    if kind == "none":
        return nn.Linear(input_dim, d_model)
    raise ConfigError(f"model.pose_embedding={kind!r} is unknown. Use residual, plain or none.")


def _over_time(blocks: nn.ModuleList, frames: Tensor, padding_mask: Tensor) -> Tensor:
    """(B, T, C) through ``blocks``, which read (B, C, T), and back."""
    padding = padding_mask.unsqueeze(1)
    channels = frames.transpose(1, 2).masked_fill(padding, 0)
    for block in blocks:
        channels = block(channels, padding)
    return channels.transpose(1, 2)
