"""What the Transformer networks share: positions, layers, and a token that gathers the clip."""

import math
from functools import lru_cache

import torch
from torch import Tensor, nn

from sign_recog.errors import ConfigError
from sign_recog.models.heads import Heads
from sign_recog.types import Logits


def sinusoidal_positions(num_frames: int, dim: int, like: Tensor) -> Tensor:
    """(T, dim) positional encoding of Vaswani et al. 2017 (arXiv:1706.03762); device and dtype of ``like``.

    Sines stand in the even, cosines in the odd columns; ``dim`` is even. Lengths seen before are remembered; a
    compiled or exported graph computes them instead, so that it serves any length. Not to be written into.
    """
    if torch.compiler.is_compiling() or torch.jit.is_tracing():
        return _positions(num_frames, dim, like.device, like.dtype)
    return _remembered_positions(num_frames, dim, like.device, like.dtype)


def _positions(num_frames: int, dim: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    frame = torch.arange(num_frames, device=device, dtype=torch.float32).unsqueeze(1)
    pair = torch.arange(0, dim, 2, device=device, dtype=torch.float32)
    angle = frame * torch.exp(pair * (-math.log(10000.0) / dim))
    return torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(1).to(dtype)


@lru_cache(maxsize=128)
@torch.inference_mode(False)  # autograd refuses tensors that were made for inference
def _remembered_positions(num_frames: int, dim: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    return _positions(num_frames, dim, device, dtype)


def drop_path(change: Tensor, probability: float, training: bool) -> Tensor:
    """Skip a residual branch for some clips of a training batch (Huang et al. 2016, arXiv:1603.09382).

    ``change`` (B, T, H) is set to 0 for a clip with ``probability``, and divided by 1 - probability otherwise.
    """
    if not training or probability == 0:
        return change
    keep = torch.rand(len(change), 1, 1, device=change.device) >= probability
    return change * keep / (1 - probability)


class DropPathLayer(nn.TransformerEncoderLayer):
    """A pre-norm encoder layer whose two branches are skipped for some clips in training; parameters unchanged."""

    def __init__(self, *sizes: float, drop_path: float, **settings: bool | str) -> None:
        super().__init__(*sizes, **settings)  # type: ignore[arg-type]
        self.drop_path = drop_path

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """As PyTorch's encoder layer."""
        if not self.training or self.drop_path == 0:
            return super().forward(src, src_mask, src_key_padding_mask, is_causal)
        normed = self.norm1(src)
        attended, _ = self.self_attn(
            normed, normed, normed, key_padding_mask=src_key_padding_mask, attn_mask=src_mask, need_weights=False
        )
        src = src + drop_path(self.dropout1(attended), self.drop_path, self.training)
        hidden = self.linear2(self.dropout(self.activation(self.linear1(self.norm2(src)))))
        return src + drop_path(self.dropout2(hidden), self.drop_path, self.training)


def encoder_layers(
    num_layers: int, *, dim: int, num_heads: int, ffn_dim: int, dropout: float, drop_path: float = 0.0
) -> nn.ModuleList:
    """Pre-norm Transformer layers (Xiong et al. 2020, arXiv:2002.04745), each with starting weights of its own.

    Call them as ``layer(encoded, src_key_padding_mask=padding_mask)``.

    Raises:
        ConfigError: If ``dim`` does not divide among the heads, or is odd.
    """
    check_width(dim, num_heads)
    sizes = (dim, num_heads, ffn_dim, dropout)
    return nn.ModuleList(
        DropPathLayer(*sizes, activation="gelu", batch_first=True, norm_first=True, drop_path=drop_path)
        for _ in range(num_layers)
    )


def check_width(dim: int, num_heads: int) -> None:
    """Raise ConfigError unless ``dim`` divides among the heads and is even, as sinusoidal positions need."""
    if dim % num_heads or dim % 2:
        raise ConfigError(
            f"The network's width {dim} must be even and a multiple of its {num_heads} attention heads. "
            "Change model.d_model or model.num_heads."
        )


class TokenEncoder(nn.Module):
    """Base of SignON's networks: sinusoidal positions, a learned token before the frames, Transformer layers.

    The encoded token is the clip's vector (CLS token of Devlin et al. 2019, arXiv:1810.04805). Positions are added
    to the frames only, and before the token is. A network defines ``embed_frames``.
    """

    def __init__(self, *, d_model: int, layers: nn.ModuleList, output_norm: nn.Module, heads: Heads) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(0.02 * torch.randn(d_model))
        self.layers, self.output_norm, self.heads = layers, output_norm, heads

    def forward(self, sequence: Tensor, padding_mask: Tensor, language: Tensor | None = None) -> Logits:
        """Shapes as of the network."""
        return self.heads(self.embed(sequence, padding_mask), language)

    def embed(self, sequence: Tensor, padding_mask: Tensor) -> Tensor:
        """The clip as one vector, (B, H)."""
        return self._encode_with_token(sequence, padding_mask)[:, 0]

    def encode(self, sequence: Tensor, padding_mask: Tensor) -> Tensor:
        """Each frame in the light of its clip, (B, T, H); values at padded frames mean nothing."""
        return self._encode_with_token(sequence, padding_mask)[:, 1:]

    def embed_frames(self, sequence: Tensor, padding_mask: Tensor) -> Tensor:
        """Each frame before positions and attention, (B, T, H)."""
        raise NotImplementedError

    def before_positions(self, frames: Tensor, padding_mask: Tensor) -> Tensor:
        """What a network does between frame embedding and positions, (B, T, H) to the same; nothing here."""
        return frames

    def _encode_with_token(self, sequence: Tensor, padding_mask: Tensor) -> Tensor:
        frames = self.before_positions(self.embed_frames(sequence, padding_mask), padding_mask)
        frames = frames + sinusoidal_positions(frames.shape[1], frames.shape[2], like=frames)
        encoded = torch.cat((self.cls_token.to(frames.dtype).expand(frames.shape[0], 1, -1), frames), dim=1)
        padding_mask = nn.functional.pad(padding_mask, (1, 0), value=False)
        for layer in self.layers:
            encoded = layer(encoded, src_key_padding_mask=padding_mask)
        return self.output_norm(encoded)
