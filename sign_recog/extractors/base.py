"""Features of clips by a frozen network: frames -> windows -> batches -> one sequence a clip.

A network is one file with a subclass of :class:`NetworkExtractor` that builds it and feeds it; a network of
single frames has windows of one frame. Windows of several clips share a batch, and the next are decoded
meanwhile.
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from sign_recog.errors import CheckpointError, ConfigError, DataError, SignRecogError
from sign_recog.extractors.decoding import End, Window, decode_clip, decoded_ahead
from sign_recog.extractors.jobs import Job
from sign_recog.extractors.weights import content_hash, load_weights
from sign_recog.storage.features import FeatureSequence

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

RANDOM_WEIGHTS = "random, not pretrained: features mean nothing beyond tests"
_PRECISIONS = ("32", "bf16", "fp16")
_SEED = 0  # of random weights


@dataclass
class _Clip:
    """A clip of which some windows are decoded, and fewer are computed."""

    job: Job
    num_windows: int = 0
    end: End | None = None
    features: list[np.ndarray] = field(default_factory=list)
    timestamps_ms: list[int] = field(default_factory=list)


class NetworkExtractor(ABC):
    """What all frozen networks share; a subclass says what differs.

    The network is loaded with the first clip.

    Args:
        window, stride: In frames after resampling; 1 and 1 = every frame by itself.
        image_size: Pixels of the square that a frame is squashed to.
        target_fps: Resample to this rate first, up or down; None = every frame of the video.
        batch_size: Windows a forward pass. It changes features by float noise alone.
        precision: "32", "bf16" or "fp16"; fp16 features are stored as float16, others as float32.
        device: "auto" = CUDA where there is a GPU, else the CPU; or what torch calls it.
        weights: File of a state dict; None = random weights, the same ones every time.

    Raises:
        ConfigError: If a setting is out of its range.
        CheckpointError: If there is no such file.
    """

    makes: ClassVar[str] = "features"

    def __init__(
        self,
        *,
        window: int,
        stride: int,
        image_size: int,
        target_fps: float | None,
        batch_size: int,
        precision: str | int,
        device: str,
        weights: str | None,
    ) -> None:
        if window < 1 or not 1 <= stride <= window:
            raise ConfigError(
                f"extractor.stride={stride} must be in 1..extractor.window={window}: frames between windows would be "
                "skipped. Use a stride of at most the window."
            )
        if target_fps is not None and not target_fps > 0:
            raise ConfigError(f"extractor.target_fps={target_fps} must be above 0, or null for the video's own.")
        if batch_size < 1:
            raise ConfigError(f"extractor.batch_size={batch_size} must be at least 1 window.")
        if str(precision) not in _PRECISIONS:
            raise ConfigError(f"extractor.precision={precision} must be one of {', '.join(_PRECISIONS)}.")
        self.window, self.stride, self.image_size, self.target_fps = window, stride, image_size, target_fps
        self.batch_size, self.precision, self.device = batch_size, str(precision), device
        self.weights = None if weights is None else Path(weights)
        if self.weights is not None and not self.weights.is_file():
            raise CheckpointError(
                f"extractor.weights={weights}: no such file. Give the path of a state dict, or null for random weights."
            )
        self._description: dict[str, Any] | None = None
        self._loaded: tuple[nn.Module, torch.device] | None = None

    @abstractmethod
    def version(self) -> str:
        """The library the network comes from, with its version."""

    @abstractmethod
    def build(self) -> "nn.Module":
        """The network without its head, with random weights, on the CPU."""

    @abstractmethod
    def forward(self, network: "nn.Module", frames: "Tensor") -> "Tensor":
        """(B, window, H, W, 3) uint8 RGB on the network's device -> (B, D)."""

    @property
    def head(self) -> tuple[str, ...]:
        """How the names of weights begin that a file may hold and ``build`` leaves out."""
        return ()

    def prepare(self, network: "nn.Module") -> "nn.Module":
        """What makes the loaded network faster and leaves what it computes the same."""
        return network

    @property
    def name(self) -> str:
        """The extractor's name: its module's."""
        return type(self).__module__.rpartition(".")[2]

    def description(self) -> dict[str, Any]:
        """What decides the features of a given video, float noise aside, as JSON values."""
        if self._description is None:
            self._description = {
                "extractor": self.name,
                "version": self.version(),
                "weights": RANDOM_WEIGHTS if self.weights is None else content_hash(self.weights),
                "options": {
                    "window": self.window,
                    "stride": self.stride,
                    "image_size": self.image_size,
                    "target_fps": self.target_fps,
                    "precision": self.precision,
                },
            }
        return self._description

    def torch_device(self) -> "torch.device":
        """Where the network runs.

        Raises:
            ConfigError: If there is no such device.
        """
        import torch

        if self.device == "auto":
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
        try:
            device = torch.device(self.device)
            torch.empty(0, device=device)
        except (RuntimeError, AssertionError) as error:  # AssertionError: a build of torch without CUDA
            reason = str(error).splitlines()[0]
            raise ConfigError(f"extractor.device={self.device} cannot be used ({reason}). Use auto or cpu.") from error
        return device

    def extract(self, video: Path, start_s: float = 0.0, end_s: float | None = None) -> FeatureSequence:
        """Return the features of ``[start_s, end_s)`` of ``video``.

        Raises:
            DataError: If the video cannot be read (see :class:`VideoReader`).
            SignRecogError: If the network cannot be loaded.
        """
        ((_, result),) = self.sequences([Job(video.stem, video, start_s, end_s)], num_threads=0)
        if isinstance(result, Exception):
            raise result
        return result

    def sequences(
        self, jobs: Iterable[Job], *, num_threads: int
    ) -> Generator[tuple[Job, FeatureSequence | Exception], None, None]:
        """Yield each clip's features, or why there are none, in the order they are done.

        Args:
            num_threads: Clips decoded at a time, ahead of the network; 0 = none, they wait for one another.

        Raises:
            SignRecogError: If the network cannot be loaded, or a batch is too large for the device.
        """
        network, device = self._load()
        frames: dict[str, Any] = {"target_fps": self.target_fps, "image_size": self.image_size}
        decode = partial(decode_clip, window=self.window, stride=self.stride, **frames)
        clips: dict[str, _Clip] = {}
        batch: list[tuple[_Clip, Window]] = []
        launched: deque[tuple[list[tuple[_Clip, Window]], Tensor]] = deque()

        def compute(keep: int) -> Iterator[tuple[Job, FeatureSequence | Exception]]:
            """Start on the batch, and take the results of all but ``keep`` batches."""
            if batch:
                launched.append((list(batch), self._launch(network, device, [window for _, window in batch])))
                batch.clear()
            while len(launched) > keep:
                _take(*launched.popleft())
            yield from self._completed(clips)

        with closing(decoded_ahead(jobs, decode, num_threads=num_threads, most_ahead=2 * self.batch_size)) as decoded:
            for job, item in decoded:
                clip = clips.setdefault(job.clip_id, _Clip(job))
                if isinstance(item, End):
                    clip.end = item
                    yield from self._completed(clips)
                    continue
                clip.num_windows += 1
                batch.append((clip, item))
                if len(batch) == self.batch_size:
                    yield from compute(keep=1)  # a GPU works on it while the next is put together
            yield from compute(keep=0)

    def _completed(self, clips: dict[str, _Clip]) -> Iterator[tuple[Job, FeatureSequence | Exception]]:
        for clip_id, clip in list(clips.items()):
            if clip.end is None or (clip.end.error is None and len(clip.features) < clip.num_windows):
                continue
            del clips[clip_id]
            yield clip.job, clip.end.error or self._sequence(clip, clip.end)

    def _sequence(self, clip: _Clip, end: End) -> FeatureSequence | DataError:
        features = np.stack(clip.features)
        if not np.isfinite(features).all():
            return DataError(
                f"{clip.job.video}: its features are not finite in precision {self.precision}. "
                "Use extractor.precision=32."
            )
        own = {
            "extractor": self.name,
            "extraction": self.description(),
            "window": self.window,
            "stride": self.stride,
            "num_frames": end.num_frames,
            "weights_file": None if self.weights is None else self.weights.name,
        }
        return FeatureSequence(features, np.array(clip.timestamps_ms, dtype=np.int64), end.meta | own)

    def _load(self) -> tuple["nn.Module", "torch.device"]:
        if self._loaded is None:
            import torch

            from sign_recog import torchvision_operators

            device = self.torch_device()
            torchvision_operators.declare_missing()
            with torch.random.fork_rng(devices=[]):
                torch.default_generator.manual_seed(_SEED)
                network = self.build()
            if self.weights is not None:
                load_weights(network, self.weights, self.head)
            self._loaded = self.prepare(network.eval().requires_grad_(False)).to(device), device
        return self._loaded

    def _launch(self, network: "nn.Module", device: "torch.device", windows: list[Window]) -> "Tensor":
        """(B, D) features; on a GPU they may still be being computed."""
        import torch

        frames = torch.from_numpy(np.stack([window.frames for window in windows]))
        if device.type == "cuda":
            frames = frames.pin_memory()
        low = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(self.precision)
        try:
            with torch.inference_mode(), _exact_float32(), torch.autocast(device.type, low, enabled=low is not None):
                features = self.forward(network, frames.to(device, non_blocking=True))
        except torch.OutOfMemoryError as error:
            raise SignRecogError(
                f"extractor.batch_size={self.batch_size}: {device} has not enough memory. Use a smaller one."
            ) from error
        return features.to(torch.float16 if self.precision == "fp16" else torch.float32)


def _take(batch: list[tuple[_Clip, Window]], features: "Tensor") -> None:
    """Give each clip of a batch its features; they are read from the device once."""
    for (clip, window), row in zip(batch, features.cpu().numpy(), strict=True):
        clip.features.append(row)
        clip.timestamps_ms.append(window.timestamp_ms)


@contextmanager
def _exact_float32() -> Iterator[None]:
    """Let cuDNN compute float32 convolutions in float32: TF32, its default, has a mantissa of 10 bits."""
    import torch

    convolutions: Any = torch.backends.cudnn.conv  # type: ignore[attr-defined]
    before, convolutions.fp32_precision = convolutions.fp32_precision, "ieee"
    try:
        yield
    finally:
        convolutions.fp32_precision = before
