"""A detector's checkpoint ready for use: the network, and the planes that poses of its training lay in."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader

from sign_recog.config.trainer import TrainerConfig
from sign_recog.extractors.detection import Detected, Detector, load_network
from sign_recog.landmarks.named import NamedLandmarks
from sign_recog.landmarks.pca import LinearPoses
from sign_recog.stages.build import build
from sign_recog.storage.checkpoint import PoseCheckpoint
from sign_recog.training.precision import check_accelerator
from sign_recog.video.container import VideoInfo
from sign_recog.video.reader import VideoReader
from sign_recog.video.scaling import mapped

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainedDetector:
    """What a checkpoint knows, on a device, in evaluation mode."""

    checkpoint: PoseCheckpoint
    detector: Detector

    @property
    def landmarks(self) -> NamedLandmarks:
        """What the V axis holds."""
        return self.detector.landmarks

    @cached_property
    def planes(self) -> dict[str, LinearPoses]:
        """Kind of error -> the plane it is measured from: ``pca_singleview_error``, ``pca_multiview_error``."""
        found = [LinearPoses.from_json(content) for content in self.checkpoint.pca.values() if content]
        return {f"pca_{plane.kind}_error": plane for plane in found}

    def predict_loader(self, loader: DataLoader) -> tuple[np.ndarray, np.ndarray]:
        """What is found in all labelled frames of ``loader``, in the data set's order.

        Returns:
            (N, V, 2) float64 in pixels of the pictures on the disk, and (N, V) float32 in [0, 1].
        """
        from tqdm import tqdm

        found: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        for batch in tqdm(loader, desc="predicting", unit="batch", mininterval=1.0, leave=False, disable=None):
            points, confidence = self.detector.predict(batch["frames"])
            affines = batch["to_original"].double().numpy()
            for index, own, affine, sure in zip(batch["index"], points, affines, confidence, strict=True):
                found[int(index)] = mapped(own.astype(np.float64), affine), sure
        ordered = [found[i] for i in range(len(found))]
        return np.stack([points for points, _ in ordered]), np.stack([sure for _, sure in ordered])

    def predict_video(
        self, path: Path | VideoReader, *, batch_size: int, keep_images: bool = False
    ) -> Iterator[Detected]:
        """What is found in every frame of a video, batch by batch; see :meth:`Detector.video`.

        Raises:
            DataError: If the video cannot be read; on reaching the damage.
        """
        reader = path if isinstance(path, VideoReader) else VideoReader(path)
        return self.detector.video(reader, batch_size=batch_size, keep_images=keep_images)

    def planes_for(self, path: Path, info: VideoInfo) -> dict[str, LinearPoses]:
        """:attr:`planes` for a video; none, with a line in the log, where its pictures are not the training's size.

        The planes are in pixels of the training's pictures, so another size would be measured as a fault.
        """
        sizes = self.checkpoint.picture_sizes
        if not self.planes or [info.width, info.height] in sizes:
            return self.planes
        logger.warning(
            "%s: its pictures are %d x %d pixels, those of the training %s: its landmarks are predicted as ever, and "
            "no PCA errors are written, which hold for the training's pixels.",
            path, info.width, info.height, ", ".join(f"{width} x {height}" for width, height in sizes),
        )  # fmt: skip
        return {}


def load_detector(checkpoint: PoseCheckpoint, trainer: TrainerConfig) -> TrainedDetector:
    """Build the network that ``checkpoint`` describes and load its weights, all of them.

    Args:
        trainer: Of this command; its ``accelerator`` says where to compute.

    Raises:
        ConfigError: If the machine lacks the accelerator asked for.
        CheckpointError: If the weights do not fit the network.
    """
    check_accelerator(trainer)
    device = torch.device("cuda" if trainer.accelerator != "cpu" and torch.cuda.is_available() else "cpu")
    return TrainedDetector(checkpoint, load_network(checkpoint, build, device))
