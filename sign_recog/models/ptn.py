"""SignON's Pose Transformer Network, over keypoint sequences."""

from itertools import pairwise

from torch import Tensor, nn

from sign_recog.models.encoder import TokenEncoder, check_width
from sign_recog.models.heads import Heads


class PTN(TokenEncoder):
    """A dense network for each frame, then a Transformer encoder.

    The frame's D values are widened to 4 D and narrowed over 4 H and 2 H to H, with LayerNorm, ReLU and dropout
    between and a Tanh at the end. Post-norm encoder layers (Vaswani et al. 2017, arXiv:1706.03762), a token for the
    clip, linear classifiers. Batch first throughout.

    Args:
        d_model: H.
        frame_dropout: In the frames' network; ``dropout`` is the encoder's.

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
        frame_dropout: float,
        head_dropout: float,
        language_dim: int | None = None,
    ) -> None:
        check_width(d_model, num_heads)
        layers = nn.ModuleList(
            nn.TransformerEncoderLayer(d_model, num_heads, ffn_dim, dropout, batch_first=True)
            for _ in range(num_layers)
        )
        heads = Heads(
            d_model,
            num_glosses=num_glosses,
            num_categories=num_categories,
            num_languages=num_languages,
            language_dim=language_dim,
            dropout=head_dropout,
        )
        super().__init__(d_model=d_model, layers=layers, output_norm=nn.Identity(), heads=heads)
        widths = (input_dim, 4 * input_dim, 4 * d_model, 2 * d_model)
        dense: list[nn.Module] = []
        for given, wanted in pairwise(widths):
            dense += [nn.Linear(given, wanted), nn.LayerNorm(wanted), nn.ReLU(), nn.Dropout(frame_dropout)]
        self.projection = nn.Sequential(*dense, nn.Linear(2 * d_model, d_model), nn.Tanh())

    def embed_frames(self, sequence: Tensor, padding_mask: Tensor) -> Tensor:
        """Each frame by itself, (B, T, H)."""
        return self.projection(sequence)
