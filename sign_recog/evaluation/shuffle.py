"""Frames in another order: the permutation, and how disordered it is.

A network that scores as well on shuffled frames as on the clip itself does not use the order of movement.
"""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from sign_recog.evaluation.classification import TOP_K

SHARES = tuple(f"top{k}_per_{over}" for over in ("instance", "class") for k in TOP_K)


def draw_permutations(length: int, count: int, *, seed: int) -> list[np.ndarray]:
    """``count`` permutations of 0 .. ``length`` - 1, each (length,) int64, from one stream: the first ones of a longer
    list are those of a shorter one."""
    rng = np.random.default_rng(seed)
    return [rng.permutation(length) for _ in range(count)]


def shannon_entropy(order: Sequence[int] | np.ndarray) -> float:
    """Entropy, in bits, of the steps between neighbours in ``order``, a permutation of 0 .. n - 1.

    The steps are d_i = (order[i + 1] - order[i]) mod n, also from the last back to the first; with c of them being
    equal to d, H is the sum over d of -(c / n) log2(c / n). Identity, reversal and rotation have one step only, so
    0; at most log2(n). S2 reports it with every shuffled test (after stats.stackexchange.com/questions/78591).

    >>> shannon_entropy([2, 3, 0, 1])
    0.0
    >>> shannon_entropy([0, 2, 1, 3])  # steps 2, 3, 2, 1
    1.5
    """
    n = len(order)
    steps = Counter((int(order[(i + 1) % n]) - int(order[i])) % n for i in range(n))
    return abs(sum(c / n * math.log2(c / n) for c in steps.values()))


def spread(scores: Sequence[dict[str, Any]]) -> dict[str, dict[str, float | None]]:
    """Each share's mean over several evaluations and its sample deviation (None for one)."""
    columns = {name: [float(one[name]) for one in scores] for name in (*SHARES, "loss")}
    return {
        name: {"mean": float(np.mean(own)), "std": float(np.std(own, ddof=1)) if len(own) > 1 else None}
        for name, own in columns.items()
    }
