"""From encoded frames to logits: pooling over time, and one classifier for each label."""

from typing import Literal, cast

import torch
from torch import Tensor, nn

from sign_recog.errors import ConfigError
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

    With more than one language a clip's vector is followed by a learned vector of its language (SignON's
    multilingual conditioning); with one or none there is no such part, and the parameters are the same.

    Args:
        language_dim: Of the language's vector; None or 0 where there is never more than one language.

    Shapes:
        embedding: (B, H); language: (B,) int64. Returns gloss_logits (B, G) and perhaps category_logits (B, K).

    Raises:
        ConfigError: If there are several languages and ``language_dim`` is not positive, or a call names none.
    """

    def __init__(
        self,
        in_dim: int,
        *,
        num_glosses: int,
        num_categories: int,
        num_languages: int,
        language_dim: int | None,
        dropout: float,
        hidden_dim: int | None = None,
    ) -> None:
        super().__init__()
        self.language_embedding = None
        if num_languages > 1:
            if not language_dim or language_dim < 0:
                raise ConfigError(
                    f"model.language_dim={language_dim}, but the data have {num_languages} languages. "
                    "Use a positive number; SignON's is 4."
                )
            self.language_embedding = nn.Embedding(num_languages, language_dim)
            in_dim += language_dim
        self.gloss = _classifier(in_dim, num_glosses, hidden_dim, dropout)
        self.category = _classifier(in_dim, num_categories, hidden_dim, dropout) if num_categories > 0 else None

    def forward(self, embedding: Tensor, language: Tensor | None = None) -> Logits:
        """Shapes as above."""
        if self.language_embedding is not None:
            if language is None:
                raise ConfigError(
                    f"This network knows {self.language_embedding.num_embeddings} languages and was given none for "
                    "these clips. Say which language each clip is in."
                )
            embedding = torch.cat((embedding, self.language_embedding(language).to(embedding.dtype)), dim=1)
        logits: Logits = {"gloss_logits": self.gloss(embedding)}
        if self.category is not None:
            logits["category_logits"] = self.category(embedding)
        return logits

    def output_layers(self) -> dict[str, nn.Linear]:
        """The linear layer that gives each label's logits, by the label's name: ``gloss``, perhaps ``category``."""
        classifiers = {"gloss": self.gloss, "category": self.category}
        return {label: cast(nn.Linear, layers[-1]) for label, layers in classifiers.items() if layers is not None}


def _classifier(in_dim: int, num_classes: int, hidden_dim: int | None, dropout: float) -> nn.Sequential:
    if hidden_dim is None:
        return nn.Sequential(nn.Dropout(dropout), nn.Linear(in_dim, num_classes))
    hidden = [nn.Dropout(dropout), nn.Linear(in_dim, hidden_dim), nn.GELU()]
    return nn.Sequential(*hidden, nn.Dropout(dropout), nn.Linear(hidden_dim, num_classes))
