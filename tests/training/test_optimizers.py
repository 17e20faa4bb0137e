"""Parameter groups, against a list of who is where."""

import functools

import pytest
import torch
from torch import nn

from sign_recog.errors import ConfigError
from sign_recog.training.optimizers import build_optimizer


@pytest.fixture
def network() -> nn.Module:
    layer = {"norm": nn.LayerNorm(3), "linear": nn.Linear(3, 3)}
    return nn.ModuleDict({"layers": nn.ModuleList([nn.ModuleDict(layer)]), "heads": nn.Linear(3, 2)})


def settings_of(optimizer: torch.optim.Optimizer, network: nn.Module) -> dict[str, tuple[float, float]]:
    """Name -> learning rate and weight decay, for every parameter the optimiser has."""
    names = {id(p): name for name, p in network.named_parameters()}
    return {
        names.get(id(p), "other"): (group["lr"], group["weight_decay"])
        for group in optimizer.param_groups
        for p in group["params"]
    }


def build(network: nn.Module, undecayed=(), algorithm=torch.optim.AdamW, **groups) -> torch.optim.Optimizer:
    return build_optimizer(network, undecayed, algorithm=algorithm, lr=1e-3, weight_decay=0.1, groups=groups)


def test_matrices_are_decayed_and_vectors_are_not(network):
    found = settings_of(build(network), network)
    assert found == {name: (1e-3, 0.1 if parameter.ndim > 1 else 0.0) for name, parameter in network.named_parameters()}


def test_each_parameter_follows_its_innermost_part(network):
    optimizer = build(
        network, layers={"lr": 1e-4}, heads={"lr": 1e-2, "weight_decay": 0.5}, **{"layers.0.norm": {"lr": 0.0}}
    )
    assert settings_of(optimizer, network) == {
        "layers.0.norm.weight": (0.0, 0.0),
        "layers.0.norm.bias": (0.0, 0.0),
        "layers.0.linear.weight": (1e-4, 0.1),
        "layers.0.linear.bias": (1e-4, 0.0),
        "heads.weight": (1e-2, 0.5),
        "heads.bias": (1e-2, 0.0),
    }  # fmt: skip


def test_a_part_can_have_the_algorithms_own_settings(network):
    optimizer = build(network, heads={"betas": (0.5, 0.9)})
    assert [group["betas"] for group in optimizer.param_groups] == [(0.9, 0.999)] * 2 + [(0.5, 0.9)] * 2


def test_parameters_of_the_loss_are_trained_without_decay(network):
    own = nn.Parameter(torch.zeros(2, 2))
    assert settings_of(build(network, [own]), network)["other"] == (1e-3, 0.0)


def test_frozen_parameters_are_there_for_the_time_they_are_freed(network):
    network["heads"].requires_grad_(False)
    assert "heads.weight" in settings_of(build(network), network)


def test_an_unknown_part_is_refused_and_the_parts_are_listed(network):
    with pytest.raises(ConfigError, match=r"optim.groups.backbone: .*Its parts: layers, layers.0, heads"):
        build(network, backbone={"lr": 1e-4})


def test_a_setting_the_algorithm_lacks_is_refused(network):
    with pytest.raises(ConfigError, match=r"optim.groups.heads.momentum: AdamW has no such setting. It has .*betas"):
        build(network, heads={"momentum": 0.9})


def test_a_value_that_does_not_suit_is_one_sentence(network):
    with pytest.raises(ConfigError, match="optim: Invalid beta parameter"):
        build(network, algorithm=functools.partial(torch.optim.AdamW, betas=(1.5, 0.9)))


@pytest.mark.parametrize(
    "algorithm", [torch.optim.Adam, torch.optim.AdamW, functools.partial(torch.optim.SGD, momentum=0.9)]
)
def test_the_fused_kernel_takes_the_same_steps(algorithm):
    """On the CPU; up to rounding."""
    ends = []
    for fused in (False, True):
        torch.manual_seed(0)
        layer = nn.Linear(30, 20)
        optimizer = build_optimizer(
            layer, algorithm=functools.partial(algorithm, fused=fused), lr=1e-2, weight_decay=0.1, groups={}
        )
        for _ in range(50):
            optimizer.zero_grad()
            layer(torch.ones(4, 30)).square().sum().backward()
            optimizer.step()
        ends.append(layer.weight.detach())
    assert torch.allclose(ends[0], ends[1], atol=1e-6)


def test_without_a_gpu_the_step_is_one_kernel_unless_it_is_forbidden(network):
    for fused, expected in ((None, True), (False, False)):
        algorithm = functools.partial(torch.optim.AdamW, fused=fused)
        optimizer = build_optimizer(network, algorithm=algorithm, lr=1e-2, weight_decay=0.1, groups={})
        assert optimizer.defaults["fused"] is expected
