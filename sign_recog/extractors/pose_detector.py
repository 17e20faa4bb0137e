"""Video -> landmarks with a detector that ``run=train_pose`` trained.

A detector of MediaPipe Holistic's points, all or some of them by their names (``left_hand.wrist``, ``pose.nose``), can
make files of Holistic's layouts; points that it does not know are missing in every frame. Any detector can make files
of the layout ``named``, which carry the names.
"""

import multiprocessing
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from sign_recog.errors import ConfigError
from sign_recog.extractors.detection import Detector, load_network
from sign_recog.extractors.forward_pass import chosen_device
from sign_recog.extractors.jobs import source_meta
from sign_recog.extractors.weights import content_hash
from sign_recog.landmarks.layout import Layout, get_layout
from sign_recog.landmarks.named import NamedLandmarks
from sign_recog.landmarks.named_layout import NAMED, NamedLayout
from sign_recog.landmarks.names import point_names
from sign_recog.storage.checkpoint import read_pose
from sign_recog.storage.sequences import KeypointSequence
from sign_recog.video.reader import VideoReader

if TYPE_CHECKING:
    pass


class PoseDetector:
    """One clip of a video -> a :class:`KeypointSequence`.

    The network is loaded with the first clip, so an extractor is cheap to send to another process. There it computes
    with one thread: processes are what scales.

    Args:
        build: From a model's settings, and what only the data know, to the network.
        checkpoint: Of a detector.
        name: Of the folder below keypoints/.
        layout: What the files hold; one of Holistic's layouts, or ``named``.
        target_fps: Resample to this rate first; None = every frame of the video.
        batch_size: Frames a forward pass. It changes landmarks by float noise alone.
        min_confidence: In [0, 1]; a point below it counts as missing.
        device: "auto" = CUDA where there is a GPU, else the CPU; or what torch calls it.

    Raises:
        ConfigError: If a setting is out of its range, or the layout lacks landmarks of the detector.
        CheckpointError: If there is no such checkpoint, or it is of no detector.
    """

    makes: ClassVar[str] = "keypoints"

    def __init__(
        self,
        *,
        build: Callable[..., Any],
        checkpoint: str,
        name: str,
        layout: str,
        target_fps: float | None,
        batch_size: int,
        min_confidence: float,
        device: str,
    ) -> None:
        if target_fps is not None and not target_fps > 0:
            raise ConfigError(f"extractor.target_fps={target_fps} must be above 0, or null for the video's own.")
        if batch_size < 1:
            raise ConfigError(f"extractor.batch_size={batch_size} must be at least 1 frame.")
        if not 0 <= min_confidence <= 1:
            raise ConfigError(f"extractor.min_confidence={min_confidence} must be between 0 and 1.")
        self.name, self.path, self._build = name, Path(checkpoint), build
        self.target_fps, self.batch_size, self.min_confidence = target_fps, batch_size, min_confidence
        self.device = device
        trained = read_pose(self.path)
        self.landmarks = NamedLandmarks.from_json(trained.landmarks)
        self.layout = _layout(layout, self.landmarks, self.path)
        self._hash = content_hash(self.path)
        self._detector: Detector | None = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_detector": None}  # each process loads its own

    def description(self) -> dict[str, Any]:
        """What decides the landmarks of a given video, float noise aside, as JSON values."""
        options = {"target_fps": self.target_fps, "min_confidence": self.min_confidence}
        return {
            "extractor": self.name,
            "version": f"torch {version('torch')}",
            "weights": self._hash,
            "layout": self.layout.name,
            "landmarks": list(self.landmarks.names),
            "options": options,
        }

    def extract(self, video: Path, start_s: float = 0.0, end_s: float | None = None) -> KeypointSequence:
        """Return the landmarks of ``[start_s, end_s)`` of ``video``.

        Points have no depth: z is 0. A point below ``min_confidence``, or one that the detector does not know, is NaN
        with confidence 0.

        Raises:
            DataError: If the video cannot be read (see :class:`VideoReader`).
            CheckpointError: If the network cannot be loaded.
        """
        reader = VideoReader(video, start_s=start_s, end_s=end_s, target_fps=self.target_fps)
        found = list(self._loaded().video(reader, batch_size=self.batch_size))
        points = np.concatenate([part.points for part in found])
        confidence = np.concatenate([part.confidence for part in found])
        times = np.array([time for part in found for time in part.timestamps_ms], dtype=np.int64)
        keypoints, sure = self._in_layout(points, confidence, reader.info.width)
        meta = {"extractor": self.name, "extraction": self.description()} | source_meta(reader)
        return KeypointSequence(keypoints, sure, times, self.layout, meta)

    def _in_layout(self, points: np.ndarray, confidence: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
        """(T, V, 2) pixels and (T, V) -> (T, L, 3) image widths from the picture's corner, and (T, L)."""
        names = self.landmarks.names if isinstance(self.layout, NamedLayout) else point_names(self.layout)
        place = [list(names).index(name) for name in self.landmarks.names]
        kept = confidence >= self.min_confidence
        keypoints = np.full((len(points), len(names), 3), np.nan, dtype=np.float32)
        keypoints[:, place, :2] = np.where(kept[..., None], (points + 0.5) / width, np.nan)
        keypoints[:, place, 2] = np.where(kept, 0, np.nan)
        sure = np.zeros(keypoints.shape[:2], dtype=np.float32)
        sure[:, place] = np.where(kept, confidence, 0)
        return keypoints, sure

    def _loaded(self) -> Detector:
        if self._detector is None:
            import torch

            if multiprocessing.parent_process() is not None:
                torch.set_num_threads(1)
            self._detector = load_network(read_pose(self.path), self._build, chosen_device(self.device))
        return self._detector


def _layout(name: str, landmarks: NamedLandmarks, path: Path) -> Layout:
    if name == NAMED:
        return NamedLayout.of(landmarks)
    layout = get_layout(name)
    if unknown := [point for point in landmarks.names if point not in point_names(layout)]:
        raise ConfigError(
            f"extractor.layout={name} has no {', '.join(unknown[:5])}{', ...' * (len(unknown) > 5)}, which {path} "
            f"finds. Use extractor.layout={NAMED}: files that carry the detector's own names."
        )
    return layout
