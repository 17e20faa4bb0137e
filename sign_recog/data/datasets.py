"""Clips as network input, and batches of them."""

from collections.abc import Sequence

import numpy as np
import torch
from torch.utils.data import Dataset

from sign_recog.data.preprocessing import KeypointPreprocessor
from sign_recog.landmarks.augment import Augmentation
from sign_recog.storage.packed import PackedSequences
from sign_recog.types import Batch


class KeypointDataset(Dataset):
    """Packed keypoint sequences with their labels.

    Args:
        augmentations: Applied in order to normalised landmarks (T, V, C). Their randomness comes from
            seed, epoch and clip alone, so it does not depend on the number of loader processes.
    """

    def __init__(
        self,
        packed: PackedSequences,
        preprocessor: KeypointPreprocessor,
        clip_ids: Sequence[str],
        glosses: Sequence[int],
        categories: Sequence[int],
        *,
        augmentations: Sequence[Augmentation] = (),
        seed: int = 0,
    ):
        self.packed, self.preprocessor, self.clip_ids = packed, preprocessor, list(clip_ids)
        self.glosses, self.categories = list(glosses), list(categories)
        self.augmentations, self.seed = list(augmentations), seed

    def __len__(self) -> int:
        return len(self.clip_ids)

    def __getitem__(self, item: tuple[int, int]) -> tuple[np.ndarray, int, int, str]:
        """(epoch, index) -> sequence (T, D) float32, gloss, category, clip_id."""
        epoch, index = item
        sequence = np.array(self.packed[index])
        if self.augmentations:
            rng = np.random.default_rng([self.seed, epoch, index])
            sequence = self.preprocessor.augmented(sequence, self.augmentations, rng)
        return sequence, self.glosses[index], self.categories[index], self.clip_ids[index]


def collate(items: list[tuple[np.ndarray, int, int, str]]) -> Batch:
    """Pad clips to the longest of them."""
    lengths = [len(sequence) for sequence, *_ in items]
    padded = torch.zeros(len(items), max(lengths), items[0][0].shape[1])
    for row, (sequence, *_) in zip(padded, items, strict=True):
        row[: len(sequence)] = torch.from_numpy(sequence)
    padding_mask = torch.arange(max(lengths)) >= torch.tensor(lengths)[:, None]
    _, glosses, categories, clip_ids = zip(*items, strict=True)
    return Batch(
        sequence=padded,
        padding_mask=padding_mask,
        gloss=torch.tensor(glosses),
        category=torch.tensor(categories),
        clip_id=list(clip_ids),
    )
