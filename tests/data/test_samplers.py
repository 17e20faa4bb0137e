"""Batches: every clip once an epoch, little padding, and an order that seed and epoch fix."""

import itertools

import numpy as np
import pytest

from sign_recog.data.samplers import BucketBatchSampler

LENGTHS = np.random.default_rng(0).integers(5, 100, size=203)


def sampler(**changes) -> BucketBatchSampler:
    settings = {"seed": 1, "shuffle": True, "bucketing": True} | changes
    return BucketBatchSampler(LENGTHS, 16, **settings)


def padding(batches) -> int:
    return sum(sum(LENGTHS[[i for _, i in b]].max() - LENGTHS[i] for _, i in b) for b in batches)


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("bucketing", [True, False])
def test_every_clip_comes_once(shuffle, bucketing):
    batches = list(sampler(shuffle=shuffle, bucketing=bucketing))
    assert sorted(i for b in batches for _, i in b) == list(range(len(LENGTHS)))
    assert len(batches) == len(sampler()) == 13


def test_bucketing_saves_most_of_the_padding():
    assert padding(list(sampler())) < 0.3 * padding(list(sampler(bucketing=False)))


def test_seed_and_epoch_fix_the_order():
    first, again, other_seed = sampler(), sampler(), sampler(seed=2)
    assert list(first) == list(again)
    assert list(first) != list(other_seed)
    again.set_epoch(1)
    assert [[i for _, i in b] for b in again] != [[i for _, i in b] for b in first]


def test_without_shuffling_the_order_is_the_clips_own():
    assert [i for b in sampler(shuffle=False) for _, i in b] == list(range(len(LENGTHS)))


def test_lightning_finds_the_epoch_setter():
    from lightning_fabric.utilities.data import _set_sampler_epoch
    from torch.utils.data import DataLoader

    own = sampler()
    _set_sampler_epoch(DataLoader(LENGTHS, batch_sampler=own), 7)
    assert own.round == 7


@pytest.mark.parametrize("bucketing", [True, False])
def test_small_batches_accumulated_hold_the_clips_of_large_ones(bucketing):
    large = BucketBatchSampler(LENGTHS, 32, seed=1, shuffle=True, bucketing=bucketing)
    small = BucketBatchSampler(LENGTHS, 8, seed=1, shuffle=True, bucketing=bucketing, accumulate=4)
    batches = list(small)
    assert len(batches) == len(small) == 26
    assert list(large) == [list(itertools.chain(*batches[i : i + 4])) for i in range(0, len(batches), 4)]


@pytest.mark.parametrize("accumulate", [1, 3, 4, 20])
def test_shares_weigh_every_clip_of_a_step_alike(accumulate):
    own = BucketBatchSampler(LENGTHS, 16, seed=1, shuffle=True, bucketing=True, accumulate=accumulate)
    sizes = [len(batch) for batch in own]
    for first in range(0, len(sizes), accumulate):
        group = sizes[first : first + accumulate]
        for place, size in enumerate(group):
            # Lightning divides a batch's mean loss by accumulate, so a clip weighs share / (size * accumulate).
            assert own.share(first + place) / (size * accumulate) == pytest.approx(1 / sum(group))


@pytest.mark.parametrize("num_clips", [3, 50, 203, 240])
@pytest.mark.parametrize("bucketing", [True, False])
def test_rounds_of_steps_deal_out_whole_epochs_without_a_break(num_clips, bucketing):
    def rounds(steps: int) -> list[list[tuple[int, int]]]:
        own = BucketBatchSampler(
            LENGTHS[:num_clips] if num_clips <= 203 else np.arange(num_clips), 6, seed=1, shuffle=True,
            bucketing=bucketing, accumulate=2, steps_per_round=steps,
        )  # fmt: skip
        batches = []
        for number in range(60 // steps):
            own.set_epoch(number)
            batches += list(own)
            assert len(batches) == (number + 1) * len(own)
        return batches

    batches = rounds(5)
    assert all(len(batch) == 6 for batch in batches)
    assert batches == rounds(15) == rounds(60)  # how often a training is evaluated does not change what it learns from
    items = list(itertools.chain(*batches))
    for epoch in range(len(items) // num_clips):
        stretch = items[epoch * num_clips : (epoch + 1) * num_clips]
        assert sorted(stretch) == [(epoch, i) for i in range(num_clips)]


def test_bucketing_saves_padding_in_rounds_of_steps_too():
    def of(bucketing):
        own = BucketBatchSampler(LENGTHS, 16, seed=1, shuffle=True, bucketing=bucketing, steps_per_round=40)
        return padding(list(own))

    assert of(True) < 0.45 * of(False)


@pytest.mark.parametrize("num_processes", [2, 3, 5])
@pytest.mark.parametrize(("accumulate", "steps"), [(1, None), (3, None), (2, 7)])
def test_processes_share_every_batch(num_processes, accumulate, steps):
    """Together they have its clips, each once but for those that fill the place of none, and each clip weighs alike."""
    given = {"seed": 1, "shuffle": True, "bucketing": True, "accumulate": accumulate, "steps_per_round": steps}
    whole, parts = BucketBatchSampler(LENGTHS[:57], 8, **given), []
    for rank in range(num_processes):
        own = BucketBatchSampler(LENGTHS[:57], 8, **given)
        own.divide(rank, num_processes)
        parts.append((own, list(own)))
    batches = list(whole)
    for number, batch in enumerate(batches):
        counted = [own[number][: sampler.own(number)] for sampler, own in parts]
        assert sorted(itertools.chain(*counted)) == sorted(batch)
        assert max(map(len, counted)) - min(map(len, counted)) <= 1
        assert all(len(own[number]) == max(1, sampler.own(number)) for sampler, own in parts)
        group = batches[number // accumulate * accumulate :][:accumulate]
        for sampler, _ in parts:
            # Averages over processes and batches of the group divide a process's mean loss by the numbers of both.
            divisor = num_processes * (accumulate if steps is None else len(group))
            assert sampler.share(number) / divisor == pytest.approx(sampler.own(number) / sum(map(len, group)))
    assert all(len(own) == len(batches) == len(sampler) for sampler, own in parts)


def test_processes_have_clips_of_similar_length():
    """Batches are sorted by length: the first and the second half of one would not be as long to work on."""
    parts = []
    for rank in range(2):
        own = sampler()
        own.divide(rank, 2)
        parts.append([sum(LENGTHS[i] for _, i in batch) for batch in own])
    assert np.mean(np.abs(np.subtract(*parts)[:-1]) / np.add(*parts)[:-1]) < 0.05
