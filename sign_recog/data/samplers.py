"""Which clips share a batch."""

import math
from collections.abc import Iterator

import numpy as np


class BucketBatchSampler:
    """Batches of clips of similar length, in an order that seed and epoch fix.

    Clips are shuffled, sorted by length within stretches of ``STRETCH`` batches, cut into batches,
    and the batches are shuffled: little padding, and still another mixture every epoch. Each item is
    ``(epoch, index)``, so that a data set can derive its randomness from both, whatever process asks.

    Args:
        lengths: (N,) frames of each clip.
        shuffle: False = the clips' own order, for validation and test.
        bucketing: False = batches are cut from the shuffled order as it is.
    """

    STRETCH = 20

    def __init__(self, lengths: np.ndarray, batch_size: int, *, seed: int, shuffle: bool, bucketing: bool):
        self.lengths, self.batch_size = np.asarray(lengths), batch_size
        self.seed, self.shuffle, self.bucketing = seed, shuffle, bucketing
        self.epoch = 0

    @property
    def sampler(self) -> "BucketBatchSampler":
        """Itself: before each epoch Lightning calls ``batch_sampler.sampler.set_epoch``."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of an epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return math.ceil(len(self.lengths) / self.batch_size)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        order = np.arange(len(self.lengths))
        rng = np.random.default_rng([self.seed, self.epoch])
        if self.shuffle:
            order = rng.permutation(order)
        if self.shuffle and self.bucketing:
            stretch = self.STRETCH * self.batch_size
            pieces = [order[i : i + stretch] for i in range(0, len(order), stretch)]
            order = np.concatenate([p[np.argsort(self.lengths[p], kind="stable")] for p in pieces])
        batches = [order[i : i + self.batch_size] for i in range(0, len(order), self.batch_size)]
        if self.shuffle:
            batches = [batches[i] for i in rng.permutation(len(batches))]
        for batch in batches:
            yield [(self.epoch, int(i)) for i in batch]
