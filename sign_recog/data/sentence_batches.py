"""Which pairs of sequence and sentence share a batch, and which batches share an optimiser step."""

from collections.abc import Iterator, Sequence

import numpy as np

from sign_recog.errors import ConfigError

RATIO = 1.06  # between neighbouring rounded targets: the most that a sentence is taken to be longer than it is
CUTTINGS = 4  # ways to cut the sorted pairs, which epochs use in turn
RANGE = 4  # standard deviations from the shortest to the longest target of a batch's sources


class SentenceBatchSampler:
    """Batches of pairs of similar length, cut by the number of clips and of tokens, in an order of seed and epoch.

    A batch has at most ``batch_size`` pairs, and at most ``max_tokens`` places: pairs times the longest source and the
    longest target among them, padding included. (fairseq's ``max_tokens`` counts one side.) Sources are put into
    groups of neighbouring lengths, as wide as makes the padding of both sides together least. Pairs are sorted by the
    group of the source, which rises, and by the target, which rises and falls in turn, so that neighbours are alike on
    both sides; those that are equal stand at random. They are cut where the limit is reached, and the batches shuffled.
    Epochs take turns at four ways of grouping and cutting, each a quarter of a group and of a batch from the last, so
    that pairs meet others; every epoch has the same number of batches.

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
        self._cuttings = self._cut_all()
        self._batches: tuple[int, list[list[tuple[int, int]]]] | None = None

    @property
    def batches_per_epoch(self) -> int:
        """The same in every epoch."""
        return len(self._cuttings[0][1])

    def shapes(self) -> np.ndarray:
        """(M, 3) int64: pairs, longest source and longest target that batches can have, each larger than any epoch's.

        Every epoch's batches hold as many pairs of each key as the cutting has there, whichever pairs these are.
        """
        found = []
        for keys, ends in self._cuttings:
            order, rows = np.argsort(keys, kind="stable"), np.unique(keys, return_inverse=True)[1]
            starts = [0, *ends[:-1]]
            longest = []
            for lengths in (self.lengths, self.targets):
                most = np.zeros(rows.max() + 1, np.int64)
                np.maximum.at(most, rows, lengths)
                longest.append(np.maximum.reduceat(most[rows][order], starts))
            found.append(np.stack([np.diff([0, *ends]), *longest], axis=1))
        return np.concatenate(found)

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
        keys, ends = self._cuttings[epoch % len(self._cuttings)]
        order = order[np.argsort(keys[order], kind="stable")]
        batches = np.split(order, ends[:-1])
        chosen = rng.permutation(len(batches)) if self.shuffle else range(len(batches))
        return [[(epoch, int(index)) for index in batches[number]] for number in chosen]

    def _cut_all(self) -> list[tuple[np.ndarray, list[int]]]:
        """Of each cutting: numbers (N,) by which pairs are sorted, and where batches end in that order.

        Pairs of equal numbers are of equal rounded lengths, so that the ends hold in whatever order they stand.
        """
        if not self.bucketing:
            ends = [*range(self.batch_size, len(self.lengths), self.batch_size), len(self.lengths)]
            return [(np.zeros(len(self.lengths), np.int64), ends)]
        cuttings = [self._cut(number / CUTTINGS) for number in range(CUTTINGS if self.shuffle else 1)]
        most = max(len(ends) for _, ends in cuttings)
        return [(keys, _halved(ends, most)) for keys, ends in cuttings]

    def _cut(self, shift: float) -> tuple[np.ndarray, list[int]]:
        """A cutting whose groups, and whose batches, begin ``shift`` of one earlier than they would."""
        groups = self._groups(shift)
        sources = np.zeros(groups.max() + 1, np.int64)
        np.maximum.at(sources, groups, self.lengths)
        values = _geometric(int(self.targets.max()))
        target = np.searchsorted(values, self.targets)
        keys = groups * len(values) + np.where(groups % 2 == 0, target, len(values) - 1 - target)
        order = np.argsort(keys, kind="stable")
        lengths = sources[groups[order]], values[target[order]]
        ends, start, share = [], 0, 1 - shift
        while start < len(order):
            stop = start + max(1, int(self.batch_size * share))
            source, wide = (np.maximum.accumulate(one[start:stop]) for one in lengths)
            places = (source + wide) * np.arange(1, len(source) + 1)
            fit = len(places) if self.max_tokens is None else np.searchsorted(places, self.max_tokens * share, "right")
            start += max(1, int(fit))
            ends.append(start)
            share = 1.0
        return keys, ends

    def _groups(self, shift: float) -> np.ndarray:
        """(N,) int64, the group of each source, from 0; longer sources are in the same or a later one.

        In a group of width w around length s, of f(s) pairs a frame and n(s) pairs a batch, w f / n batches share the
        range r(s) of its targets. Padding is about w / 2 + r n / (2 w f) a pair, least where w = sqrt(r n / f): so many
        groups a frame is 1 / w.
        """
        values, place, count = np.unique(self.lengths, return_inverse=True, return_counts=True)
        size = np.full(len(values), float(self.batch_size))
        if self.max_tokens is not None:
            size = np.minimum(size, self.max_tokens / (values + np.bincount(place, self.targets) / count))
        density = np.sqrt(count / (size * RANGE * _deviations(self.lengths, self.targets, values)))
        grown = np.floor(np.cumsum(density) - density / 2 + shift)
        return np.unique(grown, return_inverse=True)[1][place].astype(np.int64)


def _deviations(sources: np.ndarray, targets: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The standard deviation of the targets around each of the source lengths ``values``, at least 1: that of the
    sixteenth of the pairs that it is among."""
    ends = np.unique(np.quantile(sources, np.arange(1, 17) / 16, method="higher"))
    part = np.searchsorted(ends, sources)
    deviations = [max(1.0, float(targets[part == number].std())) for number in range(len(ends))]
    return np.array(deviations)[np.searchsorted(ends, values)]


def _halved(ends: list[int], count: int) -> list[int]:
    """As many batches as ``count`` by halving the largest."""
    sizes = np.diff([0, *ends]).tolist()
    while len(sizes) < count:
        largest = int(np.argmax(sizes))
        sizes[largest : largest + 1] = [sizes[largest] // 2, sizes[largest] - sizes[largest] // 2]
    return np.cumsum(sizes).tolist()


def _geometric(longest: int) -> np.ndarray:
    """Whole numbers from 1 to ``longest``, each up to 6 % above the one before."""
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
