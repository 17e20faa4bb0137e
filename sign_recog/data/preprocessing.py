"""From a keypoint file to what the network reads; the same code in training, evaluation and prediction."""

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

    @property
    def input_dim(self) -> int:
        """D of the network's input."""
        return len(self.layout) * self.modality.coordinates

    def read(self, path: Path) -> np.ndarray:
        """Read one keypoint file as :meth:`frames`.

        Raises:
            DataError: If the file is damaged, of another layout, or holds no frame.
        """
        return self.frames(read_keypoints(path), str(path))

    def frames(self, sequence: KeypointSequence, name: str) -> np.ndarray:
        """Return (T, V * C) float32: the layout's landmarks, gaps filled in, normalised, cut to the limit.

        Args:
            name: What error messages call the sequence.
        """
        m = self.modality
        keypoints = sequence.keypoints[:, self.layout.index_in(sequence.layout), : m.coordinates]
        if not len(keypoints):
            raise DataError(f"{name}: holds no frame. Delete it and extract the clip again.")
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
        return flat if m.limit is None else flat.clip(-m.limit, m.limit)

    def unflatten(self, frames: np.ndarray) -> np.ndarray:
        """Return (T, D) as landmarks (T, V, C), a view."""
        return frames.reshape(len(frames), len(self.layout), self.modality.coordinates)
