"""From a clip's video to the frames that a network reads; nothing is stored in between."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sign_recog.config.modalities.rgb import RgbModality
from sign_recog.errors import DataError
from sign_recog.landmarks.augment import Augmentation, Clips
from sign_recog.storage.corpus import PreparedCorpus
from sign_recog.storage.manifest import Clip


class FrameReader:
    """Videos -> network input, as ``modality`` says (a :class:`sign_recog.data.readers.Reader`)."""

    Settings = RgbModality
    input_dim = 3

    def __init__(self, modality: RgbModality):
        self.modality = modality

    def folder(self, corpus: PreparedCorpus, extractor: str) -> None:
        """Nothing is extracted."""

    def open(self, corpus: PreparedCorpus, clips: Sequence[Clip], extractor: str) -> "VideoSequences":
        """The clips' frames, decoded when they are asked for."""
        return VideoSequences(self, [(corpus.video_path(clip), clip.start_s, clip.end_s) for clip in clips])

    def stored(self, path: Path) -> Path:
        """Nothing but videos is read.

        Raises:
            DataError: Always.
        """
        raise DataError(f"{path}: this network reads videos, and an .npz is none. Give the clip's video.")

    def frames(self, sequence: Path, name: str) -> np.ndarray:
        """Return the frames of the video at ``sequence``, (T, 3, H, W) uint8; the middle of a long video."""
        return self.read(sequence, 0.0, None, None)

    def read(self, path: Path, start_s: float, end_s: float | None, rng: np.random.Generator | None) -> np.ndarray:
        """Return ``num_frames`` frames of a span, every ``stride``-th, (T, 3, H, W) uint8; fewer if it is shorter.

        They begin at a place that ``rng`` chooses; None = so that they are the middle of the span. The picture is cut
        to its middle square and scaled to ``image_size``.

        Raises:
            DataError: If the video cannot be read.
        """
        from sign_recog.video.reader import read_frames

        m = self.modality
        frames = read_frames(path, start_s=start_s, end_s=end_s, target_fps=m.target_fps)
        images = [_to_square(frame.image, m.image_size) for frame in frames]  # small ones: whole frames fill the memory
        spare = max(0, len(images) - ((m.num_frames - 1) * m.stride + 1))
        first = spare // 2 if rng is None else int(rng.integers(spare + 1))
        return np.stack(images[first :: m.stride][: m.num_frames]).transpose(0, 3, 1, 2)

    def augmented(
        self, padded: np.ndarray, lengths: np.ndarray, augmentations: Sequence[Augmentation], rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """As :meth:`Reader.augmented`; the changes see (B, T, 3, H, W) uint8."""
        clips = Clips(padded, lengths)
        for augmentation in augmentations:
            clips = augmentation(clips, rng)
        return clips.points, clips.lengths


class VideoSequences:
    """Spans of videos as network inputs (a :class:`sign_recog.data.readers.Sequences`)."""

    input_dim = 3

    def __init__(self, reader: FrameReader, spans: Sequence[tuple[Path, float, float | None]]):
        self.reader, self.spans = reader, list(spans)

    @property
    def lengths(self) -> np.ndarray:
        """As long as the reader makes them; that a span is shorter shows only when it is decoded."""
        return np.full(len(self.spans), self.reader.modality.num_frames)

    def read(self, index: int, rng: np.random.Generator | None) -> np.ndarray:
        return self.reader.read(*self.spans[index], rng)


def _to_square(image: np.ndarray, size: int) -> np.ndarray:
    """The middle square of ``image`` (H, W, 3), scaled to (size, size, 3)."""
    import cv2

    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = image[top : top + side, left : left + side]
    return cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA if side > size else cv2.INTER_LINEAR)
