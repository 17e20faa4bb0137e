"""From encoded frames to logits: pooling over time, and one classifier for each label."""

from typing import Literal

import torch
from torch import Tensor, nn

from sign_recog.types import Logits

Pooling = Literal["mean", "max", "cls"]


def masked_mean(encoded: Tensor, padding_mask: Tensor) -> Tensor:
    """Mean over the frames that are not padding.

    Shapes:
        encoded: (B, T, H); padding_mask: (B, T) bool, True = padding. Returns (B, H).
    """
    valid = ~padding_mask.unsqueeze(-1)
    return (encoded * valid).sum(dim=1) / valid.sum(dim=1).clamp(min=1)


def masked_max(encoded: Tensor, padding_mask: Tensor) -> Tensor:
    """Largest value of each feature over the frames that are not padding; shapes as :func:`masked_mean`."""
    return encoded.masked_fill(padding_mask.unsqueeze(-1), -torch.inf).amax(dim=1)


class Heads(nn.Module):
    """One classifier for glosses and, if ``num_categories`` > 0, one for categories.

    With ``hidden_dim`` a classifier has one hidden layer (GELU) of that size, without it is linear. Dropout
    stands before every linear layer.

    Shapes:
        embedding: (B, H). Returns gloss_logits (B, G) and perhaps category_logits (B, K).
    """

    def __init__(
        self, in_dim: int, *, num_glosses: int, num_categories: int, dropout: float, hidden_dim: int | None = None
    ) -> None:
        super().__init__()
        self.gloss = _classifier(in_dim, num_glosses, hidden_dim, dropout)
        self.category = _classifier(in_dim, num_categories, hidden_dim, dropout) if num_categories > 0 else None

    def forward(self, embedding: Tensor) -> Logits:
        """Shapes as above."""
        logits: Logits = {"gloss_logits": self.gloss(embedding)}
        if self.category is not None:
            logits["category_logits"] = self.category(embedding)
        return logits


def _classifier(in_dim: int, num_classes: int, hidden_dim: int | None, dropout: float) -> nn.Module:
    if hidden_dim is None:
        return nn.Sequential(nn.Dropout(dropout), nn.Linear(in_dim, num_classes))
    hidden = [nn.Dropout(dropout), nn.Linear(in_dim, hidden_dim), nn.GELU()]
    return nn.Sequential(*hidden, nn.Dropout(dropout), nn.Linear(hidden_dim, num_classes))
