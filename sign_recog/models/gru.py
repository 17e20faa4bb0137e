"""The two small GRUs of FSLR, over frozen features."""

from torch import Tensor, nn

from sign_recog.models.heads import Heads
from sign_recog.types import Logits


class SignGRU(nn.Module):
    """Two GRUs, one on the other, over feature sequences (FSLR's InceptionV3-GRU without its InceptionV3).

    A clip's vector is the second GRU's state after the clip's last frame. Padding comes after that and cannot
    change it, so clips need no packing, for which the host would wait for the GPU in every step and which no
    exported graph can hold. Input weights start as in Glorot and Bengio 2010, recurrent ones orthogonal (Saxe et
    al. 2014, arXiv:1312.6120), one matrix a gate, biases at 0.

    Shapes:
        sequence: (B, T, D) float; padding_mask: (B, T) bool, True = padding; a clip has at least one frame.
        Returns gloss_logits (B, G) and, if num_categories > 0, category_logits (B, K).
    """

    def __init__(
        self,
        *,
        input_dim: int,
        num_glosses: int,
        num_categories: int,
        num_languages: int,
        hidden1: int,
        hidden2: int,
        dropout: float,
        language_dim: int | None = None,
    ) -> None:
        super().__init__()
        self.gru1 = nn.GRU(input_dim, hidden1, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.gru2 = nn.GRU(hidden1, hidden2, batch_first=True)
        self.heads = Heads(
            hidden2,
            num_glosses=num_glosses,
            num_categories=num_categories,
            num_languages=num_languages,
            language_dim=language_dim,
            dropout=dropout,
        )
        for gru in (self.gru1, self.gru2):
            _initialize(gru)

    def forward(self, sequence: Tensor, padding_mask: Tensor, language: Tensor | None = None) -> Logits:
        """Shapes as above."""
        return self.heads(self.embed(sequence, padding_mask), language)

    def embed(self, sequence: Tensor, padding_mask: Tensor) -> Tensor:
        """The clip as one vector, (B, H)."""
        states = self._states(sequence)
        last = (~padding_mask).sum(dim=1) - 1
        return states.gather(1, last.view(-1, 1, 1).expand(-1, 1, states.shape[2])).squeeze(1)

    def encode(self, sequence: Tensor, padding_mask: Tensor) -> Tensor:
        """The second GRU's state after each frame, (B, T, H); 0 at padded frames."""
        return self._states(sequence).masked_fill(padding_mask.unsqueeze(-1), 0)

    def embed_frames(self, sequence: Tensor, padding_mask: Tensor) -> Tensor:
        """The features as they came: nothing here looks at a frame by itself."""
        return sequence

    def _states(self, sequence: Tensor) -> Tensor:
        return self.gru2(self.dropout(self.gru1(sequence)[0]))[0]


def _initialize(gru: nn.GRU) -> None:
    for name, parameter in gru.named_parameters():
        if name.startswith("bias"):
            nn.init.zeros_(parameter)
            continue
        for gate in parameter.chunk(3):
            if name.startswith("weight_hh"):
                nn.init.orthogonal_(gate)
            else:
                nn.init.xavier_uniform_(gate)
