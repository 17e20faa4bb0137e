"""Task weightings against their formulas, finite differences and torch's own optimiser."""

import io
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from sign_recog.config.weightings.curriculum import Curve, Order
from sign_recog.errors import ConfigError
from sign_recog.training.weighting import Static, Uncertainty
from sign_recog.training.weighting_curriculum import Curriculum
from sign_recog.training.weighting_gradnorm import GradNorm, last_shared_part


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 5), nn.LayerNorm(5))
        self.heads = nn.ModuleDict({"gloss": nn.Linear(5, 3), "category": nn.Linear(5, 2)})

    def losses(self, x: torch.Tensor, scale: float = 1.0) -> dict[str, torch.Tensor]:
        encoded = self.encoder(x)
        gloss = F.cross_entropy(self.heads["gloss"](encoded), torch.arange(len(x)) % 3)
        return {
            "gloss": scale * gloss,
            "category": F.cross_entropy(self.heads["category"](encoded), torch.arange(len(x)) % 2),
        }


@pytest.fixture
def network() -> TwoHeads:
    torch.manual_seed(0)
    return TwoHeads()


@pytest.fixture
def x() -> torch.Tensor:
    return torch.randn(12, 4, generator=torch.Generator().manual_seed(1))


LOSSES = {"gloss": torch.tensor(2.0), "category": torch.tensor(0.5)}


def values(weights: dict[str, torch.Tensor]) -> dict[str, float]:
    return {name: float(weight) for name, weight in weights.items()}


def reloaded(fresh: nn.Module, trained: nn.Module) -> nn.Module:
    """``fresh`` with the state of ``trained``, by way of a file that is read without executing anything."""
    file = io.BytesIO()
    torch.save(trained.state_dict(), file)
    file.seek(0)
    fresh.load_state_dict(torch.load(file, weights_only=True))
    return fresh


def test_static_is_the_given_weights():
    weighting = Static(gloss_weight=0.8, category_weight=0.2)
    assert float(weighting(LOSSES, epoch=3)) == pytest.approx(0.8 * 2 + 0.2 * 0.5)
    assert values(weighting.weights()) == pytest.approx({"gloss": 0.8, "category": 0.2})


def test_static_with_one_head_has_one_weight():
    assert values(Static(gloss_weight=1.0, category_weight=0.0).weights()) == {"gloss": 1.0}


def test_uncertainty_is_kendalls_formula_from_the_given_weights():
    """Section 3.2: loss / sigma^2 + log sigma, here with 1 / sigma^2 = 0.8 and 0.2."""
    weighting = Uncertainty(gloss_weight=0.8, category_weight=0.2)
    sigmas = [0.8**-0.5, 0.2**-0.5]
    expected = sum(loss / s**2 + math.log(s) for loss, s in zip((2.0, 0.5), sigmas, strict=True))
    assert weighting(LOSSES, epoch=0).item() == pytest.approx(expected)
    assert values(weighting.weights()) == pytest.approx({"gloss": 0.8, "category": 0.2})


def test_uncertainty_settles_where_each_weight_is_one_over_twice_its_loss():
    """The minimum of exp(-s) L + s / 2 over s is at exp(-s) = 1 / (2 L)."""
    weighting = Uncertainty(gloss_weight=1.0, category_weight=1.0)
    optimizer = torch.optim.Adam(weighting.parameters(), lr=0.05)
    for _ in range(500):
        optimizer.zero_grad()
        weighting(LOSSES, epoch=0).backward()
        optimizer.step()
    assert values(weighting.weights()) == pytest.approx({"gloss": 0.25, "category": 1.0}, rel=1e-3)


def test_uncertainty_leaves_out_a_task_that_the_batch_lacks():
    weighting = Uncertainty(gloss_weight=1.0, category_weight=1.0)
    weighting({"gloss": LOSSES["gloss"]}, epoch=0).backward()
    assert weighting.log_variances["category"].grad is None


