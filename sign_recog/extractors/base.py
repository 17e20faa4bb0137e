"""Features of clips by a frozen network: frames -> windows -> batches -> one sequence a clip.

A network is one file with a subclass of :class:`NetworkExtractor` that builds it and feeds it; a network of
single frames has windows of one frame. Windows of several clips share a batch, and the next are decoded
meanwhile.
"""

import copy as copies
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from sign_recog.errors import CheckpointError, ConfigError, DataError
from sign_recog.extractors.ahead import DecodedAhead
from sign_recog.extractors.batches import Batches, Clip, Network
from sign_recog.extractors.decoding import End, Window, decode_clip
from sign_recog.extractors.forward_pass import PRECISIONS, chosen_device, forward_pass
from sign_recog.extractors.jobs import Job
from sign_recog.extractors.reading import Augmentation, Reading
from sign_recog.extractors.weights import content_hash, load_weights
from sign_recog.storage.features import FeatureSequence
from sign_recog.video.transforms import FrameChange

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

RANDOM_WEIGHTS = "random, not pretrained: features mean nothing beyond tests"
_SEED = 0  # of random weights


class NetworkExtractor(ABC):
    """What all frozen networks share; a subclass says what differs.

    The network is loaded with the first clip.

    Args:
        num_frames: Frames of a window, n.
        sampling_rate: Every so many frames one is taken.
        stride: Distance of windows in frames before that sampling: a multiple of ``sampling_rate``.
        window_rule: "even" = frames are resampled to ``target_fps`` first, and the last window ends on the last
            frame; "ssvp_slt" = SSVP-SLT's rule on the video's own frames (:mod:`sign_recog.video.windows`).
        target_fps: Frames a second that windows are meant for; None = the video's own.
        image_size: Pixels of the square that the network sees.
        resize: With framing "centre", pixels that the shorter side is scaled to first; None = ``image_size``.
        framing: "squash" = the whole picture, its shape not kept; "centre" = the middle square; "letterbox" =
            the whole picture with black beside it.
        batch_size: Windows a forward pass. It changes features by float noise alone.
        precision: "32", "bf16" or "fp16"; fp16 features are stored as float16, others as float32.
        device: "auto" = CUDA where there is a GPU, else the CPU; or what torch calls it.
        weights: File of a state dict; None = random weights, the same ones every time.
        compile: Whether torch.compile makes the network faster; it needs a C++ compiler.

    Attributes:
        name: The extractor's name: its module's, unless a subclass sets another.

    Raises:
        ConfigError: If a setting is out of its range.
        CheckpointError: If there is no such file.
    """

    makes: ClassVar[str] = "features"

    def __init__(
        self,
        *,
        num_frames: int,
        sampling_rate: int,
        stride: int,
        window_rule: str,
        target_fps: float | None,
        image_size: int,
        resize: int | None,
        framing: str,
        batch_size: int,
        precision: str | int,
        device: str,
        weights: str | None,
        compile: bool,
    ) -> None:
        self.reading = Reading(num_frames, sampling_rate, stride, window_rule, target_fps, image_size, resize, framing)
        if batch_size < 1:
            raise ConfigError(f"extractor.batch_size={batch_size} must be at least 1 window.")
        if str(precision) not in PRECISIONS:
            raise ConfigError(f"extractor.precision={precision} must be one of {', '.join(PRECISIONS)}.")
        self.name = type(self).__module__.rpartition(".")[2]
        self.batch_size, self.precision, self.device, self.compile = batch_size, str(precision), device, compile
        self.weights = None if weights is None else Path(weights)
        if self.weights is not None and not self.weights.is_file():
            raise CheckpointError(
                f"extractor.weights={weights}: no such file. Give the path of a state dict, or null for random weights."
            )
        self._description: dict[str, Any] | None = None
        self._loaded: dict[torch.device, nn.Module] = {}  # shared with augmented copies

    @abstractmethod
    def version(self) -> str:
        """The library the network comes from, with its version."""

    @abstractmethod
    def build(self) -> "nn.Module":
        """The network without its head, with random weights, on the CPU."""

    @abstractmethod
    def forward(self, network: "nn.Module", frames: "Tensor", num_padding: Sequence[int]) -> "Tensor":
        """(B, n, H, W, 3) uint8 RGB on the network's device -> (B, K, D), K = ``tokens_per_window``.

        Args:
            num_padding: B counts of frames at a window's end that only repeat the clip's last.
        """

    @property
    def tokens_per_window(self) -> int:
        """K: vectors that the network gives of a window, evenly spaced in its time; at most ``num_frames``."""
        return 1

    @property
    def head(self) -> tuple[str, ...]:
        """How the names of weights begin that a file may hold and ``build`` leaves out."""
        return ()

    def options(self) -> dict[str, Any]:
        """What else of a subclass's settings decides the features, as JSON values."""
        return {}

    def load(self, network: "nn.Module", weights: Path) -> None:
        """Give ``network``, as built, its weights; CheckpointError if they are not its own."""
        load_weights(network, weights, self.head)

    def prepare(self, network: "nn.Module") -> "nn.Module":
        """What makes the loaded network faster and leaves what it computes the same."""
        return network

    def weights_description(self) -> str:
        """What the weights are, by their content."""
        return RANDOM_WEIGHTS if self.weights is None else content_hash(self.weights)

    def description(self) -> dict[str, Any]:
        """What decides the features of a given video, float noise aside, as JSON values."""
        if self._description is None:
            self._description = {
                "extractor": self.name,
                "version": self.version(),
                "weights": self.weights_description(),
                "options": self.reading.options() | {"precision": self.precision} | self.options(),
            }
        return self._description

    def augmented(self, copy: int, augmentations: Sequence[FrameChange], seed: int) -> "NetworkExtractor":
        """An extractor like this one, of pictures changed by one draw a clip: that of the clip, ``copy`` and ``seed``.

        The network is shared, so it is loaded once.
        """
        other = copies.copy(self)
        augmentation = Augmentation(copy, tuple(augmentations), seed)
        other.reading = replace(self.reading, augmentation=augmentation)
        other._description = self.description() | {"augmentation": augmentation.description()}  # weights hashed once
        return other

    def torch_device(self) -> "torch.device":
        """Where the network runs.

        Raises:
            ConfigError: If there is no such device.
        """
        return chosen_device(self.device)

    def extract(self, video: Path, start_s: float = 0.0, end_s: float | None = None) -> FeatureSequence:
        """Return the features of ``[start_s, end_s)`` of ``video``.

        Raises:
            DataError: If the video cannot be read (see :class:`VideoReader`).
            SignRecogError: If the network cannot be loaded.
        """
        ((_, result),) = self.sequences([Job(video.stem, video, start_s, end_s)], num_workers=0)
        if isinstance(result, Exception):
            raise result
        return result

    def sequences(
        self, jobs: Iterable[Job], *, num_workers: int
    ) -> Generator[tuple[Job, FeatureSequence | Exception], None, None]:
        """Yield each clip's features, or why there are none, in the order they are done.

        Args:
            jobs: One is taken when it can be begun at once.
            num_workers: Processes that decode clips ahead of the network; 0 = they are decoded in this one.

        Raises:
            SignRecogError: If the network cannot be loaded, a batch is too large for the device, memory that
                processes share is short, or worker after worker dies.
        """
        todo = iter(jobs)
        first = next(todo, None)
        if first is None:
            return  # nothing to load the network for
        shape = (self.reading.num_frames, self.reading.image_size, self.reading.image_size, 3)
        device = self.torch_device()
        decode = partial(decode_clip, reading=self.reading)
        ahead = DecodedAhead(
            decode,
            shape,
            num_workers=num_workers,
            num_windows=self.batch_size + num_workers,
            polite=device.type == "cpu",
        )
        # The workers of ``ahead`` start while the network is loaded.
        with closing(ahead), closing(Batches(self._network(device), shape, self.batch_size, device)) as batches:
            for job, item in ahead.items(chain([first], todo)):
                if isinstance(item, Window):
                    batches.add(job, item)
                else:
                    batches.end(job, item)
                yield from self._finished(batches)
            batches.flush()
            yield from self._finished(batches)

    def _finished(self, batches: Batches) -> Iterator[tuple[Job, FeatureSequence | Exception]]:
        for clip, end in batches.finished():
            yield clip.job, end.error or self._sequence(clip, end)

    def _sequence(self, clip: Clip, end: End) -> FeatureSequence | DataError:
        features = np.concatenate(clip.features)
        if not np.isfinite(features).all():
            return DataError(
                f"{clip.job.video}: its features are not finite in precision {self.precision}. "
                "Use extractor.precision=32."
            )
        reading = self.reading
        own = {
            "extractor": self.name,
            "extraction": self.description(),
            "num_frames": reading.num_frames,
            "sampling_rate": reading.sampling_rate,
            "stride": reading.stride,
            "window_rule": reading.window_rule,
            "tokens_per_window": self.tokens_per_window,
            "num_windows": clip.num_windows,
            "num_padding": clip.num_padding,
            "num_clip_frames": end.num_frames,
            "weights_file": None if self.weights is None else self.weights.name,
        }
        return FeatureSequence(features, np.array(clip.timestamps_ms, dtype=np.int64), end.meta | own)

    def _network(self, device: "torch.device") -> Network:
        if device not in self._loaded:
            import torch

            from sign_recog import torchvision_operators

            torchvision_operators.declare_missing()
            with torch.random.fork_rng(devices=[]):
                torch.default_generator.manual_seed(_SEED)
                network = self.build()
            if self.weights is not None:
                self.load(network, self.weights)
            network = self.prepare(network.eval().requires_grad_(False)).to(device)
            compiled: Any = torch.compile(network) if self.compile else network
            self._loaded[device] = compiled
        return partial(self._features, self._loaded[device])

    def _features(self, network: "nn.Module", frames: "Tensor", num_padding: Sequence[int]) -> "Tensor":
        """(B, n, H, W, 3) uint8 on the device -> (B, K, D); on a GPU they may still be being computed."""
        missing = self.batch_size - len(frames) if self.compile else 0
        if missing:  # the last batch, for which torch would compile the network once more
            import torch

            frames = torch.cat([frames, frames.new_zeros((missing, *frames.shape[1:]))])
        with forward_pass(frames.device, self.precision, name=self.name, batch_size=self.batch_size):
            features = self.forward(network, frames, [*num_padding, *([0] * missing)])[: len(num_padding)]
        if features.shape[:2] != (len(num_padding), self.tokens_per_window):
            raise ValueError(
                f"{self.name} gave {tuple(features.shape)}, not ({len(num_padding)}, tokens_per_window, D)"
            )
        return features.half() if self.precision == "fp16" else features.float()
