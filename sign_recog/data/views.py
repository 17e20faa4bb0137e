"""Test clips seen otherwise: with their frames in another order, or several times, in parts."""

from typing import Any

import numpy as np
import torch

from sign_recog.data.datasets import ClipDataset, pad, padding_mask
from sign_recog.data.readers import Sequences
from sign_recog.errors import ConfigError
from sign_recog.types import Batch


class ShuffledFrames:
    """Clips whose frames come in one stored order (a :class:`sign_recog.data.readers.Sequences`).

    It is applied to what the reader gives, after all sampling of frames. A clip of T frames takes the places below T
    in the order in which they stand in ``order``. That is the order of its first T keys, had each place a random key.

    Args:
        order: (T_max,) a permutation of 0 .. T_max - 1, T_max the frames of the longest clip.
    """

    def __init__(self, sequences: Sequences, order: np.ndarray):
        if sorted(order) != list(range(len(order))):
            raise ValueError(f"{list(order)} is no permutation of 0 to {len(order) - 1}.")
        self.sequences, self.order = sequences, np.asarray(order)

    @property
    def lengths(self) -> np.ndarray:
        return self.sequences.lengths

    @property
    def input_dim(self) -> int:
        return self.sequences.input_dim

    def read(self, index: int, rng: np.random.Generator | None) -> np.ndarray:
        return self._shuffled(self.sequences.read(index, rng))

    def views(self, index: int, num_clips: int, num_crops: int) -> list[np.ndarray]:
        """As :func:`views_of`, each in the stored order."""
        return [self._shuffled(frames) for frames in views_of(self.sequences, index, num_clips, num_crops)]

    def _shuffled(self, frames: np.ndarray) -> np.ndarray:
        if len(frames) > len(self.order):
            raise ValueError(f"A clip of {len(frames)} frames cannot be put in an order of {len(self.order)}.")
        return frames[self.order[self.order < len(frames)]]


class ViewDataset(ClipDataset):
    """As ``dataset``, of test clips; each stands in a batch ``num_clips`` x ``num_crops`` times, its views together.

    Raises:
        ConfigError: If the modality has no such views.
    """

    def __init__(self, dataset: ClipDataset, num_clips: int, num_crops: int):
        refuse_without_views(dataset.sequences, num_clips, num_crops)
        super().__init__(dataset.sequences, dataset.reader, dataset.clip_ids, dataset.labels, train=False)
        self.num_clips, self.num_crops = num_clips, num_crops

    def __getitems__(self, items: list[tuple[int, int]]) -> Batch:
        """A batch of (epoch, index), with a row for each view."""
        indices = [index for _, index in items]
        views = [v for i in indices for v in views_of(self.sequences, i, self.num_clips, self.num_crops)]
        padded, lengths = pad(views)
        rows = torch.tensor(indices).repeat_interleave(self.num_clips * self.num_crops)
        gloss, category, language = (column[rows] for column in self._columns)
        return Batch(
            sequence=torch.from_numpy(padded),
            padding_mask=padding_mask(lengths),
            gloss=gloss,
            category=category,
            language=language,
            clip_id=[self.clip_ids[index] for index in rows.tolist()],
        )


def views_of(sequences: Any, index: int, num_clips: int, num_crops: int) -> list[np.ndarray]:
    """The views of a clip, first by the part of its time, then by the part of the picture.

    ``sequences.views`` makes them; one view is what ``sequences.read`` gives.
    """
    if (num_clips, num_crops) == (1, 1):
        return [sequences.read(index, None)]
    return sequences.views(index, num_clips, num_crops)


def refuse_without_views(sequences: Any, num_clips: int, num_crops: int) -> None:
    """Raises ConfigError if ``sequences`` cannot be seen in several views."""
    while isinstance(sequences, ShuffledFrames):
        sequences = sequences.sequences
    if (num_clips, num_crops) != (1, 1) and not hasattr(sequences, "views"):
        raise ConfigError(
            f"evaluation.views.num_clips={num_clips} and evaluation.views.num_crops={num_crops} need frames of videos, "
            "and this network reads none. Use 1 for both, or a network of modality=rgb."
        )


def mean_of_views(logits: np.ndarray, num_views: int) -> np.ndarray:
    """Log-probabilities (N, K) float32 of the mean over each clip's views of their probabilities.

    Args:
        logits: (N * num_views, K), a clip's views together.
    """
    from scipy.special import log_softmax, logsumexp

    if num_views == 1:
        return logits
    each = log_softmax(logits.astype(np.float64), axis=1).reshape(-1, num_views, logits.shape[1])
    return (logsumexp(each, axis=1) - np.log(num_views)).astype(np.float32)
