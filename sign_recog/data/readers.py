"""What a modality's reader offers, and what the readers share."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from sign_recog.config.identity import digest
from sign_recog.config.modalities import ModalityConfig
from sign_recog.landmarks.augment import Augmentation
from sign_recog.storage.corpus import PreparedCorpus
from sign_recog.storage.manifest import Clip
from sign_recog.storage.packed import open_packed


class Sequences(Protocol):
    """The network inputs of some clips, read when they are asked for."""

    @property
    def lengths(self) -> np.ndarray:
        """(N,) int64, frames of each clip."""

    @property
    def input_dim(self) -> int:
        """D, or C of frames (C, H, W)."""

    def read(self, index: int, rng: np.random.Generator | None) -> np.ndarray:
        """Clip ``index`` as (T, D) float32, or (T, C, H, W) uint8.

        ``rng`` makes the choices that training leaves to chance; None = the same frames every time.
        """


class Reader(Protocol):
    """One modality: built from its settings by ``modality._target_``.

    Attributes:
        Settings: The dataclass of its settings, as the class knows it.
        steps: Which of its settings are named nodes; the class gets the objects built of each, in their order.
        input_dim: D of the network's input; None = whatever the files hold.
    """

    Settings: type[ModalityConfig]
    steps: tuple[str, ...]
    modality: Any

    @property
    def input_dim(self) -> int | None: ...

    def folder(self, corpus: PreparedCorpus, extractor: str) -> Path | None:
        """Where ``<clip_id>.npz`` lie; None = the corpus's own videos are read."""

    def open(self, corpus: PreparedCorpus, clips: Sequence[Clip], extractor: str) -> Sequences:
        """The clips' network inputs, in their order."""

    def open_copies(self, corpus: PreparedCorpus, clips: Sequence[Clip], extractor: str) -> list[Sequences]:
        """Augmented copies of train clips: epoch e trains on entry ``e % len``; empty = on what :meth:`open` gives."""

    def stored(self, path: Path) -> Any:
        """What an extractor gave for one clip, from its file."""

    def frames(self, sequence: Any, name: str) -> np.ndarray:
        """The network input of what an extractor gives for one clip; of a video's path where there is none."""

    def batch(
        self,
        sequences: Sequences,
        indices: Sequence[int],
        augmentations: Sequence[Any],
        rng: np.random.Generator | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Some clips as network inputs (B, T, ...), 0 after their ends, and their lengths (B,).

        Args:
            augmentations: Random changes, in their order; none are made where ``rng`` is None.
            rng: As :meth:`Sequences.read`.
        """


class PointReader(ABC):
    """A reader whose augmentations see a whole batch of points."""

    steps: tuple[str, ...] = ()

    def open_copies(self, corpus: PreparedCorpus, clips: Sequence[Clip], extractor: str) -> list[Sequences]:
        """As :meth:`Reader.open_copies`: there are none."""
        return []

    @abstractmethod
    def augmented(
        self, padded: np.ndarray, lengths: np.ndarray, augmentations: Sequence[Augmentation], rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """A batch of network inputs, (B, T, ...) and the clips' lengths (B,), after random changes."""

    def batch(
        self,
        sequences: Sequences,
        indices: Sequence[int],
        augmentations: Sequence[Any],
        rng: np.random.Generator | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """As :meth:`Reader.batch`."""
        padded, lengths = pad([sequences.read(index, rng) for index in indices])
        if rng is not None and augmentations:
            padded, lengths = self.augmented(padded, lengths, augmentations, rng)
            padded = padded[:, : lengths.max()]
            padded[np.arange(padded.shape[1]) >= lengths[:, None]] = 0
        return padded, lengths


class Copies:
    """Several copies of the same clips as one :class:`Sequences`: clip i of copy c is at c * (number of clips) + i."""

    def __init__(self, copies: Sequence[Sequences]):
        self.copies = list(copies)
        self._num_clips = len(self.copies[0].lengths)

    @property
    def lengths(self) -> np.ndarray:
        """(N,) int64, of each clip, in any copy."""
        return self.copies[0].lengths

    @property
    def input_dim(self) -> int:
        return self.copies[0].input_dim

    def read(self, index: int, rng: np.random.Generator | None) -> np.ndarray:
        """As :meth:`Sequences.read`."""
        copy, clip = divmod(index, self._num_clips)
        return self.copies[copy].read(clip, rng)


def pad(sequences: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Sequences (T_i, ...) with zeros up to the longest of them, (B, T, ...), and their lengths (B,)."""
    lengths = np.array([len(sequence) for sequence in sequences])
    if (lengths == lengths[0]).all():
        return np.stack(sequences), lengths
    first = sequences[0]
    padded = np.zeros((len(sequences), lengths.max(), *first.shape[1:]), first.dtype)
    for row, sequence in zip(padded, sequences, strict=True):
        row[: len(sequence)] = sequence
    return padded, lengths


def clip_path(folder: Path, clip: Clip) -> Path:
    """Where a clip's file lies in an extraction's folder."""
    return folder / f"{clip.clip_id}.npz"


# Of what readers make of files: raised when the same files and settings begin to give other network inputs, so that
# packs made before are not used.
PREPROCESSING = 1


def open_pack(
    corpus: PreparedCorpus,
    clips: Sequence[Clip],
    folder: Path,
    modality: ModalityConfig,
    read: Callable[[Path], np.ndarray],
) -> Sequences:
    """Pack the files of ``clips`` as ``read`` reads them; what is packed already is only opened.

    Raises:
        DataError: If a file is damaged.
    """
    splits = "+".join(sorted({clip.split for clip in clips}))
    # Copies lie one folder deeper, <extractor>/<copy>, and those of one extractor must not replace another's.
    of = folder.name if folder.parent.parent == corpus.root else f"{folder.parent.name}/{folder.name}"
    name = f"{splits}-{digest([PREPROCESSING, corpus.folder.name, vars(modality), of])}"
    return open_packed(corpus.root / "cache", name, [clip_path(folder, clip) for clip in clips], read)