def gradnorm(network: nn.Module, *, alpha=1.5, lr=0.025, shared_part=None, gloss_weight=1.0, category_weight=1.0):
    settings = {"gloss_weight": gloss_weight, "category_weight": category_weight}
    weighting = GradNorm(**settings, alpha=alpha, lr=lr, shared_part=shared_part)
    weighting.bind(network)
    return weighting


def reference(network, losses, weights, first, alpha):
    """Sum of |G_i - target| as a function of the weights, with whole second derivatives, and the targets."""
    shared = network.encoder[2].weight
    norms = [
        torch.autograd.grad(w * loss, shared, create_graph=True)[0].norm()
        for w, loss in zip(weights, losses, strict=True)
    ]
    rates = torch.stack([loss.detach() / f for loss, f in zip(losses, first, strict=True)])
    targets = torch.stack(norms).mean().detach() * (rates / rates.mean()) ** alpha
    return sum((norm - target).abs() for norm, target in zip(norms, targets, strict=True)), targets


def test_gradnorm_follows_the_papers_algorithm_step_by_step(network, x):
    """Against autograd through the gradient norms, torch's Adam, and the renormalisation."""
    alpha, weighting = 1.5, gradnorm(network, gloss_weight=1.5, category_weight=0.5)
    weights = torch.tensor([1.5, 0.5], requires_grad=True)
    adam, trainer = torch.optim.Adam([weights], lr=0.025), torch.optim.SGD(network.parameters(), lr=0.3)
    first = None
    for step in range(6):
        losses = network.losses(x, scale=3.0)
        listed = [losses["gloss"], losses["category"]]
        first = first or [loss.detach() for loss in listed]
        in_use = weights.detach().clone()
        distance, _ = reference(network, listed, weights, first, alpha)
        adam.zero_grad()
        distance.backward(inputs=[weights], retain_graph=True)
        adam.step()
        with torch.no_grad():
            weights.mul_(2.0 / weights.sum())
        objective = weighting(losses, epoch=step)
        assert objective.item() == pytest.approx(
            sum(w * loss for w, loss in zip(in_use, listed, strict=True)).item(), rel=1e-6
        )
        assert [*values(weighting.weights()).values()] == pytest.approx(weights.tolist(), abs=1e-6)
        trainer.zero_grad()
        objective.backward()
        trainer.step()
    assert weights.tolist() != pytest.approx([1.5, 0.5], abs=1e-3)


def test_gradnorms_gradient_is_that_of_finite_differences(network, x, monkeypatch):
    losses, step = [*network.losses(x, scale=2.0).values()], 1e-3
    now, first = (
        torch.tensor([1.2, 0.8]),
        [loss.detach() * factor for loss, factor in zip(losses, (1.0, 2.0), strict=True)],
    )
    _, targets = reference(network, losses, now, first, 0.5)

    def distance(weights: torch.Tensor) -> float:
        norms = [
            torch.autograd.grad(w * loss, network.encoder[2].weight, retain_graph=True)[0].norm()
            for w, loss in zip(weights, losses, strict=True)
        ]
        return float(sum((norm - target).abs() for norm, target in zip(norms, targets, strict=True)))

    expected = []
    for i in range(2):
        change = torch.zeros(2)
        change[i] = step
        expected.append((distance(now + change) - distance(now - change)) / (2 * step))
    weighting, seen = gradnorm(network, alpha=0.5, gloss_weight=1.2, category_weight=0.8), []
    weighting.first_losses.copy_(torch.stack(first))
    weighting.started.fill_(True)
    monkeypatch.setattr(weighting, "_step", lambda: seen.extend(weighting.values.grad.tolist()))
    weighting(dict(zip(("gloss", "category"), losses, strict=True)), epoch=0)
    assert seen == pytest.approx(expected, rel=1e-2)


