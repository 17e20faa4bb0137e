"""The permutation of the shuffled-frames test."""

import math

import numpy as np
import pytest

from sign_recog.evaluation.shuffle import SHARES, draw_permutations, shannon_entropy, spread


@pytest.mark.parametrize("n", [1, 2, 3, 16, 32])
def test_s2_identity_reversal_and_rotation_have_no_entropy(n):
    order = np.arange(n)
    for kept in (order, order[::-1], *(np.roll(order, k) for k in range(n)), np.roll(order[::-1], n // 2)):
        assert shannon_entropy(kept) == 0


def test_s2_entropy_by_hand():
    """0 2 1 3: steps 2, -1 = 3, 2, and from 3 back to 0 -3 = 1 (mod 4), so shares 1/2, 1/4, 1/4: 1.5 bits."""
    assert shannon_entropy([0, 2, 1, 3]) == 1.5
    # 0 2 4 1 3 5: steps 2, 2, -3 = 3, 2, 2, -5 = 1 (mod 6), so shares 4/6, 1/6, 1/6.
    expected = -(4 / 6 * math.log2(4 / 6) + 2 / 6 * math.log2(1 / 6))
    assert shannon_entropy([0, 2, 4, 1, 3, 5]) == pytest.approx(expected, abs=1e-15)


def test_entropy_is_at_most_that_of_steps_that_all_differ():
    """And it does not change when the order is rotated or read backwards, since the steps do not."""
    rng = np.random.default_rng(0)
    for n in (5, 16, 32):
        for _ in range(50):
            order = rng.permutation(n)
            entropy = shannon_entropy(order)
            assert 0 <= entropy <= math.log2(n)
            assert shannon_entropy(np.roll(order, 3)) == pytest.approx(entropy)
            assert shannon_entropy(order[::-1]) == pytest.approx(entropy)
            assert shannon_entropy((order + 2) % n) == pytest.approx(entropy)


@pytest.mark.parametrize(("n", "typical"), [(16, 3.33), (32, 4.29)])
def test_random_orders_have_the_entropy_that_s2_reports(n, typical):
    """S2's stored permutations of 16 and 32 frames; single draws scatter about as much as is allowed here."""
    found = [shannon_entropy(order) for order in draw_permutations(n, 200, seed=0)]
    assert abs(np.mean(found) - typical) < 0.3


def test_the_seed_fixes_the_orders_and_a_longer_list_begins_alike():
    few, many = draw_permutations(12, 2, seed=3), draw_permutations(12, 5, seed=3)
    assert all((a == b).all() for a, b in zip(few, many, strict=False))
    assert all(sorted(order) == list(range(12)) for order in many)
    assert len({tuple(order) for order in many}) == 5
    assert (draw_permutations(12, 1, seed=4)[0] != few[0]).any()


def test_spread_is_mean_and_sample_deviation():
    scores = [dict.fromkeys((*SHARES, "loss"), value) for value in (0.1, 0.4, 0.4)]
    found = spread(scores)["top1_per_instance"]
    assert found["mean"] == pytest.approx(0.3) and found["std"] == pytest.approx(math.sqrt(0.03))
    assert spread(scores[:1])["loss"] == {"mean": 0.1, "std": None}
