"""From feature files to what the network reads: vectors of frozen networks, or of sensors."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sign_recog.config.modalities.features import FeatureScaling, FeaturesModality
from sign_recog.data.readers import PointReader, Sequences, open_pack
from sign_recog.errors import ConfigError, DataError
from sign_recog.landmarks.augment import Augmentation, Clips
from sign_recog.storage.corpus import PreparedCorpus
from sign_recog.storage.features import FeatureSequence, read_features
from sign_recog.storage.manifest import Clip


class FeatureReader(PointReader):
    """Features -> network input, as ``modality`` says (a :class:`sign_recog.data.readers.Reader`)."""

    Settings = FeaturesModality
    input_dim = None

    def __init__(self, modality: FeaturesModality):
        self.modality = modality

    def folder(self, corpus: PreparedCorpus, extractor: str) -> Path:
        """Where the corpus's feature files lie."""
        return corpus.features_dir(extractor)

    def open(self, corpus: PreparedCorpus, clips: Sequence[Clip], extractor: str) -> Sequences:
        """The clips' network inputs, packed."""
        return open_pack(corpus, clips, self.folder(corpus, extractor), self.modality, self.read)

    def read(self, path: Path) -> np.ndarray:
        """Read one feature file as :meth:`frames`.

        Raises:
            DataError: If the file is damaged, or holds no window.
        """
        return self.frames(self.stored(path), str(path))

    def stored(self, path: Path) -> FeatureSequence:
        """What the file at ``path`` holds; errors as :meth:`read`."""
        return read_features(path)

    def frames(self, sequence: FeatureSequence, name: str) -> np.ndarray:
        """Return (N, D) float32; with ``scaling=clip`` every value is divided by the clip's standard deviation.

        Args:
            name: What error messages call the sequence.
        """
        if not len(sequence.features):
            raise DataError(f"{name}: holds no window. Delete it and extract the clip again.")
        features = sequence.features.astype(np.float32)
        if self.modality.scaling is FeatureScaling.clip:
            features = (features - features.mean()) / max(float(features.std()), 1e-6)
        return features

    def augmented(
        self, padded: np.ndarray, lengths: np.ndarray, augmentations: Sequence[Augmentation], rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """As :meth:`PointReader.augmented`; the changes see (B, N, D / P, P), P values being a point.

        Raises:
            ConfigError: If the values of a window do not divide into points.
        """
        size = self.modality.point_size
        if padded.shape[2] % size:
            raise ConfigError(f"modality.point_size={size} does not divide the {padded.shape[2]} features of a window.")
        clips = Clips(padded.reshape(*padded.shape[:2], -1, size), lengths)
        for augmentation in augmentations:
            clips = augmentation(clips, rng)
        return clips.points.reshape(*clips.points.shape[:2], -1), clips.lengths