def test_s1_gradnorm_changes_weights(network, x):
    """S1 fed one loss twice, so its weights never moved. Here the gloss stands still and the category learns."""
    same, weighting = gradnorm(network), gradnorm(network)
    optimizer = torch.optim.SGD(network.heads["category"].parameters(), lr=0.5)
    for step in range(60):
        objective = weighting(network.losses(x), epoch=step)
        optimizer.zero_grad()
        objective.backward(inputs=list(network.heads["category"].parameters()))
        optimizer.step()
        once = network.losses(x)["category"]
        same({"gloss": once, "category": once}, epoch=step)
    found = values(weighting.weights())
    assert found["gloss"] > 1.05 and sum(found.values()) == pytest.approx(2.0)
    assert values(same.weights()) == {"gloss": 1.0, "category": 1.0}


def test_gradnorm_without_alpha_makes_gradient_norms_equal(network, x):
    weighting = gradnorm(network, alpha=0.0, lr=0.01)
    for step in range(400):
        losses = network.losses(x, scale=4.0)
        weighting(losses, epoch=step)
    shared = network.encoder[2].weight
    norms = [
        float(weight) * float(torch.autograd.grad(losses[name], shared, retain_graph=True)[0].norm())
        for name, weight in weighting.weights().items()
    ]
    assert norms[0] == pytest.approx(norms[1], rel=0.1)


def test_gradnorm_does_not_touch_the_networks_gradients(network, x):
    losses = network.losses(x)
    gradnorm(network)(losses, epoch=0)
    assert all(parameter.grad is None for parameter in network.parameters())


def test_gradnorm_waits_where_a_task_has_no_label(network, x):
    weighting, losses = gradnorm(network), network.losses(x)
    assert float(weighting({"gloss": losses["gloss"]}, epoch=0).detach()) == pytest.approx(losses["gloss"].item())
    assert not weighting.started and values(weighting.weights()) == {"gloss": 1.0, "category": 1.0}


def test_gradnorms_weights_stay_above_zero(network, x):
    weighting = gradnorm(network, lr=10.0)
    for step in range(5):
        weighting(network.losses(x, scale=100.0), epoch=step)
        assert all(weight > 0 for weight in values(weighting.weights()).values())


def test_gradnorm_is_whole_in_a_checkpoint(network, x):
    def steps(weighting: GradNorm, number: int) -> GradNorm:
        for i in range(number):
            weighting(network.losses(x * (1 + i), scale=3.0), epoch=0)
        return weighting

    whole, first = steps(gradnorm(network), 4), steps(gradnorm(network), 4)
    resumed = reloaded(gradnorm(network), first)
    steps(whole, 3), steps(resumed, 3)
    assert torch.equal(whole.values, resumed.values) and torch.equal(whole.first_losses, resumed.first_losses)


def test_gradnorms_weights_are_not_for_the_networks_optimiser(network):
    assert not [p for p in gradnorm(network).parameters() if p.requires_grad]


def test_the_shared_part_is_the_last_before_the_heads_or_named(network):
    assert last_shared_part(network) == "encoder.2"
    assert gradnorm(network, shared_part="encoder.0")._shared == [network.encoder[0].weight]


def test_a_shared_part_that_cannot_be_used_is_refused(network):
    with pytest.raises(ConfigError, match=r"loss.weighting.shared_part: .* no part 'encodr'.*encoder"):
        gradnorm(network, shared_part="encodr")


def test_a_shared_part_that_is_frozen_is_refused(network, x):
    network.encoder[2].requires_grad_(False)
    with pytest.raises(ConfigError, match=r"shared_part=encoder.2 has no matrix that is trained"):
        gradnorm(network)(network.losses(x), epoch=0)


def curriculum(order=Order.gloss_first, schedule=Curve.linear, *, warmup_epochs=0, weight=0.5, min_weight=0.1):
    return Curriculum(
        gloss_weight=weight, category_weight=weight, order=order, schedule=schedule, epochs=10,
        warmup_epochs=warmup_epochs, min_weight=min_weight,
    )  # fmt: skip


def course(weighting: Curriculum, epochs: int = 14) -> list[tuple[float, float]]:
    found = []
    for epoch in range(epochs):
        weighting(LOSSES, epoch=epoch)
        weights = values(weighting.weights())
        found.append((weights["gloss"], weights["category"]))
    return found


