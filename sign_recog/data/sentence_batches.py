"""Which pairs of sequence and sentence share a batch, and which batches share an optimiser step."""

from collections.abc import Iterator, Sequence

import numpy as np

from sign_recog.errors import ConfigError

RATIO = 1.12  # between neighbouring rounded lengths: the most that a clip is taken to be longer than it is


class SentenceBatchSampler:
    """Batches of pairs of similar length, cut by the number of clips and of tokens, in an order of seed and epoch.

    A batch has at most ``batch_size`` pairs, and at most ``max_tokens`` places: pairs times the longest source and the
    longest target among them, padding included. (fairseq's ``max_tokens`` counts one side.) Lengths are rounded up, in
    steps of 12 % and, where both sides of a pair are of like size, sources in fewer and larger ones. Pairs are sorted
    by rounded lengths, those of equal ones at random, and cut where the limit is reached; the sorted rounded lengths
    are those of every epoch, so every epoch has the same number of batches, with other pairs in them. The batches are
    shuffled. Sources rise; within one source length targets rise and fall in turn, so that neighbours in the order
    are alike on both sides.

    Each item is ``(epoch, index)``. A round is what lies between two evaluations: an epoch, or ``steps_per_round``
    optimiser steps of an endless stream of epochs. The interface is that of
    :class:`sign_recog.data.samplers.BucketBatchSampler`: after :meth:`divide` each process yields its own pairs of
    every batch, and one without a pair its first, which :meth:`own` counts as none.

    Args:
        sources, targets: (N,) frames or glosses, and tokens, of each pair.
        batch_size: Pairs a batch, of all processes together.
        max_tokens: Places a batch; None = no limit.
        shuffle: False = the same batches in the same order every time, for validation and test.
        bucketing: False = batches are cut from a random order.
        accumulate: Batches an optimiser step.
        steps_per_round: Optimiser steps a round; None = an epoch.
        names: Of the pairs, for messages.

    Raises:
        ConfigError: If a pair alone is above ``max_tokens``.
    """

    def __init__(
        self,
        sources: np.ndarray,
        targets: np.ndarray,
        *,
        batch_size: int,
        max_tokens: int | None,
        seed: int,
        shuffle: bool,
        bucketing: bool,
        accumulate: int = 1,
        steps_per_round: int | None = None,
        names: Sequence[str] = (),
    ):
        self.lengths, self.targets = np.asarray(sources), np.asarray(targets)
        self.batch_size, self.max_tokens, self.seed = batch_size, max_tokens, seed
        self.shuffle, self.bucketing = shuffle, bucketing
        self.accumulate, self.steps_per_round = accumulate, steps_per_round
        self.round = 0
        self.rank, self.num_processes = 0, 1
        if max_tokens is not None:
            _refuse_longer(self.lengths + self.targets, max_tokens, names)
        self._targets_up = _rounded(self.targets, _geometric(int(self.targets.max())))
        self._sources_up = _rounded(self.lengths, self._source_steps())
        self._keys = self._sort_keys()
        self._ends = self._cut()
        self._batches: tuple[int, list[list[tuple[int, int]]]] | None = None

    @property
    def batches_per_epoch(self) -> int:
        """The same in every epoch."""
        return len(self._ends)

    def divide(self, rank: int, num_processes: int) -> None:
        """From now on yield the share of process ``rank``, counted from 0, of ``num_processes``."""
        self.rank, self.num_processes = rank, num_processes

    @property
    def sampler(self) -> "SentenceBatchSampler":
        """Itself: before each of its epochs, our rounds, Lightning calls ``batch_sampler.sampler.set_epoch``."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Choose the round, counted from 0."""
        self.round = epoch

    def __len__(self) -> int:
        """Batches a round."""
        return self.batches_per_epoch if self.steps_per_round is None else self.steps_per_round * self.accumulate

    def own(self, batch: int) -> int:
        """Pairs of a batch of this round, counted from 0, that this process is there for."""
        return len(range(self.rank, len(self.batches()[batch]), self.num_processes))

    def share(self, batch: int) -> float:
        """What the sum of the losses of a process's tokens of a batch counts in Lightning's mean over ``accumulate``
        batches and all processes, so that every token of the optimiser step counts once; 0 if it has no pair."""
        first = batch // self.accumulate * self.accumulate
        group = self.batches()[first : first + self.accumulate]
        tokens = sum(int(self.targets[index]) for pairs in group for _, index in pairs)
        return (self.own(batch) > 0) * self.accumulate * self.num_processes / tokens

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        for pairs in self.batches():
            yield pairs[self.rank :: self.num_processes] or pairs[:1]

    def batches(self) -> list[list[tuple[int, int]]]:
        """The round's batches, of all processes: (epoch, index) of each pair."""
        if self._batches is None or self._batches[0] != self.round:
            if self.steps_per_round is None:
                found = self._epoch(self.round)
            else:
                first, length = self.round * len(self), self.batches_per_epoch
                epochs = range(first // length, (first + len(self) - 1) // length + 1)
                stream = [pairs for epoch in epochs for pairs in self._epoch(epoch)]
                begin = first - epochs.start * length
                found = stream[begin : begin + len(self)]
            self._batches = (self.round, found)
        return self._batches[1]

    def _epoch(self, epoch: int) -> list[list[tuple[int, int]]]:
        order = np.arange(len(self.lengths))
        rng = np.random.default_rng([self.seed, epoch])
        if self.shuffle:
            order = rng.permutation(order)
        if self.bucketing:
            order = order[np.argsort(self._keys[order], kind="stable")]
        batches = np.split(order, self._ends[:-1])
        chosen = rng.permutation(len(batches)) if self.shuffle else range(len(batches))
        return [[(epoch, int(index)) for index in batches[number]] for number in chosen]

    def _source_steps(self) -> np.ndarray:
        """What sources are rounded up to.

        With G groups of sources and B batches, padding is about spread(sources) / G + spread(targets) * G / B a pair,
        least at G = sqrt(B * spread(sources) / spread(targets)); finer steps than ``RATIO`` are not needed.
        """
        steps = _geometric(int(self.lengths.max()))
        places = float((self.lengths + self.targets).sum())
        size = len(self.lengths) / self.batch_size
        batches = max(size, 0 if self.max_tokens is None else places / self.max_tokens)
        spread = max(1.0, float(self.lengths.std())) / max(1.0, float(self.targets.std()))
        groups = max(1, round((batches * spread) ** 0.5))
        if groups >= len(np.unique(_rounded(self.lengths, steps))):
            return steps
        shares = np.arange(1, groups + 1) / groups
        return np.unique(np.quantile(self.lengths, shares, method="higher").astype(np.int64))

    def _sort_keys(self) -> np.ndarray:
        """(N,) numbers by which pairs are sorted: rounded sources, then rounded targets, up and down in turn."""
        _, source = np.unique(self._sources_up, return_inverse=True)
        values, target = np.unique(self._targets_up, return_inverse=True)
        return source * len(values) + np.where(source % 2 == 0, target, len(values) - 1 - target)

    def _cut(self) -> list[int]:
        """Where batches end in the sorted order, which has the same rounded lengths in every epoch."""
        if not self.bucketing:
            return [*range(self.batch_size, len(self.lengths), self.batch_size), len(self.lengths)]
        order = np.argsort(self._keys, kind="stable")
        ends, start, source, target = [], 0, 0, 0
        for place, index in enumerate(order):
            source = max(source, int(self._sources_up[index]))
            target = max(target, int(self._targets_up[index]))
            size = place - start + 1
            full = size > self.batch_size
            if full or (self.max_tokens is not None and size > 1 and size * (source + target) > self.max_tokens):
                ends.append(place)
                start, source, target = place, int(self._sources_up[index]), int(self._targets_up[index])
        return [*ends, len(order)]


def _rounded(lengths: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Each length rounded up to the next of ``steps``, which rise and end with the longest."""
    return steps[np.searchsorted(steps, lengths)]


def _geometric(longest: int) -> np.ndarray:
    """Whole numbers from 1 to ``longest``, each up to 12 % above the one before."""
    steps = [1]
    while steps[-1] < longest:
        steps.append(min(longest, max(steps[-1] + 1, int(steps[-1] * RATIO))))
    return np.array(steps)


def _refuse_longer(lengths: np.ndarray, max_tokens: int, names: Sequence[str]) -> None:
    above = np.flatnonzero(lengths > max_tokens)
    if len(above):
        worst = int(above[np.argmax(lengths[above])])
        name = f" (clip {names[worst]})" if names else ""
        raise ConfigError(
            f"translation.max_tokens={max_tokens}: {len(above)} clips alone have more frames and tokens, up to "
            f"{int(lengths[worst])}{name}. Raise it, or lower translation.max_source_length or max_target_length."
        )
