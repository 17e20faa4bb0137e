"""Batches: every clip once an epoch, little padding, and an order that seed and epoch fix."""

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
    assert own.epoch == 7
