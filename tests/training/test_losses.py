"""The loss against its formula."""

import pytest
import torch

from sign_recog.training.losses import GlossCategoryLoss


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    logits = {
        "gloss_logits": torch.randn(4, 3, generator=generator),
        "category_logits": torch.randn(4, 2, generator=generator),
    }
    return logits, {"gloss": torch.tensor([0, 2, 1, 1]), "category": torch.tensor([1, -1, 0, -1])}


def smoothed(logits: torch.Tensor, target: int, epsilon: float) -> torch.Tensor:
    """(1 - e) * -log p_y + e * mean over classes of -log p."""
    log_p = logits - logits.logsumexp(0)
    return -(1 - epsilon) * log_p[target] - epsilon * log_p.mean()


def test_it_is_the_weighted_sum_of_both_heads_smoothed_cross_entropies(batch):
    logits, labels = batch
    loss = GlossCategoryLoss(label_smoothing=0.2, gloss_weight=0.8, category_weight=0.3)(logits, labels)
    gloss = sum(smoothed(logits["gloss_logits"][i], int(labels["gloss"][i]), 0.2) for i in range(4)) / 4
    category = sum(smoothed(logits["category_logits"][i], int(labels["category"][i]), 0.2) for i in (0, 2)) / 2
    assert loss.item() == pytest.approx((0.8 * gloss + 0.3 * category).item(), abs=1e-6)


def test_a_batch_without_categories_still_has_a_finite_loss(batch):
    logits, labels = batch
    labels["category"][:] = -1
    assert GlossCategoryLoss(label_smoothing=0, gloss_weight=1, category_weight=1)(logits, labels).isfinite()
