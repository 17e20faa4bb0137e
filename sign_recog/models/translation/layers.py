"""Pre-norm Transformer layers for translation (Xiong et al. 2020, arXiv:2002.04745), with three kinds of dropout."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention


class Dropouts(NamedTuple):
    """Probabilities: of a branch's output, of attention weights, and inside the feed-forward part."""

    branch: float
    attention: float
    activation: float


class KeysValues(NamedTuple):
    """What is attended to, (B, heads, S, H / heads) each."""

    keys: Tensor
    values: Tensor


def encoder_layer(d_model: int, num_heads: int, ffn_dim: int, dropouts: Dropouts) -> nn.TransformerEncoderLayer:
    """PyTorch's own layer with ReLU; call it as ``layer(states, src_key_padding_mask=padding_mask)``."""
    layer = nn.TransformerEncoderLayer(
        d_model, num_heads, ffn_dim, dropouts.branch, activation="relu", batch_first=True, norm_first=True
    )
    layer.self_attn.dropout = dropouts.attention
    layer.dropout.p = dropouts.activation
    return layer


class Attention(nn.Module):
    """Multi-head attention whose keys and values can be kept from one step to the next."""

    def __init__(self, d_model: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.num_heads, self.dropout = num_heads, dropout
        self.query, self.key, self.value, self.output = (nn.Linear(d_model, d_model) for _ in range(4))
        for part in (self.query, self.key, self.value):
            nn.init.xavier_uniform_(part.weight, gain=2**-0.5)  # as the joint matrix of PyTorch's own
            nn.init.zeros_(part.bias)
        nn.init.xavier_uniform_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def keys_values(self, states: Tensor) -> KeysValues:
        """Of ``states`` (B, S, H)."""
        return KeysValues(self._heads(self.key(states)), self._heads(self.value(states)))

    def forward(self, states: Tensor, to: KeysValues, mask: Tensor | None = None, *, causal: bool = False) -> Tensor:
        """``states`` (B, U, H) attend to ``to`` where ``mask`` (B, 1, 1, S) is True, or not after their own place."""
        attended = scaled_dot_product_attention(
            self._heads(self.query(states)),
            to.keys,
            to.values,
            attn_mask=mask,
            dropout_p=self.dropout if self.training else 0.0,
            is_causal=causal,
        )
        return self.output(attended.transpose(1, 2).flatten(2))

    def _heads(self, states: Tensor) -> Tensor:
        return states.unflatten(2, (self.num_heads, -1)).transpose(1, 2)


class DecoderLayer(nn.Module):
    """Attention to the sentence so far, attention to the source, feed-forward part.

    There may be more rows than sources: row ``s * K + k`` then is beam k of source s, and the source's keys and
    values are there once for all its beams.
    """

    def __init__(self, d_model: int, num_heads: int, ffn_dim: int, dropouts: Dropouts) -> None:
        super().__init__()
        self.self_attention = Attention(d_model, num_heads, dropouts.attention)
        self.source_attention = Attention(d_model, num_heads, dropouts.attention)
        self.ffn = nn.Sequential(
            nn.Linear(d_model, ffn_dim), nn.ReLU(), nn.Dropout(dropouts.activation), nn.Linear(ffn_dim, d_model)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(d_model) for _ in range(3))
        self.dropout = nn.Dropout(dropouts.branch)

    def forward(
        self, states: Tensor, source: KeysValues, source_mask: Tensor, past: KeysValues | None = None
    ) -> tuple[Tensor, KeysValues]:
        """The states, and keys and values of the sentence so far.

        Shapes:
            states: (R, U, H), R = B * K; U = 1 where ``past`` is given: the newest token.
            source: of B sources; source_mask: (B, 1, 1, T) bool, True = may be attended to.
        """
        normed = self.norms[0](states)
        own = self.self_attention.keys_values(normed)
        if past is not None:
            own = KeysValues(*(torch.cat(pair, dim=2) for pair in zip(past, own, strict=True)))
        states = states + self.dropout(self.self_attention(normed, own, causal=past is None))
        together = self.norms[1](states).reshape(len(source.keys), -1, states.shape[2])
        attended = self.source_attention(together, source, source_mask)
        states = states + self.dropout(attended.reshape(states.shape))
        return states + self.dropout(self.ffn(self.norms[2](states))), own
