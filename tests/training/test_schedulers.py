"""Learning rates at their landmarks."""

import itertools
import math

import pytest
import torch

from sign_recog.training.schedulers import constant, warmup_cosine


def rates(build, steps: int, **settings) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    scheduler = build(optimizer, total_steps=steps, **settings)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


def test_warm_up_is_linear_and_the_rest_half_a_cosine():
    found = rates(warmup_cosine, 100, warmup_share=0.1, min_ratio=0.01)
    assert found[:10] == pytest.approx([0.2 * (i + 1) for i in range(10)])
    assert found[10] == pytest.approx(2.0)
    middle = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * 45 / 90))
    assert found[55] == pytest.approx(2 * middle)
    assert found[-1] < 0.025 and all(a >= b for a, b in itertools.pairwise(found[10:]))


def test_constant_stays():
    assert set(rates(constant, 5)) == {2.0}
