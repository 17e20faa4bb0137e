"""The losses against their formulas, and the penalties on weights."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from sign_recog.config.loss import ClassWeights, LossConfig, Norm, RegularizerConfig
from sign_recog.errors import ConfigError
from sign_recog.training.losses import ClassLoss, SignLoss
from sign_recog.training.weighting import Static

LABELS = torch.tensor([0, 2, 1, 1])
WEIGHTS = torch.tensor([0.5, 2.0, 1.25])


@pytest.fixture
def logits() -> torch.Tensor:
    return torch.randn(4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64).float()


def by_hand(logits, labels, *, epsilon=0.0, gamma=0.0, weights=None):
    """Clip by clip, class by class, in double precision."""
    weights = torch.ones(logits.shape[1]) if weights is None else weights
    total, norm = 0.0, 0.0
    for row, label in zip(logits.double(), labels, strict=True):
        if label < 0:
            continue
        p = row.exp() / row.exp().sum()
        for k in range(len(row)):
            q = (1 - epsilon) * (k == label) + epsilon / len(row)
            total -= float(q * weights[k] * (1 - p[k]) ** gamma * p[k].log())
        norm += 1
    return total / norm


@pytest.mark.parametrize("epsilon", [0.0, 0.2])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_every_combination_of_smoothing_focus_and_class_weights(logits, epsilon, gamma, weights):
    loss = ClassLoss(label_smoothing=epsilon, focal_gamma=gamma, weights=weights)
    expected = by_hand(logits, LABELS, epsilon=epsilon, gamma=gamma, weights=weights)
    assert loss(logits, LABELS).item() == pytest.approx(expected, rel=1e-5)


def test_the_focal_loss_of_one_clip_is_that_of_lin_et_al():
    """FL(p_t) = -(1 - p_t)^gamma log(p_t); with p_t = 0.9 and gamma 2 a hundredth of the cross-entropy."""
    logits = torch.tensor([[9.0, 1.0]]).log()
    loss = ClassLoss(label_smoothing=0, focal_gamma=2.0, weights=None)(logits, torch.tensor([0]))
    assert loss.item() == pytest.approx(0.01 * F.cross_entropy(logits, torch.tensor([0])).item(), rel=1e-5)


def test_a_vanishing_gamma_is_cross_entropy(logits):
    settings = {"label_smoothing": 0.1, "weights": WEIGHTS}
    almost, none = (ClassLoss(focal_gamma=g, **settings)(logits, LABELS).item() for g in (1e-7, 0.0))
    assert almost == pytest.approx(none, rel=1e-5)
    counted = LABELS >= 0
    clips = F.cross_entropy(logits[counted], LABELS[counted], WEIGHTS, label_smoothing=0.1, reduction="none")
    assert none == pytest.approx(clips.mean().item(), rel=1e-6)


@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_batches_of_equal_size_add_up_under_class_weights_too(gamma):
    """So that accumulated batches are one large one, and the logged mean does not depend on the batch size."""
    logits, labels = torch.randn(8, 3, generator=torch.manual_seed(0)), torch.tensor([0, 0, 0, 1, 0, 2, 2, 2])
    loss = ClassLoss(label_smoothing=0.1, focal_gamma=gamma, weights=torch.tensor([0.5, 3.0, 1.0]))
    halves = (loss(logits[:4], labels[:4]) + loss(logits[4:], labels[4:])) / 2
    assert loss(logits, labels).item() == pytest.approx(halves.item(), rel=1e-6)


def test_a_clip_that_is_certainly_right_has_a_finite_focal_gradient():
    logits = torch.tensor([[60.0, 0.0, 0.0]], requires_grad=True)
    ClassLoss(label_smoothing=0.1, focal_gamma=0.5, weights=None)(logits, torch.tensor([0])).backward()
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_clips_without_category_do_not_count(logits, gamma):
    loss = ClassLoss(label_smoothing=0.1, focal_gamma=gamma, weights=WEIGHTS)
    known = LABELS.clone()
    known[[1, 3]] = -1
    assert loss(logits, known).item() == pytest.approx(loss(logits[[0, 2]], LABELS[[0, 2]]).item(), rel=1e-6)
    changed = logits.clone()
    changed[[1, 3]] += torch.randn(2, 3)
    assert loss(changed, known).item() == loss(logits, known).item()


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(2, 3)
        self.heads = nn.ModuleDict({"gloss": nn.Linear(3, 3), "category": nn.Linear(3, 2)})


def sign_loss(*, gloss_weight=0.8, category_weight=0.3, counts=None, regularizers=(), network=None, **changed):
    settings = LossConfig(
        **{"label_smoothing": 0.2, "focal_gamma": 0.0, "class_weights": ClassWeights.none, **changed},
        gloss_weight=gloss_weight,
        category_weight=category_weight,
        weighting=None,
        bias_prior=False,
        regularizers=list(regularizers),
    )
    counts = {"gloss": torch.tensor([3, 1, 2]), "category": torch.tensor([2, 1])} if counts is None else counts
    weighting = Static(gloss_weight=gloss_weight, category_weight=category_weight)
    return SignLoss(settings, weighting, counts=counts, network=network or Network())


def batch(*, category=(1, -1, 0, -1)):
    generator = torch.Generator().manual_seed(1)
    logits = {
        "gloss_logits": torch.randn(4, 3, generator=generator),
        "category_logits": torch.randn(4, 2, generator=generator),
    }
    return logits, {"gloss": LABELS, "category": torch.tensor(category)}


def test_it_is_the_weighted_sum_of_both_heads_smoothed_cross_entropies():
    logits, labels = batch()
    loss = sign_loss()
    losses = loss(logits, labels)
    gloss = by_hand(logits["gloss_logits"], LABELS, epsilon=0.2)
    category = by_hand(logits["category_logits"], labels["category"], epsilon=0.2)
    assert {name: value.item() for name, value in losses.items()} == pytest.approx(
        {"gloss": gloss, "category": category}, rel=1e-5
    )
    for found in (loss.total(losses), loss.objective(losses, epoch=0)):
        assert found.item() == pytest.approx(0.8 * gloss + 0.3 * category, rel=1e-5)


def test_a_batch_without_categories_has_only_the_gloss_loss():
    loss = sign_loss()
    losses = loss(*batch(category=(-1, -1, -1, -1)))
    assert set(losses) == {"gloss"} and loss.total(losses).isfinite()


def test_without_a_category_head_there_is_no_category_loss():
    loss = sign_loss(category_weight=0.0, counts={"gloss": torch.tensor([3, 1, 2])})
    logits, labels = batch()
    del logits["category_logits"]
    assert set(loss(logits, labels)) == {"gloss"}


def test_class_weights_come_from_the_train_counts():
    weighted, given = sign_loss(class_weights=ClassWeights.balanced), batch()
    expected = by_hand(given[0]["gloss_logits"], LABELS, epsilon=0.2, weights=torch.tensor([2 / 3, 2.0, 1.0]))
    assert weighted(*given)["gloss"].item() == pytest.approx(expected, rel=1e-6)


def test_class_weights_are_not_in_the_checkpoint():
    assert not sign_loss(class_weights=ClassWeights.balanced).state_dict()


def test_penalties_are_sums_over_the_matrices_of_a_part():
    network = Network()
    parts = [RegularizerConfig("encoder", Norm.l1, 0.5), RegularizerConfig("heads.gloss", Norm.l2, 0.1)]
    loss = sign_loss(regularizers=parts, network=network)
    encoder, head = network.encoder.weight, network.heads["gloss"].weight
    expected = 0.5 * sum(abs(x) for x in encoder.flatten()) + 0.1 * sum(x * x for x in head.flatten())
    assert loss.penalty().item() == pytest.approx(expected.item(), rel=1e-5)
    loss.penalty().backward()
    assert torch.equal(encoder.grad, 0.5 * encoder.sign()) and torch.allclose(head.grad, 0.2 * head)
    assert network.encoder.bias.grad is None and network.heads["category"].weight.grad is None


def test_penalised_weights_stay_the_networks_own():
    loss = sign_loss(regularizers=[RegularizerConfig("encoder", Norm.l1, 0.5)])
    assert not list(loss.parameters())


def test_without_regularizers_there_is_no_penalty():
    assert sign_loss().penalty() is None


def test_an_unknown_part_is_refused_and_the_parts_are_listed():
    with pytest.raises(ConfigError, match=r"loss.regularizers: .* no part 'encodr'.*encoder, heads, heads.gloss"):
        sign_loss(regularizers=[RegularizerConfig("encodr", Norm.l1, 0.5)])
