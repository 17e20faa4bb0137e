"""From the glosses of a sentence to what the network reads: ids in a vocabulary of the training clips' glosses."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sign_recog.config.modalities.gloss import GlossModality
from sign_recog.data.readers import Sequences, pad
from sign_recog.errors import ConfigError, DataError
from sign_recog.storage.corpus import PreparedCorpus
from sign_recog.storage.manifest import Clip
from sign_recog.text.glosses import COLUMN, glosses_of
from sign_recog.text.words import Words, WordTokenizer


class GlossSequences:
    """Sentences of gloss ids (a :class:`sign_recog.data.readers.Sequences`, but for ids instead of vectors)."""

    def __init__(self, sequences: Sequence[np.ndarray]):
        self._sequences = list(sequences)

    @property
    def lengths(self) -> np.ndarray:
        """(N,) int64, glosses of each sentence."""
        return np.array([len(sequence) for sequence in self._sequences], np.int64)

    @property
    def input_dim(self) -> int:
        """There is none: a sequence holds ids; the reader's ``num_source_tokens`` says how many there are."""
        raise AttributeError("Glosses have no input_dim; GlossReader.num_source_tokens is what a network needs.")

    def read(self, index: int, rng: np.random.Generator | None) -> np.ndarray:
        """Sentence ``index`` as (T,) int64; nothing is left to chance."""
        return self._sequences[index]


class GlossReader:
    """Glosses -> network input (a :class:`sign_recog.data.readers.Reader`, but for ids instead of vectors).

    The vocabulary is that of a corpus's train clips, made when clips of it are opened first; or what is given, as by a
    checkpoint. Padding is the vocabulary's ``pad_id``.

    Attributes:
        vocabulary: None until then.
    """

    Settings = GlossModality
    steps: tuple[str, ...] = ()
    input_dim = None

    def __init__(self, modality: GlossModality, vocabulary: WordTokenizer | None = None):
        self.modality, self.vocabulary = modality, vocabulary

    @property
    def num_source_tokens(self) -> int:
        """Ids are below this."""
        return self._known().vocab_size

    def fit(self, clips: Sequence[Clip]) -> WordTokenizer:
        """Make the vocabulary of ``clips``, the train clips, the most frequent gloss first.

        Raises:
            DataError: If they have no glosses.
        """
        sentences = [" ".join(glosses_of(clip)) for clip in clips]
        if not any(sentences):
            raise DataError(
                f"No train clip has glosses (the manifest's column {COLUMN}: a sentence's, with spaces between), "
                "so modality=gloss has nothing to read. Use another modality, or a corpus with that column."
            )
        trained = Words(self.modality.min_count, lowercase=False, truecase=False).train(sentences)
        assert isinstance(trained, WordTokenizer)
        self.vocabulary = trained
        return trained

    def folder(self, corpus: PreparedCorpus, extractor: str) -> Path | None:
        """None: the manifest has the glosses."""
        return None

    def readable(self, clips: Sequence[Clip]) -> tuple[list[Clip], list[Clip]]:
        """The clips that have glosses, and those that have none."""
        there = [clip for clip in clips if glosses_of(clip)]
        return there, [clip for clip in clips if not glosses_of(clip)]

    def open(self, corpus: PreparedCorpus, clips: Sequence[Clip], extractor: str) -> Sequences:
        """The glosses of ``clips``, in their order.

        Raises:
            DataError: If one has none (leave those out that :meth:`readable` names), or no train clip has any.
        """
        if self.vocabulary is None:
            self.fit(corpus.of_split("train"))
        return GlossSequences([self.frames(glosses_of(clip), clip.clip_id) for clip in clips])

    def open_copies(self, corpus: PreparedCorpus, clips: Sequence[Clip], extractor: str) -> list[Sequences]:
        """None: there is one annotation."""
        return []

    def stored(self, path: Path) -> list[str]:
        """The glosses in a text file, which holds one sentence.

        Raises:
            DataError: If it cannot be read as UTF-8 text, or has no line with glosses, or several.
        """
        try:
            lines = [line.split() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path}: cannot be read as glosses in UTF-8 text ({error}).") from error
        if len(lines) != 1:
            held = f"{len(lines)} lines of glosses" if lines else "no gloss"
            raise DataError(f"{path}: holds {held}. A file is one sentence: write its glosses in a line, with spaces.")
        return lines[0]

    def frames(self, sequence: Sequence[str], name: str) -> np.ndarray:
        """The ids (T,) int64 of glosses; those that training has not seen are ``unk_id``.

        Raises:
            DataError: If there are none.
        """
        if not sequence:
            raise DataError(f"{name}: has no glosses (the manifest's column {COLUMN}). Leave the clip out.")
        vocabulary = self._known()
        (ids,) = vocabulary.encode([" ".join(sequence)])
        return np.array(ids[:-1], np.int64)  # the end is for what is written, not for what is read

    def batch(
        self,
        sequences: Sequences,
        indices: Sequence[int],
        augmentations: Sequence[Any],
        rng: np.random.Generator | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Some sentences as ids (B, T) int64, ``pad_id`` after their ends, and their lengths (B,).

        Raises:
            ConfigError: If there are augmentations: none of them changes glosses.
        """
        if augmentations:
            raise ConfigError("modality=gloss has no augmentations. Use augment=none.")
        padded, lengths = pad([sequences.read(index, rng) for index in indices])
        padded[np.arange(padded.shape[1]) >= lengths[:, None]] = self._known().pad_id
        return padded, lengths

    def _known(self) -> WordTokenizer:
        if self.vocabulary is None:
            raise ValueError("The vocabulary of glosses is not known yet: open train clips, or give a checkpoint's.")
        return self.vocabulary
