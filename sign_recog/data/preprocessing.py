"""From a keypoint file to what the network reads; the same code in training, evaluation and prediction.

Two steps, because random changes come between them: ``frames`` (cached on disk) fills gaps and
normalises; ``network_input`` adds differences and flattens.
"""

from pathlib import Path

import numpy as np

from sign_recog.config.schema import Imputation, ModalityConfig, Normalization
from sign_recog.errors import DataError
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
        parts = len(self.layout.parts) if self.modality.presence else 0
        return self._num_values * (2 if self.modality.velocity else 1) + parts

    def read(self, path: Path) -> np.ndarray:
        """Read one keypoint file as :meth:`frames`.

        Raises:
            DataError: If the file is damaged, of another layout, or holds no frame.
        """
        return self.frames(read_keypoints(path), str(path))

    def frames(self, sequence: KeypointSequence, name: str) -> np.ndarray:
        """Return (T, V * C + P) float32: normalised landmarks, then for each part 1 = detected, 0 = filled in.

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
        flat = np.nan_to_num(keypoints.reshape(len(keypoints), -1))
        return np.concatenate([flat, np.stack(presence, axis=1)], axis=1).astype(np.float32)

    def split(self, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Take :meth:`frames` apart: landmarks (T, V, C) and presence (T, P)."""
        keypoints = frames[:, : self._num_values].reshape(len(frames), len(self.layout), self.modality.coordinates)
        return keypoints, frames[:, self._num_values :]

    def network_input(self, keypoints: np.ndarray, presence: np.ndarray) -> np.ndarray:
        """Return (T, D) float32 from landmarks (T, V, C) and presence (T, P)."""
        flat = keypoints.reshape(len(keypoints), -1)
        pieces = [flat]
        if self.modality.velocity:
            pieces.append(np.diff(flat, axis=0, prepend=flat[:1]))
        if self.modality.presence:
            pieces.append(presence)
        return np.concatenate(pieces, axis=1).astype(np.float32)
