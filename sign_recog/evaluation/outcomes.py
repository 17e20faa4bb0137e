"""Which clips were right, pooled over runs, and how sure a share of them is.

Clips of one signer are right or wrong together, so where signers are known and there are enough of them they are what
is resampled: the interval then tells how far another draw of signers would move the score.
"""

import csv
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

MIN_SIGNERS = 5  # fewer do not show how much signers differ
_SAMPLES = 5000  # of a bootstrap


@dataclass(frozen=True)
class Outcomes:
    """Every clip's outcome once.

    Attributes:
        clip_ids: Sorted.
        signers: N names; "" = unknown.
        hits: (N,) float in [0, 1], the share of the runs that scored the clip in which it was right.
    """

    clip_ids: list[str]
    signers: list[str]
    hits: np.ndarray

    @property
    def accuracy(self) -> float:
        """Top-1 per instance over all clips."""
        return float(self.hits.mean())

    @property
    def by_signer(self) -> bool:
        """Whether signers are resampled, not clips."""
        return all(self.signers) and len(set(self.signers)) >= MIN_SIGNERS

    @property
    def resampled(self) -> str:
        """What an interval resamples."""
        return f"{len(set(self.signers))} signers" if self.by_signer else f"{len(self.clip_ids)} clips"


def read_outcomes(paths: Iterable[Path]) -> Outcomes:
    """Pool several runs' predictions.csv; a clip that several runs scored counts once, with the mean of its outcomes.

    Raises:
        OSError, ValueError, KeyError: If a file is missing or damaged.
    """
    hits, signers = defaultdict(list), dict[str, str]()
    for path in paths:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                hits[row["clip_id"]].append(int(row["correct"]))
                signers[row["clip_id"]] = row["signer"]
    if not hits:
        raise ValueError("they hold no clip")
    clip_ids = sorted(hits)
    return Outcomes(clip_ids, [signers[c] for c in clip_ids], np.array([np.mean(hits[c]) for c in clip_ids]))


def accuracy_interval(outcomes: Outcomes) -> tuple[float, float]:
    """95 % percentile bootstrap interval of the accuracy (Efron 1979), over signers or clips."""
    return _bounds(_resampled(outcomes, _draws(_groups(outcomes), seed=0)))


def gap_interval(first: Outcomes, second: Outcomes) -> tuple[float, float]:
    """95 % percentile bootstrap interval of ``first.accuracy - second.accuracy``.

    Where both hold the same clips, the same signers (or clips) are drawn for both: what is easy or hard for both
    does not widen the interval.
    """
    paired = first.clip_ids == second.clip_ids
    one = _draws(_groups(first), seed=0)
    other = one if paired else _draws(_groups(second), seed=1)
    return _bounds(_resampled(first, one) - _resampled(second, other))


def _groups(outcomes: Outcomes) -> int:
    return len(set(outcomes.signers)) if outcomes.by_signer else len(outcomes.clip_ids)


def _draws(num_groups: int, seed: int) -> np.ndarray:
    """(samples, groups) int: how often each group is in each sample."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(num_groups, np.full(num_groups, 1 / num_groups), size=_SAMPLES)


def _resampled(outcomes: Outcomes, draws: np.ndarray) -> np.ndarray:
    """(samples,) accuracies."""
    names = outcomes.signers if outcomes.by_signer else outcomes.clip_ids
    _, group = np.unique(names, return_inverse=True)
    right, count = np.bincount(group, weights=outcomes.hits), np.bincount(group)
    return (draws @ right) / (draws @ count)


def _bounds(values: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)
