"""What training minimises."""

from torch import Tensor, nn
from torch.nn import functional as F

from sign_recog.data.vocabulary import NO_CATEGORY
from sign_recog.types import Batch, Logits


class GlossCategoryLoss(nn.Module):
    """Weighted sum of the cross-entropies of the two heads.

    Clips without a category do not count in the category term. Label smoothing after
    Szegedy et al. 2016 (arXiv:1512.00567).
    """

    def __init__(self, *, label_smoothing: float, gloss_weight: float, category_weight: float):
        super().__init__()
        self.label_smoothing, self.gloss_weight, self.category_weight = label_smoothing, gloss_weight, category_weight

    def forward(self, logits: Logits, batch: Batch) -> Tensor:
        """Mean loss of the batch, a scalar."""
        loss = self.gloss_weight * F.cross_entropy(
            logits["gloss_logits"], batch["gloss"], label_smoothing=self.label_smoothing
        )
        if self.category_weight and (batch["category"] != NO_CATEGORY).any():
            loss = loss + self.category_weight * F.cross_entropy(
                logits["category_logits"],
                batch["category"],
                ignore_index=NO_CATEGORY,
                label_smoothing=self.label_smoothing,
            )
        return loss
