"""The Transformer encoder of FSLR, over sequences of any length."""

import math

import torch
from torch import Tensor, nn

from sign_recog.errors import ConfigError
from sign_recog.models.heads import Heads, Pooling, masked_max, masked_mean
from sign_recog.types import Logits


def sinusoidal_positions(num_frames: int, dim: int, like: Tensor) -> Tensor:
    """(T, dim) positional encoding of Vaswani et al. 2017 (arXiv:1706.03762); device and dtype of ``like``.

    Sines stand in the even, cosines in the odd columns; ``dim`` is even.
    """
    frame = torch.arange(num_frames, device=like.device, dtype=torch.float32).unsqueeze(1)
    pair = torch.arange(0, dim, 2, device=like.device, dtype=torch.float32)
    angle = frame * torch.exp(pair * (-math.log(10000.0) / dim))
    return torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(1).to(like.dtype)


def encoder_layers(num_layers: int, *, dim: int, num_heads: int, ffn_dim: int, dropout: float) -> nn.ModuleList:
    """Pre-norm Transformer layers (Xiong et al. 2020, arXiv:2002.04745), each with starting weights of its own.

    Call them as ``layer(encoded, src_key_padding_mask=padding_mask)``.

    Raises:
        ConfigError: If ``dim`` does not divide among the heads, or is odd.
    """
    if dim % num_heads or dim % 2:
        raise ConfigError(
            f"The network's width {dim} must be even and a multiple of its {num_heads} attention heads. "
            "Change model.d_model or model.num_heads."
        )
    return nn.ModuleList(
        nn.TransformerEncoderLayer(
            dim, num_heads, ffn_dim, dropout, activation="gelu", batch_first=True, norm_first=True
        )
        for _ in range(num_layers)
    )


class SignTransformer(nn.Module):
    """Transformer encoder over keypoint or feature sequences (FSLR's).

    Linear projection plus sinusoidal positions, LayerNorm, pre-norm encoder layers, LayerNorm, pooling over time,
    and classifiers with one hidden layer of half the width. Positions are computed for the length at hand, so no
    clip is too long.

    Args:
        pooling: ``mean`` or ``max`` over the frames, or ``cls``: a learned token in front of them.
        head_dropout: Before each linear layer of the classifiers.

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
        d_model: int,
        num_layers: int,
        num_heads: int,
        ffn_dim: int,
        dropout: float,
        head_dropout: float,
        pooling: Pooling,
    ) -> None:
        super().__init__()
        if pooling not in ("mean", "max", "cls"):
            raise ConfigError(f"model.pooling={pooling!r} is unknown. Use mean, max or cls.")
        self.pooling = pooling
        self.projection = nn.Linear(input_dim, d_model)
        self.cls_token = nn.Parameter(0.02 * torch.randn(d_model)) if pooling == "cls" else None
        self.input_norm = nn.LayerNorm(d_model)
        self.input_dropout = nn.Dropout(dropout)
        self.layers = encoder_layers(num_layers, dim=d_model, num_heads=num_heads, ffn_dim=ffn_dim, dropout=dropout)
        self.output_norm = nn.LayerNorm(d_model)
        self.heads = Heads(
            d_model,
            num_glosses=num_glosses,
            num_categories=num_categories,
            dropout=head_dropout,
            hidden_dim=d_model // 2,
        )

    def forward(self, sequence: Tensor, padding_mask: Tensor) -> Logits:
        """Shapes as above."""
        return self.heads(self.embed(sequence, padding_mask))

    def embed(self, sequence: Tensor, padding_mask: Tensor) -> Tensor:
        """The clip as one vector, (B, H)."""
        encoded = self._encode_with_cls(sequence, padding_mask)
        if self.pooling == "cls":
            return encoded[:, 0]
        return (masked_mean if self.pooling == "mean" else masked_max)(encoded, padding_mask)

    def encode(self, sequence: Tensor, padding_mask: Tensor) -> Tensor:
        """Each frame in the light of its clip, (B, T, H); values at padded frames mean nothing."""
        encoded = self._encode_with_cls(sequence, padding_mask)
        return encoded[:, 1:] if self.pooling == "cls" else encoded

    def embed_frames(self, sequence: Tensor, padding_mask: Tensor) -> Tensor:
        """Each frame by itself, before positions and attention, (B, T, H)."""
        return self.projection(sequence)

    def _encode_with_cls(self, sequence: Tensor, padding_mask: Tensor) -> Tensor:
        frames = self.embed_frames(sequence, padding_mask)
        if self.cls_token is not None:
            frames = torch.cat((self.cls_token.expand(len(frames), 1, -1), frames), dim=1)
            padding_mask = nn.functional.pad(padding_mask, (1, 0), value=False)
        positions = sinusoidal_positions(frames.shape[1], frames.shape[2], like=frames)
        encoded = self.input_dropout(self.input_norm(frames + positions))
        for layer in self.layers:
            encoded = layer(encoded, src_key_padding_mask=padding_mask)
        return self.output_norm(encoded)
