"""One-dimensional convolutions over time with Transformer layers between them."""

from torch import Tensor, nn

from sign_recog.models.encoder import drop_path, encoder_layers
from sign_recog.models.heads import Heads, masked_mean
from sign_recog.models.standardize import Standardize
from sign_recog.types import Logits


class ConvTransformer(nn.Module):
    """Depthwise convolutions and self-attention in turn, for short clips and few training data.

    In the manner of Hoyeol Sohn's winning network of Google's Isolated Sign Language Recognition competition
    (2023, https://github.com/hoyso48/Google---Isolated-Sign-Language-Recognition-1st-place-solution): stages of three
    convolution blocks and one Transformer layer, no positional encoding (the convolutions tell before from after),
    mean over time, and strong dropout before the classifier. Different here: LayerNorm in place of BatchNorm, so
    that a clip's logits never depend on its batch; symmetric in place of causal convolutions; and padded frames are
    set to 0 before every convolution.

    Args:
        num_stages: Each of ``blocks_per_stage`` convolution blocks and one Transformer layer.
        kernel_size: In frames; odd.
        drop_path: Probability of skipping a convolution block for a clip (Huang et al. 2016, arXiv:1603.09382).
        head_dropout: Before each classifier.
        standardize: Bring every input value to mean 0 and deviation 1 over the training frames.

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
        num_stages: int,
        blocks_per_stage: int,
        kernel_size: int,
        num_heads: int,
        ffn_dim: int,
        dropout: float,
        drop_path: float,
        head_dropout: float,
        standardize: bool,
        language_dim: int | None = None,
    ) -> None:
        super().__init__()
        self.standardize = Standardize(input_dim) if standardize else None
        self.projection = nn.Sequential(nn.Linear(input_dim, d_model), nn.LayerNorm(d_model))
        self.layers = nn.ModuleList()
        for _ in range(num_stages):
            self.layers.extend(ConvBlock(d_model, kernel_size, dropout, drop_path) for _ in range(blocks_per_stage))
            self.layers.extend(encoder_layers(1, dim=d_model, num_heads=num_heads, ffn_dim=ffn_dim, dropout=dropout))
        self.output_norm = nn.LayerNorm(d_model)
        self.heads = Heads(
            d_model,
            num_glosses=num_glosses,
            num_categories=num_categories,
            num_languages=num_languages,
            language_dim=language_dim,
            dropout=head_dropout,
        )

    def forward(self, sequence: Tensor, padding_mask: Tensor, language: Tensor | None = None) -> Logits:
        """Shapes as above."""
        return self.heads(self.embed(sequence, padding_mask), language)

    def embed(self, sequence: Tensor, padding_mask: Tensor) -> Tensor:
        """The clip as one vector, (B, H)."""
        return masked_mean(self.encode(sequence, padding_mask), padding_mask)

    def encode(self, sequence: Tensor, padding_mask: Tensor) -> Tensor:
        """Each frame in the light of its clip, (B, T, H); values at padded frames mean nothing."""
        encoded = self.embed_frames(sequence, padding_mask)
        for layer in self.layers:
            encoded = layer(encoded, src_key_padding_mask=padding_mask)
        return self.output_norm(encoded)

    def embed_frames(self, sequence: Tensor, padding_mask: Tensor) -> Tensor:
        """Each frame by itself, (B, T, H)."""
        if self.standardize is not None:
            sequence = self.standardize(sequence, padding_mask)
        return self.projection(sequence)


class ConvBlock(nn.Module):
    """Residual inverted bottleneck: widen twice, depthwise convolution over time, weigh channels, narrow.

    The channels are weighed as in ECA-Net (Wang et al. 2020, arXiv:1910.03151), from their masked mean over time.
    """

    def __init__(self, dim: int, kernel_size: int, dropout: float, drop_path: float) -> None:
        super().__init__()
        wide = 2 * dim
        self.norm = nn.LayerNorm(dim)
        self.widen = nn.Linear(dim, wide)
        self.convolution = nn.Conv1d(wide, wide, kernel_size, padding=kernel_size // 2, groups=wide)
        self.wide_norm = nn.LayerNorm(wide)
        self.channel_weight = nn.Conv1d(1, 1, kernel_size=5, padding=2, bias=False)
        self.narrow = nn.Linear(wide, dim)
        self.dropout = nn.Dropout(dropout)
        self.drop_path = drop_path

    def forward(self, encoded: Tensor, src_key_padding_mask: Tensor) -> Tensor:
        """(B, T, dim) to the same; the mask (B, T), True = padding, is named as in PyTorch's encoder layers."""
        hidden = nn.functional.silu(self.widen(self.norm(encoded)))
        hidden = hidden.masked_fill(src_key_padding_mask.unsqueeze(-1), 0)
        hidden = self.wide_norm(self.convolution(hidden.transpose(1, 2)).transpose(1, 2))
        channels = self.channel_weight(masked_mean(hidden, src_key_padding_mask).unsqueeze(1)).squeeze(1)
        hidden = hidden * channels.sigmoid().unsqueeze(1)
        return encoded + drop_path(self.dropout(self.narrow(hidden)), self.drop_path, self.training)
