"""Which clips share a batch, and which batches share an optimiser step."""

import math
from collections.abc import Iterator

import numpy as np


class BucketBatchSampler:
    """Batches of clips of similar length, in an order that seed and epoch fix.

    The clips of one optimiser step are a group: ``accumulate`` batches. Clips are shuffled, sorted by length
    within stretches of ``STRETCH`` groups, cut into groups, and the groups are shuffled: little padding, and
    still another mixture every epoch. What is left over, fewer clips than a group, comes last. Since groups
    are made first and batches cut from them, 8 clips x 4 batches make the steps that 32 clips x 1 make.
    Each item is ``(epoch, index)``, so that a data set can derive its randomness from both, whatever process asks.

    A round is what lies between two evaluations: an epoch, or with ``steps_per_round`` so many full groups,
    and then the clips left over from an epoch share a group with the first ones of the next.

    Several processes share every batch: after :meth:`divide` each yields its own clips of it. Where a batch, the last
    one, has fewer clips than there are processes, those without one yield its first clip, which :meth:`own` counts
    as none: all yield as many batches, so that none waits for another in vain.

    Args:
        lengths: (N,) frames of each clip.
        batch_size: Clips a batch, of all processes together.
        shuffle: False = the clips' own order, for validation and test.
        bucketing: False = groups are cut from the shuffled order as it is.
        accumulate: Batches an optimiser step.
        steps_per_round: Optimiser steps a round; None = an epoch.
    """

    STRETCH = 20

    def __init__(
        self,
        lengths: np.ndarray,
        batch_size: int,
        *,
        seed: int,
        shuffle: bool,
        bucketing: bool,
        accumulate: int = 1,
        steps_per_round: int | None = None,
    ):
        self.lengths, self.batch_size, self.accumulate = np.asarray(lengths), batch_size, accumulate
        self.seed, self.shuffle, self.bucketing = seed, shuffle, bucketing
        self.steps_per_round, self.group_size = steps_per_round, batch_size * accumulate
        self.round = 0
        self.rank, self.num_processes = 0, 1

    def divide(self, rank: int, num_processes: int) -> None:
        """From now on yield the share of process ``rank``, counted from 0, of ``num_processes``."""
        self.rank, self.num_processes = rank, num_processes

    @property
    def sampler(self) -> "BucketBatchSampler":
        """Itself: before each of its epochs, our rounds, Lightning calls ``batch_sampler.sampler.set_epoch``."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Choose the round, counted from 0."""
        self.round = epoch

    def __len__(self) -> int:
        """Batches a round."""
        if self.steps_per_round is not None:
            return self.steps_per_round * self.accumulate
        return math.ceil(len(self.lengths) / self.batch_size)

    def share(self, batch: int) -> float:
        """What the mean loss of a process's clips of a batch counts in Lightning's mean over ``accumulate`` batches
        and all processes, so that every clip of the group counts once: 1 in a full group.

        Args:
            batch: Its number in the round, from 0.
        """
        group = self.group_size
        if self.steps_per_round is None:
            group = min(group, len(self.lengths) - batch // self.accumulate * group)
        return self.own(batch) * self.accumulate * self.num_processes / group

    def own(self, batch: int) -> int:
        """Clips of a batch that this process is there for; arguments as :meth:`share`."""
        size = self.batch_size
        if self.steps_per_round is None:
            size = min(size, len(self.lengths) - batch * size)
        return len(range(self.rank, size, self.num_processes))

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        if self.steps_per_round is None:
            items = [(self.round, int(index)) for index in self._epoch(self.round, head=0)]
        else:
            items = self._stretch_of_epochs(self.round * self.steps_per_round, self.steps_per_round)
        for start in range(0, len(items), self.batch_size):
            batch = items[start : start + self.batch_size]
            # Every n-th, since neighbours are of similar length: all processes have as much to do.
            yield batch[self.rank :: self.num_processes] or batch[:1]

    def _stretch_of_epochs(self, first_step: int, num_steps: int) -> list[tuple[int, int]]:
        """The items of some steps of a training whose epochs follow each other without a break."""
        num_clips = len(self.lengths)
        begin, end = first_step * self.group_size, (first_step + num_steps) * self.group_size
        items: list[tuple[int, int]] = []
        for epoch in range(begin // num_clips, -(-end // num_clips)):
            offset = epoch * num_clips
            head = min(-offset % self.group_size, num_clips)  # completes the group that the epoch before began
            order = self._epoch(epoch, head=head)[max(0, begin - offset) : end - offset]
            items += [(epoch, int(index)) for index in order]
        return items

    def _epoch(self, epoch: int, *, head: int) -> np.ndarray:
        """(N,) indices: ``head`` clips, then whole groups, then what is left over."""
        order = np.arange(len(self.lengths))
        if not self.shuffle:
            return order
        rng = np.random.default_rng([self.seed, epoch])
        order = rng.permutation(order)
        body = (len(order) - head) // self.group_size * self.group_size
        grouped = order[head : head + body]
        if self.bucketing:
            stretch = self.STRETCH * self.group_size
            pieces = [grouped[i : i + stretch] for i in range(0, body, stretch)]
            grouped = np.concatenate([grouped[:0], *(p[np.argsort(self.lengths[p], kind="stable")] for p in pieces)])
        groups = grouped.reshape(-1, self.group_size)
        groups = groups[rng.permutation(len(groups))]
        return np.concatenate([order[:head], groups.ravel(), order[head + body :]])
