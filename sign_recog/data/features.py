"""From feature files to what the network reads: vectors of frozen networks, or of sensors."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sign_recog.config.modalities.features import FeatureScaling, FeaturesModality
from sign_recog.data.readers import PointReader, Sequences, clip_path, open_pack
from sign_recog.errors import ConfigError, DataError
from sign_recog.landmarks.augment import Augmentation, Clips
from sign_recog.storage.corpus import PreparedCorpus
from sign_recog.storage.features import FeatureSequence, read_features
from sign_recog.storage.manifest import Clip, listing


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
        plain = replace(self.modality, augmented_copies=0)  # which copies training reads changes no pack
        return open_pack(corpus, clips, self.folder(corpus, extractor), plain, self.read)

    def open_copies(self, corpus: PreparedCorpus, clips: Sequence[Clip], extractor: str) -> list[Sequences]:
        """The first ``modality.augmented_copies`` copies, packed each; as :meth:`Reader.open_copies`.

        Raises:
            DataError: If a copy lacks a clip, or was made with other settings than the plain features, or copies have
                different numbers of windows.
        """
        folders = [corpus.augmented_dir(extractor, copy) for copy in range(1, self.modality.augmented_copies + 1)]
        self._refuse_incomplete(folders, clips)
        for folder in folders:
            _refuse_other_settings(folder, self.folder(corpus, extractor))
        plain = replace(self.modality, augmented_copies=0)
        packs = [open_pack(corpus, clips, folder, plain, self.read) for folder in folders]
        for folder, pack in zip(folders, packs, strict=True):
            _refuse_other_lengths(clips, folders[0], packs[0], folder, pack)
        return packs

    def _refuse_incomplete(self, folders: Sequence[Path], clips: Sequence[Clip]) -> None:
        problems = []
        for folder in folders:
            missing = [clip.clip_id for clip in clips if not clip_path(folder, clip).exists()]
            if missing:
                named = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
                problems.append(f"{folder} lacks {len(missing)} of {len(clips)} train clips ({named})")
        if problems:
            wanted = self.modality.augmented_copies
            head = (
                f"modality.augmented_copies={wanted}, and {len(problems)} of the copies are not whole. Run "
                f"run=extract_features run.augmented_copies={wanted} first; copies that come with the corpus are made "
                "by run=prepare, and failed.tsv in their folder says what could not be read."
            )
            raise DataError(listing(head, problems))

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


def _refuse_other_settings(folder: Path, plain: Path) -> None:
    """Validation reads the plain features: training on another network's would teach what is never seen again."""
    own, other = _extraction(folder), _extraction(plain)
    differing = [key for key in other if key != "augmentation" and own.get(key) != other[key]]
    if differing and own:
        listed = "; ".join(f"{key} {own.get(key)} and {other[key]}" for key in differing)
        raise DataError(
            f"{folder} and {plain} were made with different settings ({listed}). Delete the copies and make them again."
        )


def _extraction(folder: Path) -> dict[str, Any]:
    path = folder / "extraction.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _refuse_other_lengths(
    clips: Sequence[Clip], first: Path, expected: Sequences, folder: Path, pack: Sequences
) -> None:
    """Batches are made of clips of like lengths, once for all epochs."""
    if pack.input_dim != expected.input_dim:
        raise DataError(
            f"{folder}: a window has {pack.input_dim} values, and in {first} {expected.input_dim}. Make both again."
        )
    differing = np.flatnonzero(pack.lengths != expected.lengths)
    if len(differing):
        i = int(differing[0])
        raise DataError(
            f"{folder}: {len(differing)} clips have another number of windows than in {first} ({clips[i].clip_id}: "
            f"{pack.lengths[i]} and {expected.lengths[i]}). Make both copies again with the same settings."
        )
