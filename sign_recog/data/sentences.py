"""Clips as network input with their sentences as tokens, and batches of them, for translation."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from sign_recog.config.translation import TranslationConfig
from sign_recog.data.datasets import padding_mask
from sign_recog.data.prefetch import PrefetchLoader
from sign_recog.data.readers import Reader, Sequences
from sign_recog.data.sentence_batches import SentenceBatchSampler
from sign_recog.data.sentence_clips import (
    Dropped,
    first_of,
    open_together,
    with_input,
    with_text,
    without_unreadable,
)
from sign_recog.errors import DataError
from sign_recog.storage.corpus import PreparedCorpus
from sign_recog.storage.manifest import Clip
from sign_recog.text.base import Tokenizer
from sign_recog.types import SentenceBatch

IGNORED = -100  # in labels: padding


class SentenceDataset(Dataset):
    """Sequences with the tokens of their sentences; asked for a batch at once.

    Args:
        copies: The clips' network inputs; several are augmented copies, of which epoch e reads copy e % their number.
        rows: Where each clip of this data set stands in them.
        labels: Token ids of each sentence, its end among them.
        texts: The sentences as they stand in the manifest.
        max_source_length: What is longer is cut; None = never.
        train: What a reader leaves to chance is drawn, and ``augmentations`` are applied, in order.
    """

    def __init__(
        self,
        copies: Sequence[Sequences],
        rows: Sequence[int],
        reader: Reader,
        clips: Sequence[Clip],
        labels: Sequence[Sequence[int]],
        *,
        max_source_length: int | None,
        train: bool,
        augmentations: Sequence[Any] = (),
        seed: int = 0,
    ):
        self.copies = [_Chosen(one, rows, max_source_length) for one in copies]
        self.reader, self.clips, self.labels = reader, list(clips), [torch.tensor(one) for one in labels]
        self.train, self.augmentations, self.seed = train, list(augmentations), seed

    def __len__(self) -> int:
        return len(self.clips)

    @property
    def clip_ids(self) -> list[str]:
        return [clip.clip_id for clip in self.clips]

    @property
    def source_lengths(self) -> np.ndarray:
        """(N,) int64, frames or glosses."""
        return self.copies[0].lengths

    @property
    def target_lengths(self) -> np.ndarray:
        """(N,) int64, tokens."""
        return np.array([len(one) for one in self.labels], np.int64)

    def __getitems__(self, items: list[tuple[int, int]]) -> SentenceBatch:
        """A batch of (epoch, index); all pairs of a batch are of one epoch."""
        indices = [index for _, index in items]
        sequences = self.copies[items[0][0] % len(self.copies)]
        # A clip stands in one batch an epoch, so its first clip tells a batch from all others.
        rng = np.random.default_rng([self.seed, *items[0]]) if self.train else None
        padded, lengths = self.reader.batch(sequences, indices, self.augmentations, rng)
        labels = torch.nn.utils.rnn.pad_sequence(
            [self.labels[index] for index in indices], batch_first=True, padding_value=IGNORED
        )
        return SentenceBatch(
            sequence=torch.from_numpy(np.ascontiguousarray(padded)),
            padding_mask=padding_mask(lengths),
            labels=labels,
            index=indices,
            clip_id=[self.clips[index].clip_id for index in indices],
        )


def open_sentences(
    corpus: PreparedCorpus,
    split: str,
    reader: Reader,
    tokenizer: Tokenizer,
    settings: TranslationConfig,
    *,
    extractor: str,
    train: bool,
    clips: Sequence[Clip] | None = None,
    augmentations: Sequence[Any] = (),
    seed: int = 0,
    input_dim: int | None = None,
) -> tuple[SentenceDataset, Dropped]:
    """Open what can be read of ``split`` (or ``clips``), and say what cannot.

    Of train, sequences below ``min_source_length`` are left out, and sentences above ``max_target_length`` are cut;
    of other splits every clip counts that can be read.

    Args:
        input_dim: Values a frame that the network reads; None = what the files have, or most of them.

    Raises:
        DataError: If a clip's file is missing, damaged or of another width than the others, unless the settings leave
            such clips out; or if nothing is left.
    """
    given, dropped = list(corpus.of_split(split) if clips is None else clips), Dropped()
    usable = with_text(given, dropped)
    usable = with_input(corpus, usable, reader, extractor, settings.drop_unreadable, dropped)
    if not usable:
        none = f"none of the {len(given)} clips of {split} has both a sentence and an input{first_of(dropped)}"
        raise DataError(
            f"{corpus.folder / 'manifest.tsv'}: {none if given else f'no clip is of {split}'}. "
            "See data.split, and extract what is missing."
        )
    if settings.drop_unreadable:
        usable = without_unreadable(corpus, usable, reader, extractor, dropped, train=train, input_dim=input_dim)
        copies = open_together(corpus, usable, reader, extractor, train)
    else:
        try:
            copies = open_together(corpus, usable, reader, extractor, train)
        except DataError as error:
            raise DataError(f"{error} Or leave such clips out with translation.drop_unreadable=true.") from error
    lengths = copies[0].lengths
    least = settings.min_source_length if train else 1
    rows = [row for row, length in enumerate(lengths) if length >= least]
    dropped.clips += [
        (clip.clip_id, f"its sequence has {length} frames, fewer than translation.min_source_length={least}")
        for clip, length in zip(usable, lengths, strict=True)
        if length < least
    ]
    if not rows:
        raise DataError(
            f"{corpus.folder / 'manifest.tsv'}: all {len(usable)} clips of {split} are shorter than "
            f"translation.min_source_length={least}. Lower it."
        )
    if settings.max_source_length is not None:
        dropped.cut_sources = sum(int(lengths[row]) > settings.max_source_length for row in rows)
    kept = [usable[row] for row in rows]
    labels = tokenizer.encode([clip.text for clip in kept])
    if train:
        most = settings.max_target_length
        dropped.cut_targets = sum(len(one) > most for one in labels)
        labels = [one if len(one) <= most else [*one[: most - 1], one[-1]] for one in labels]
    dataset = SentenceDataset(
        copies, rows, reader, kept, labels,
        max_source_length=settings.max_source_length, train=train, augmentations=augmentations, seed=seed,
    )  # fmt: skip
    return dataset, dropped


def build_sentence_loader(
    dataset: SentenceDataset,
    *,
    batch_size: int,
    max_tokens: int | None,
    seed: int,
    shuffle: bool,
    bucketing: bool,
    num_workers: int,
    accumulate: int = 1,
    steps_per_round: int | None = None,
) -> DataLoader:
    """Batches of ``dataset`` as :class:`SentenceBatchSampler` makes them."""
    sampler = SentenceBatchSampler(
        dataset.source_lengths,
        dataset.target_lengths,
        batch_size=batch_size,
        max_tokens=max_tokens,
        seed=seed,
        shuffle=shuffle,
        bucketing=bucketing,
        accumulate=accumulate,
        steps_per_round=steps_per_round,
        names=dataset.clip_ids,
    )
    return PrefetchLoader(
        dataset,
        batch_sampler=sampler,
        collate_fn=_as_it_is,
        num_workers=num_workers,
        persistent_workers=num_workers > 0,
        pin_memory=torch.cuda.is_available(),
    )


class _Chosen:
    """Some rows of sequences, cut after ``most`` frames (a :class:`sign_recog.data.readers.Sequences`)."""

    def __init__(self, sequences: Sequences, rows: Sequence[int], most: int | None):
        self._sequences, self._rows, self._most = sequences, list(rows), most
        lengths = np.asarray(sequences.lengths)[self._rows]
        self.lengths = lengths if most is None else np.minimum(lengths, most)

    @property
    def input_dim(self) -> int:
        return self._sequences.input_dim

    def read(self, index: int, rng: np.random.Generator | None) -> np.ndarray:
        return self._sequences.read(self._rows[index], rng)[: self._most]


def _as_it_is(batch: Any) -> SentenceBatch:
    return batch
