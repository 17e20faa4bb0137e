"""A trained detector of landmarks at work: on pictures of its size, and on videos of any length.

Videos are decoded ahead by a thread while the network computes. At no time is more of a video in memory than a few
batches.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sign_recog.data.prefetch import ahead
from sign_recog.errors import CheckpointError, SignRecogError
from sign_recog.landmarks.named import NamedLandmarks
from sign_recog.storage.checkpoint import PoseCheckpoint
from sign_recog.video.reader import VideoReader
from sign_recog.video.scaling import mapped, scaled, to_original

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_IMAGE_BYTES = 2**26  # of whole pictures that a batch keeps beside what the network reads


@dataclass(frozen=True)
class Detected:
    """What a detector found in consecutive frames of a video.

    Attributes:
        points: (n, V, 2) float64, pixels of the video.
        confidence: (n, V) float32 in [0, 1].
        timestamps_ms: n, from the clip's first frame.
        images: n frames (H, W, 3) uint8 RGB; empty where they were not asked for.
    """

    points: np.ndarray
    confidence: np.ndarray
    timestamps_ms: list[int]
    images: list[np.ndarray]


@dataclass(frozen=True)
class Detector:
    """A network in evaluation mode on a device, and what it reads and finds.

    Attributes:
        network: Of :mod:`sign_recog.models.pose`.
        height, width: Of the pictures it reads.
        context: Neighbours on either side that it reads too.
        precision: It was trained in: "32-true", "bf16-mixed" or "16-mixed".
    """

    network: Any
    landmarks: NamedLandmarks
    height: int
    width: int
    context: int
    device: "torch.device"
    precision: str

    def predict(self, frames: "Tensor") -> tuple[np.ndarray, np.ndarray]:
        """(B, 3, H, W) uint8, or (B, T, 3, H, W) with neighbours -> (B, V, 2) pixels of ``frames``, and (B, V)."""
        return self._decoded(self.network, frames)

    def video(self, reader: VideoReader, *, batch_size: int, keep_images: bool = False) -> Iterator[Detected]:
        """What is found in the frames of ``reader``, batch by batch, in pixels of the video.

        Beyond the ends of the clip, neighbours are the frames at its ends.

        Raises:
            DataError: If the video is damaged; what comes before was yielded.
            SignRecogError: If the device has too little memory.
        """
        import torch

        batches = _batches(reader, self.height, self.width, self.context, batch_size, keep_images)
        with closing(ahead(batches)) as waiting:
            for batch in waiting:
                found, confidence = self._decoded(self.network.run, torch.from_numpy(batch.frames))
                height, width = batch.shape
                affine = to_original(width, height, self.width, self.height)
                points = mapped(found.astype(np.float64), affine)
                yield Detected(points, confidence, batch.timestamps_ms, batch.images)

    def _decoded(self, forward: Callable[["Tensor"], Any], frames: "Tensor") -> tuple[np.ndarray, np.ndarray]:
        import torch

        low = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}.get(self.precision)
        if low is torch.float16 and self.device.type != "cuda":
            low = torch.bfloat16  # as training computed there
        try:
            with torch.inference_mode():
                with torch.autocast(self.device.type, low, enabled=low is not None):
                    outputs = forward(frames.to(self.device))
                outputs = {k: v.float() if v.is_floating_point() else v for k, v in outputs.items()}
                points, confidence = self.network.decode(outputs)
        except torch.OutOfMemoryError as error:
            raise SignRecogError(
                f"{self.device} has too little memory for {len(frames)} pictures at once. Use a smaller batch_size."
            ) from error
        return points.float().cpu().numpy(), confidence.float().cpu().numpy()


def load_network(checkpoint: PoseCheckpoint, build: Callable[..., Any], device: "torch.device") -> Detector:
    """The network that ``checkpoint`` describes with its weights, all of them.

    Args:
        build: A model's settings and what only the data know -> the network.

    Raises:
        CheckpointError: If the weights do not fit the network.
    """
    landmarks = NamedLandmarks.from_json(checkpoint.landmarks)
    # The weights that training began with may be gone, or not be downloadable; the checkpoint has its own.
    settings = {**checkpoint.config["model"], "weights": None}
    network = build(settings, num_landmarks=len(landmarks), height=checkpoint.height, width=checkpoint.width)
    try:
        network.load_state_dict(checkpoint.weights)
    except RuntimeError as error:
        raise CheckpointError(
            f"{checkpoint.path}: its weights do not fit its network ({error}). Use another copy, or train again."
        ) from error
    network = network.to(device).eval().requires_grad_(False)
    precision = checkpoint.config["trainer"]["precision"]
    size = checkpoint.height, checkpoint.width
    return Detector(network, landmarks, *size, checkpoint.context, device, precision)


@dataclass(frozen=True)
class _Batch:
    """Frames for the network, (context + n + context, 3, H, W), and their own height and width before scaling."""

    frames: np.ndarray
    shape: tuple[int, int]
    timestamps_ms: list[int]
    images: list[np.ndarray]


def _batches(
    reader: VideoReader, height: int, width: int, context: int, batch_size: int, keep_images: bool
) -> Iterator[_Batch]:
    """Each frame in the middle part of one batch; batches overlap by their context."""
    held: deque[np.ndarray] = deque()
    timestamps_ms: list[int] = []
    images: list[np.ndarray] = []
    shape = (0, 0)

    def taken(count: int) -> _Batch:
        frames = np.stack([held[i] for i in range(count + 2 * context)])
        batch = _Batch(frames, shape, timestamps_ms[:count], images[:count])
        for _ in range(count):
            held.popleft()
        del timestamps_ms[:count], images[:count]
        return batch

    for frame in reader:
        small = np.ascontiguousarray(scaled(frame.image, height, width).transpose(2, 0, 1))
        if not held:
            shape = (frame.image.shape[0], frame.image.shape[1])
            if keep_images:
                batch_size = max(1, min(batch_size, _IMAGE_BYTES // frame.image.nbytes))
            held.extend([small] * context)
        held.append(small)
        timestamps_ms.append(frame.timestamp_ms)
        images += [frame.image] if keep_images else []
        if len(held) == batch_size + 2 * context:
            yield taken(batch_size)
    held.extend([small] * context)  # a reader without frames has raised
    while timestamps_ms:
        yield taken(min(batch_size, len(timestamps_ms)))


def read_all(detector: Detector, video: Path, *, batch_size: int, **span: Any) -> Detected:
    """What is found in a whole clip; ``span`` as :class:`VideoReader` takes it."""
    parts = list(detector.video(VideoReader(video, **span), batch_size=batch_size))
    return Detected(
        np.concatenate([part.points for part in parts]),
        np.concatenate([part.confidence for part in parts]),
        [time for part in parts for time in part.timestamps_ms],
        [],
    )
