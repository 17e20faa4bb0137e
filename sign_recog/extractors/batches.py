"""Windows of any clips -> batches -> each clip's features, computed in a thread while the next batch is put together.

Torch lets go of Python's lock while it computes, so this process meanwhile takes decoded windows, hands out clips
and writes files. As many batches exist as are needed for that, whatever the clips' length.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from sign_recog.extractors.ahead import Again
from sign_recog.extractors.decoding import End, Window
from sign_recog.extractors.jobs import Job

if TYPE_CHECKING:
    import torch
    from torch import Tensor

# (B, n, H, W, 3) uint8 on the device and the padding of each window -> (B, K, D)
Network = Callable[["Tensor", Sequence[int]], "Tensor"]


@dataclass
class Clip:
    """A clip of which some windows are decoded, and fewer are computed.

    Attributes:
        features: Of each window computed, in their order: (tokens, D), without those of padding.
        timestamps_ms: Of each token's first frame.
    """

    job: Job
    num_windows: int = 0
    num_padding: int = 0
    end: End | None = None
    features: list[np.ndarray] = field(default_factory=list)
    timestamps_ms: list[int] = field(default_factory=list)


class _Batch:
    """Room for a batch, and whose windows are in it."""

    def __init__(self, shape: tuple[int, ...], size: int, device: "torch.device") -> None:
        import torch

        self.device = device
        self.frames = torch.empty((size, *shape), dtype=torch.uint8, pin_memory=device.type == "cuda")
        self.rows = self.frames.numpy()
        self.windows: list[tuple[Clip, Window]] = []
        self.features: Future[tuple[Tensor, Any]] | None = None

    def start(self, network: Network) -> "tuple[Tensor, Any]":
        """Features, and what tells when they are computed; None = they are."""
        import torch

        count = len(self.windows)
        with torch.inference_mode():
            frames = self.frames[:count].to(self.device, non_blocking=True)
        features = network(frames, [window.num_padding for _, window in self.windows])
        if self.device.type != "cuda":
            return features, None
        done = torch.cuda.Event()
        done.record(torch.cuda.current_stream(self.device))
        return features, done

    def is_done(self) -> bool:
        """Whether :meth:`take` would not wait."""
        if self.features is None or not self.features.done():
            return False
        done = self.features.result()[1]
        return done is None or done.query()

    def take(self) -> None:
        """Wait for the features, and give each clip its own."""
        assert self.features is not None
        features, self.features = self.features.result()[0], None
        for (clip, window), tokens in zip(self.windows, features.cpu().numpy(), strict=True):
            num_tokens, num_frames = len(tokens), len(window.timestamps_ms)
            kept = num_tokens - window.num_padding * num_tokens // num_frames
            clip.features.append(tokens[:kept].copy())  # a view would keep the whole batch
            clip.timestamps_ms += [window.timestamps_ms[token * num_frames // num_tokens] for token in range(kept)]
            clip.num_padding += window.num_padding
        self.windows.clear()


class Batches:
    """Takes windows, and gives back clips.

    Args:
        shape: Of a window.
    """

    def __init__(self, network: Network, shape: tuple[int, ...], size: int, device: "torch.device") -> None:
        # One is filled while one is computed; a GPU has the next waiting, so that it need not wait for Python.
        number = 3 if device.type == "cuda" else 2
        self._network, self._size = network, size
        self._free = [_Batch(shape, size, device) for _ in range(number)]
        self._filled = self._free.pop()
        self._running: deque[_Batch] = deque()
        self._clips: dict[str, Clip] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="network")

    def add(self, job: Job, window: Window) -> None:
        """Copy a clip's next window into the batch, and start on it when it is full; may wait for another."""
        clip = self._clips.setdefault(job.clip_id, Clip(job))
        clip.num_windows += 1
        batch = self._filled
        window.write(batch.rows[len(batch.windows)])
        batch.windows.append((clip, Window((), window.num_padding, window.timestamps_ms)))
        if len(batch.windows) == self._size:
            self._start()
            self._filled = self._free.pop() if self._free else self._taken()

    def end(self, job: Job, end: End | Again) -> None:
        """No more windows come of a clip, or what came is void."""
        if isinstance(end, Again):
            self._clips.pop(job.clip_id, None)  # what of it is being computed goes nowhere
        else:
            self._clips.setdefault(job.clip_id, Clip(job)).end = end

    def flush(self) -> None:
        """Compute what is left, and wait for all."""
        if self._filled.windows:
            self._start()
            self._filled = self._free.pop() if self._free else self._taken()
        while self._running:
            self._free.append(self._taken())

    def finished(self) -> Iterator[tuple[Clip, End]]:
        """Yield the clips whose windows are all computed, or that ended in an error; they are forgotten."""
        while self._running and self._running[0].is_done():
            self._free.append(self._taken())
        for clip_id, clip in list(self._clips.items()):
            if clip.end is not None and (clip.end.error is not None or len(clip.features) == clip.num_windows):
                del self._clips[clip_id]
                yield clip, clip.end

    def close(self) -> None:
        """Wait for the batch that is being computed, and give up the others."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _start(self) -> None:
        self._filled.features = self._thread.submit(self._filled.start, self._network)
        self._running.append(self._filled)

    def _taken(self) -> _Batch:
        """The oldest batch in work, once its features are with their clips."""
        batch = self._running.popleft()
        batch.take()
        return batch
