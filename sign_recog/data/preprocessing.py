"""From a keypoint file to what the network reads; the same code in training, evaluation and prediction."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sign_recog.config.schema import Imputation, ModalityConfig, Normalization
from sign_recog.errors import DataError
from sign_recog.landmarks.augment import Augmentation
from sign_recog.landmarks.impute import impute_gaps, impute_parts
from sign_recog.landmarks.layout import get_layout
from sign_recog.landmarks.normalize import normalize_chest, normalize_image, normalize_neck
from sign_recog.storage.sequences import KeypointSequence, read_keypoints


class KeypointPreprocessor:
    """Keypoints -> network input, as ``modality`` says."""

    def __init__(self, modality: ModalityConfig):
        self.modality = modality
        self.layout = get_layout(modality.layout)
        self._num_values = len(self.layout) * modality.coordinates

    @property
    def input_dim(self) -> int:
        """D of the network's input."""
        return self._num_values + (len(self.layout.parts) if self.modality.presence else 0)

    def read(self, path: Path) -> np.ndarray:
        """Read one keypoint file as :meth:`frames`.

        Raises:
            DataError: If the file is damaged, of another layout, or holds no frame.
        """
        return self.frames(read_keypoints(path), str(path))

    def frames(self, sequence: KeypointSequence, name: str) -> np.ndarray:
        """Return (T, D) float32: the layout's landmarks, gaps filled in, normalised, cut to the limit; then presence.

        Args:
            name: What error messages call the sequence.
        """
        m = self.modality
        keypoints = sequence.keypoints[:, self.layout.index_in(sequence.layout), : m.coordinates]
        if not len(keypoints):
            raise DataError(f"{name}: holds no frame. Delete it and extract the clip again.")
        presence = [~np.isnan(keypoints[:, part]).any(axis=(1, 2)) for part in self.layout.parts.values()]
        if m.imputation is Imputation.parts:
            keypoints = impute_parts(keypoints, self.layout)
        else:
            keypoints = impute_gaps(keypoints, m.max_gap)
        if m.normalization is Normalization.neck:
            keypoints = normalize_neck(keypoints, self.layout)
        elif m.normalization is Normalization.chest:
            keypoints = normalize_chest(keypoints, self.layout)
        else:
            keypoints = normalize_image(keypoints, sequence.meta["width"], sequence.meta["height"])
        # impute_gaps leaves long gaps open; the network needs numbers, and 0 is the normalised origin.
        flat = np.nan_to_num(keypoints.reshape(len(keypoints), -1)).astype(np.float32)
        if m.limit is not None:
            flat = flat.clip(-m.limit, m.limit)
        return np.column_stack([flat, *presence]).astype(np.float32) if m.presence else flat

    def augmented(
        self, frames: np.ndarray, augmentations: Sequence[Augmentation], rng: np.random.Generator
    ) -> np.ndarray:
        """Return (T', D): :meth:`frames` after random changes.

        They see (T, V, C), with presence as one more channel that is the same for all points of a part, so that
        it follows its part through mirroring, resampling and dropping.
        """
        points = frames[:, : self._num_values].reshape(len(frames), len(self.layout), -1)
        parts = list(self.layout.parts.values())
        if self.modality.presence:
            presence = frames[:, self._num_values :]
            owner = np.repeat(np.arange(len(parts)), [part.stop - part.start for part in parts])
            points = np.concatenate([points, presence[:, owner, None]], axis=2)
        for augmentation in augmentations:
            points = augmentation(points, rng)
        flat = points[..., : self.modality.coordinates].reshape(len(points), -1)
        if not self.modality.presence:
            return flat
        return np.concatenate([flat, points[:, [part.start for part in parts], -1]], axis=1)
