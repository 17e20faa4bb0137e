"""The Transformer encoder of FSLR, over sequences of any length."""

import torch
from torch import Tensor, nn

from sign_recog.errors import ConfigError
from sign_recog.models.encoder import encoder_layers, sinusoidal_positions
from sign_recog.models.heads import Heads, Pooling, masked_max, masked_mean
from sign_recog.types import Logits


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
        num_languages: int,
        d_model: int,
        num_layers: int,
        num_heads: int,
        ffn_dim: int,
        dropout: float,
        head_dropout: float,
        pooling: Pooling,
        language_dim: int | None = None,
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
            num_languages=num_languages,
            language_dim=language_dim,
            dropout=head_dropout,
            hidden_dim=d_model // 2,
        )

    def forward(self, sequence: Tensor, padding_mask: Tensor, language: Tensor | None = None) -> Logits:
        """Shapes as above."""
        return self.heads(self.embed(sequence, padding_mask), language)

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
            frames = torch.cat((self.cls_token.to(frames.dtype).expand(frames.shape[0], 1, -1), frames), dim=1)
            padding_mask = nn.functional.pad(padding_mask, (1, 0), value=False)
        positions = sinusoidal_positions(frames.shape[1], frames.shape[2], like=frames)
        encoded = self.input_dropout(self.input_norm(frames + positions))
        for layer in self.layers:
            encoded = layer(encoded, src_key_padding_mask=padding_mask)
        return self.output_norm(encoded)