S1 = {
    Curve.linear: lambda p: p,
    Curve.cosine: lambda p: (1 - math.cos(math.pi * p)) / 2,
    Curve.exponential: lambda p: (math.exp(2 * p) - 1) / (math.exp(2) - 1),
}


@pytest.mark.parametrize("schedule", Curve)
def test_the_curricula_are_fslrs(schedule):
    """w rises from 0.1 to 0.5 over 10 epochs; gloss first is (1 - w, w), category first (w, 1 - w)."""
    rising = [0.1 + 0.4 * S1[schedule](min(1.0, epoch / 10)) for epoch in range(14)]
    for order, expected in (
        (Order.gloss_first, [(1 - w, w) for w in rising]),
        (Order.category_first, [(w, 1 - w) for w in rising]),
    ):
        found = course(curriculum(order, schedule))
        assert [pair[0] for pair in found] == pytest.approx([pair[0] for pair in expected])
        assert [pair[1] for pair in found] == pytest.approx([pair[1] for pair in expected])


@pytest.mark.parametrize("order", Order)
def test_after_the_curriculum_the_given_weights_hold(order):
    weighting = curriculum(order, weight=0.7)
    assert course(weighting)[-1] == pytest.approx((0.7, 0.7))
    assert float(weighting(LOSSES, epoch=14)) == pytest.approx(0.7 * 2.5)


def test_a_warm_up_holds_the_first_weights():
    waited, found = course(curriculum(warmup_epochs=3)), course(curriculum())
    assert waited == [found[0]] * 3 + found[:-3]


def dynamic(relative_losses: list[tuple[float, float]], **settings) -> list[float]:
    """The gloss's weight of each epoch, with these mean losses in them; two batches an epoch."""
    weighting, found = curriculum(Order.dynamic, weight=0.5, **settings), []
    for epoch, (gloss, category) in enumerate(relative_losses):
        for change in (-0.1, 0.1):
            weighting({"gloss": torch.tensor(gloss + change), "category": torch.tensor(category)}, epoch=epoch)
        found.append(values(weighting.weights())["gloss"])
    return found


def test_dynamic_favours_the_task_that_has_learnt_less_and_fades():
    found = dynamic([(4.0, 2.0), (2.0, 1.8), *[(3.0, 0.2)] * 10])
    fade = [max(0.0, 1 - epoch / 10) for epoch in range(12)]
    assert found[:2] == pytest.approx([0.5, 0.5])  # nothing measured, then nothing learnt yet
    assert found[2] == pytest.approx(0.5 + (0.5 / (0.5 + 0.9) - 0.5) * fade[2])
    assert found[3] == pytest.approx(0.5 + (0.75 / (0.75 + 0.1) - 0.5) * fade[3])
    assert found[10:] == pytest.approx([0.5, 0.5])


def test_dynamic_keeps_a_smallest_share_and_only_measures_in_the_warm_up():
    losses = [(4.0, 2.0), *[(4.0, 0.02)] * 4]
    assert dynamic(losses)[2] == pytest.approx(0.5 + 0.4 * 0.8)
    assert dynamic(losses, warmup_epochs=3) == pytest.approx([0.5, 0.5, 0.5, 0.9, 0.5 + 0.4 * 0.9])


@pytest.mark.parametrize("stop", range(1, 8))
def test_a_curriculum_is_whole_in_a_checkpoint_even_within_an_epoch(stop):
    steps = [
        (epoch, float(torch.rand(1, generator=torch.Generator().manual_seed(7 * epoch + i))))
        for epoch in range(4)
        for i in range(2)
    ]
    whole, first = curriculum(Order.dynamic), curriculum(Order.dynamic)

    def run(weighting, part) -> list[float]:
        return [
            float(weighting({"gloss": torch.tensor(x), "category": torch.tensor(1 - x)}, epoch=epoch))
            for epoch, x in part
        ]

    expected, before = run(whole, steps), run(first, steps[:stop])
    assert before + run(reloaded(curriculum(Order.dynamic), first), steps[stop:]) == expected
