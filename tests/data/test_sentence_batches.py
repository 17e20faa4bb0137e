"""Batches by the number of tokens: within the budget, every pair once, the same whatever happens."""

from itertools import pairwise

import numpy as np
import pytest

from sign_recog.data.sentence_batches import SentenceBatchSampler
from sign_recog.errors import ConfigError

RNG = np.random.default_rng(0)
SOURCES = np.clip(RNG.lognormal(4, 0.6, 6000).astype(int), 5, 600)
TARGETS = np.clip(RNG.poisson(14, 6000), 2, 60)
# Spread and correlation (0.77) of PHOENIX14T's glosses and word pieces, and of frames and pieces of How2Sign's kind
GLOSSES = np.clip(RNG.normal(7.8, 3.4, 7000).astype(int), 1, 30)
PIECES = np.clip((24 + 2.1 * (GLOSSES - 7.8) + RNG.normal(0, 5.9, 7000)).astype(int), 2, 81)
WINDOWS = np.clip(RNG.lognormal(3.5, 0.7, 20000).astype(int), 5, 1024)
SPOKEN = np.clip((0.55 * WINDOWS * RNG.lognormal(0, 0.4, 20000)).astype(int), 2, 128)


def make(sources=SOURCES, targets=TARGETS, **changes):
    settings = {"batch_size": 40, "max_tokens": 2000, "seed": 3, "shuffle": True, "bucketing": True}
    return SentenceBatchSampler(sources, targets, **settings | changes)


def epoch(sampler, number=0):
    sampler.set_epoch(number)
    return list(sampler)


@pytest.mark.parametrize("number", [0, 1, 7])
def test_batches_keep_the_budget_and_hold_every_pair_once(number):
    batches = epoch(make(), number)
    for batch in batches:
        rows = [index for _, index in batch]
        assert len(rows) <= 40 and len(rows) * (SOURCES[rows].max() + TARGETS[rows].max()) <= 2000
        assert {e for e, _ in batch} == {number}
    assert sorted(index for batch in batches for _, index in batch) == list(range(6000))


def test_every_epoch_has_as_many_batches_and_other_ones():
    sampler = make()
    first, second = epoch(sampler, 0), epoch(sampler, 1)
    assert len(first) == len(second) == len(sampler) == sampler.batches_per_epoch
    sets = [{frozenset(index for _, index in batch) for batch in batches} for batches in (first, second)]
    assert len(sets[0] & sets[1]) < len(first) / 4


def test_seed_and_epoch_alone_decide():
    assert epoch(make(), 2) == epoch(make(), 2) != epoch(make(seed=4), 2)


def padding(batches, sources, targets):
    rows = [[index for _, index in batch] for batch in batches]
    places = sum(len(own) * (sources[own].max() + targets[own].max()) for own in rows)
    return 1 - (sources.sum() + targets.sum()) / places


@pytest.mark.parametrize(
    ("sources", "targets", "limits"),
    [
        (SOURCES, TARGETS, {}),
        (GLOSSES, PIECES, {"max_tokens": 4000, "batch_size": 256}),
        (WINDOWS, SPOKEN, {"max_tokens": 8000, "batch_size": 256}),
        (WINDOWS, SPOKEN, {"max_tokens": None, "batch_size": 32}),
    ],
    ids=["independent", "glosses", "windows", "clips"],
)
def test_less_than_a_tenth_of_every_epoch_is_padding(sources, targets, limits):
    sampler = make(sources, targets, **limits)
    size = round(len(sources) / len(sampler))
    random = make(sources, targets, bucketing=False, max_tokens=None, batch_size=size)
    assert padding(epoch(random), sources, targets) > 0.4
    assert all(padding(epoch(sampler, number), sources, targets) < 0.1 for number in range(4))


def together(*labels):
    """How many couples of pairs bear the same numbers in all ``labels``."""
    counts = np.unique(np.stack(labels), axis=1, return_counts=True)[1]
    return (counts * (counts - 1)).sum() / 2


@pytest.mark.parametrize("number", range(4))
def test_pairs_meet_others_in_the_next_epoch(number):
    sampler, batch_of = make(GLOSSES, PIECES, max_tokens=4000, batch_size=256), np.zeros((2, len(GLOSSES)), int)
    for after in (0, 1):
        for place, batch in enumerate(epoch(sampler, number + after)):
            batch_of[after, [index for _, index in batch]] = place
    assert together(*batch_of) < 0.6 * together(batch_of[0])


def test_rounds_of_steps_are_an_endless_stream_of_epochs():
    whole, parts = make(), make(steps_per_round=5, accumulate=2)
    length = whole.batches_per_epoch
    stream = [batch for number in range(3) for batch in epoch(whole, number)]
    found = [batch for number in range(3 * length // 10) for batch in epoch(parts, number)]
    assert len(parts) == 10 and found == stream[: len(found)]


@pytest.mark.parametrize("size", [2, 3])
def test_processes_share_every_batch_and_every_token_counts_once(size):
    alone, shared = make(accumulate=3), [make(accumulate=3) for _ in range(size)]
    for rank, sampler in enumerate(shared):
        sampler.divide(rank, size)
    whole, parts = epoch(alone), [epoch(sampler) for sampler in shared]
    counted = np.zeros(len(SOURCES))
    for number, batch in enumerate(whole):
        own = [part[number][: sampler.own(number)] for part, sampler in zip(parts, shared, strict=True)]
        assert sorted(pair for pairs in own for pair in pairs) == sorted(batch)
        for pairs, sampler in zip(own, shared, strict=True):
            # Lightning divides by the batches of a step, DDP by the processes.
            counted[[index for _, index in pairs]] = sampler.share(number) / 3 / size
    for first in range(0, len(whole), 3):
        rows = [index for batch in whole[first : first + 3] for _, index in batch]
        assert np.allclose(counted[rows], 1 / TARGETS[rows].sum())


def test_a_process_without_a_pair_repeats_one_that_does_not_count():
    sampler = make(np.array([9, 9, 9]), np.array([3, 3, 3]), batch_size=2, max_tokens=None)
    sampler.divide(1, 2)
    (lonely,) = [number for number, batch in enumerate(sampler.batches()) if len(batch) == 1]
    assert len(list(sampler)[lonely]) == 1 and sampler.own(lonely) == 0 and sampler.share(lonely) == 0


def test_validation_is_sorted_and_without_chance():
    sampler = make(shuffle=False)
    assert epoch(sampler, 0) == [[(0, index) for _, index in batch] for batch in epoch(sampler, 5)]
    longest = [SOURCES[[index for _, index in batch]].max() for batch in sampler]
    assert all(after > 0.88 * before for before, after in pairwise(longest))


def test_a_pair_above_the_budget_is_named():
    names = [f"clip{i}" for i in range(3)]
    with pytest.raises(
        ConfigError, match=r"max_tokens=50: 1 clips alone have more frames and tokens, up to 63 .*clip1"
    ):
        make(np.array([9, 60, 9]), np.array([3, 3, 3]), max_tokens=50, names=names)
