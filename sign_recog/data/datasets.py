"""Clips as network input, and batches of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from sign_recog.data.readers import Reader, Sequences, pad
from sign_recog.data.vocabulary import Labels
from sign_recog.types import Batch

__all__ = ["ClipDataset", "pad", "padding_mask"]


class ClipDataset(Dataset):
    """Sequences with their labels; asked for a batch at once.

    Args:
        num_copies: ``sequences`` holds so many of each clip, all of one copy before the next; epoch e reads copy
            e % num_copies.
        train: What a reader leaves to chance is drawn, and ``augmentations`` are applied, in order. All randomness
            comes from seed, epoch and the batch's clips alone, so it does not depend on the number of loader processes.
    """

    def __init__(
        self,
        sequences: Sequences,
        reader: Reader,
        clip_ids: Sequence[str],
        labels: Labels,
        *,
        train: bool,
        augmentations: Sequence[Any] = (),
        seed: int = 0,
        num_copies: int = 1,
    ):
        self.sequences, self.reader, self.clip_ids = sequences, reader, list(clip_ids)
        self.labels = labels
        self._columns = [torch.tensor(x) for x in (labels.glosses, labels.categories, labels.languages)]
        self.train, self.augmentations, self.seed = train, list(augmentations), seed
        self.num_copies = num_copies

    def __len__(self) -> int:
        return len(self.clip_ids)

    def __getitems__(self, items: list[tuple[int, int]]) -> Batch:
        """A batch of (epoch, index)."""
        indices = [index for _, index in items]
        places = [epoch % self.num_copies * len(self) + index for epoch, index in items]
        # A clip stands in one batch an epoch, so its first clip tells a batch from all others.
        rng = np.random.default_rng([self.seed, *items[0]]) if self.train else None
        padded, lengths = self.reader.batch(self.sequences, places, self.augmentations, rng)
        rows = torch.tensor(indices)
        gloss, category, language = (column[rows] for column in self._columns)
        return Batch(
            sequence=torch.from_numpy(np.ascontiguousarray(padded)),
            padding_mask=padding_mask(lengths),
            gloss=gloss,
            category=category,
            language=language,
            clip_id=[self.clip_ids[index] for index in indices],
        )


def padding_mask(lengths: np.ndarray) -> torch.Tensor:
    """(B, T) bool, True = padding, for clips of ``lengths`` (B,) padded to the longest."""
    return torch.from_numpy(np.arange(lengths.max()) >= lengths[:, None])
