"""From keypoint files to what the network reads; the same code in training, evaluation and prediction."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sign_recog.config.modalities.keypoints import Imputation, KeypointsModality, Normalization
from sign_recog.data.readers import PointReader, Sequences, open_pack
from sign_recog.errors import DataError
from sign_recog.landmarks.augment import Augmentation, Clips
from sign_recog.landmarks.impute import impute_gaps, impute_parts
from sign_recog.landmarks.layout import get_layout
from sign_recog.landmarks.names import point_names
from sign_recog.landmarks.normalize import normalize_chest, normalize_image, normalize_neck
from sign_recog.landmarks.resample import resample
from sign_recog.storage.corpus import PreparedCorpus
from sign_recog.storage.manifest import Clip
from sign_recog.storage.sequences import KeypointSequence, read_keypoints

_SHOULDERS = ("pose.left_shoulder", "pose.right_shoulder")
# Normalisation -> the points that it is measured from.
_ORIGINS = {
    Normalization.neck: _SHOULDERS,
    Normalization.chest: (*_SHOULDERS, "pose.left_hip", "pose.right_hip"),
}


class KeypointReader(PointReader):
    """Keypoints -> network input, as ``modality`` says (a :class:`sign_recog.data.readers.Reader`)."""

    Settings = KeypointsModality

    def __init__(self, modality: KeypointsModality):
        self.modality = modality
        self.layout = get_layout(modality.layout)
        self._num_values = len(self.layout) * modality.coordinates

    @property
    def input_dim(self) -> int:
        """D of the network's input."""
        return self._num_values + (len(self.layout.parts) if self.modality.presence else 0)

    def folder(self, corpus: PreparedCorpus, extractor: str) -> Path:
        """Where the corpus's keypoint files lie."""
        return corpus.keypoints_dir(extractor)

    def open(self, corpus: PreparedCorpus, clips: Sequence[Clip], extractor: str) -> Sequences:
        """The clips' network inputs, packed."""
        return open_pack(corpus, clips, self.folder(corpus, extractor), self.modality, self.read)

    def read(self, path: Path) -> np.ndarray:
        """Read one keypoint file as :meth:`frames`.

        Raises:
            DataError: If the file is damaged, of another layout, or holds no frame.
        """
        return self.frames(self.stored(path), str(path))

    def stored(self, path: Path) -> KeypointSequence:
        """What the file at ``path`` holds; errors as :meth:`read`."""
        return read_keypoints(path)

    def frames(self, sequence: KeypointSequence, name: str) -> np.ndarray:
        """Return (T, D) float32: the layout's landmarks, gaps filled in, normalised, cut to the limit, presence beside
        them; all at ``target_fps``.

        Args:
            name: What error messages call the sequence.
        """
        m = self.modality
        keypoints = sequence.keypoints[:, self.layout.index_in(sequence.layout), : m.coordinates]
        if not len(keypoints):
            raise DataError(f"{name}: holds no frame. Delete it and extract the clip again.")
        self._refuse_unknown_points(sequence, name)
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
            missing = [key for key in ("width", "height") if not sequence.meta.get(key)]
            if missing:
                raise DataError(
                    f"{name}: its meta does not say the image's {' and '.join(missing)}, which "
                    "modality.normalization=image needs. Write it there, or use modality.normalization=neck."
                )
            keypoints = normalize_image(keypoints, sequence.meta["width"], sequence.meta["height"])
        flat = keypoints.reshape(len(keypoints), -1)
        if m.limit is not None:
            flat = flat.clip(-m.limit, m.limit)
        values = np.column_stack([flat, *presence]) if m.presence else flat
        if m.target_fps is not None:
            values = resample(values, sequence.timestamps_ms, m.target_fps)
        # impute_gaps leaves long gaps open; the network needs numbers, and 0 is the normalised origin.
        return np.nan_to_num(values).astype(np.float32)

    def _refuse_unknown_points(self, sequence: KeypointSequence, name: str) -> None:
        """A detector may know only some of the layout's points; what is computed from the others would be nothing."""
        extraction = sequence.meta.get("extraction")
        known = extraction.get("landmarks") if isinstance(extraction, dict) else None
        if known is None:
            return
        m, names = self.modality, point_names(self.layout)
        origin = [*_ORIGINS.get(m.normalization, ())]
        if origin:  # hands are measured from their own
            hands = {point.partition(".")[0] for point in known if "_hand." in point}
            origin += [f"{hand}.{point}" for hand in sorted(hands) for point in ("wrist", "middle_finger_mcp")]
        if origin := [point for point in origin if point not in known]:
            raise DataError(
                f"{name}: its detector knows no {' and no '.join(origin)}, which "
                f"modality.normalization={m.normalization.value} is measured from. Use modality.normalization=image."
            )
        for part, points in self.layout.parts.items():
            lacking = [point for point in names[points] if point not in known]
            if m.imputation is Imputation.parts and 0 < len(lacking) < points.stop - points.start:
                raise DataError(
                    f"{name}: its detector does not know {len(lacking)} points of the part {part} ({lacking[0]}, ...), "
                    "and modality.imputation=parts takes a part that lacks a point for missing. Use "
                    "modality.imputation=gaps, or a modality.layout of points that it knows."
                )

    def augmented(
        self, padded: np.ndarray, lengths: np.ndarray, augmentations: Sequence[Augmentation], rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """As :meth:`PointReader.augmented`, of batches (B, T, D) of :meth:`frames`.

        The changes see (B, T, V, C), with presence as one more channel that is the same for all points of a part, so
        that it follows its part through mirroring, resampling and dropping.
        """
        coordinates, parts = self.modality.coordinates, list(self.layout.parts.values())
        shape = (*padded.shape[:2], len(self.layout))
        points = np.empty((*shape, coordinates + self.modality.presence), np.float32)
        points[..., :coordinates] = padded[..., : self._num_values].reshape(*shape, coordinates)
        if self.modality.presence:
            owner = np.repeat(np.arange(len(parts)), [part.stop - part.start for part in parts])
            points[..., -1] = padded[..., self._num_values :][..., owner]
        clips = Clips(points, lengths)
        for augmentation in augmentations:
            clips = augmentation(clips, rng)
        points = clips.points
        changed = np.empty((*points.shape[:2], padded.shape[2]), np.float32)
        changed[..., : self._num_values] = points[..., :coordinates].reshape(*points.shape[:2], -1)
        if self.modality.presence:
            changed[..., self._num_values :] = points[:, :, [part.start for part in parts], -1]
        return changed, clips.lengths
