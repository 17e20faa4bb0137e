"""Clips -> windows of frames of one size, decoded by threads ahead of whoever takes them.

PyAV, Pillow and torch let go of Python's lock while they work, so threads decode while a network computes,
and nothing is copied between processes.
"""

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from sign_recog.extractors.jobs import Job, source_meta
from sign_recog.video.reader import Frame, VideoReader
from sign_recog.video.windows import sliding_windows

Item = TypeVar("Item")

_LOOK_S = 0.1  # how often a thread that waits for room looks whether it is still wanted


@dataclass(frozen=True)
class Window:
    """Consecutive frames of a clip.

    Attributes:
        frames: (window, H, W, 3) uint8 RGB.
        timestamp_ms: Of its first frame, from the start of the clip.
    """

    frames: np.ndarray
    timestamp_ms: int


@dataclass(frozen=True)
class End:
    """After a clip's last window: what its file is to say of it, or why it could not be decoded.

    Attributes:
        num_frames: Frames after resampling.
    """

    num_frames: int
    meta: dict[str, Any]
    error: Exception | None = None


def decode_clip(
    job: Job, *, window: int, stride: int, target_fps: float | None, image_size: int
) -> Iterator[Window | End]:
    """Yield the windows of a clip, whose frames are squashed to a square, and then its :class:`End`; raises nothing."""
    num_frames = 0

    def counted(frames: Iterable[Frame]) -> Iterator[Frame]:
        nonlocal num_frames
        for frame in frames:
            num_frames += 1
            yield frame

    try:
        reader = VideoReader(job.video, start_s=job.start_s, end_s=job.end_s, target_fps=target_fps)
        for frames in sliding_windows(_squashed(counted(reader), image_size), window, stride):
            yield Window(np.stack([frame.image for frame in frames]), frames[0].timestamp_ms)
        yield End(num_frames, source_meta(reader))
    except Exception as error:  # whoever takes the windows decides what it means
        yield End(num_frames, {}, error)


def _squashed(frames: Iterable[Frame], size: int) -> Iterator[Frame]:
    """Frames of ``size`` x ``size`` pixels, by the antialiased bilinear filter of torchvision's own transforms."""
    from PIL import Image

    shown, image = None, np.empty(0)
    for frame in frames:
        if frame.image is not shown:  # a frame that resampling repeats is squashed once
            shown = frame.image
            image = np.asarray(Image.fromarray(shown).resize((size, size), Image.Resampling.BILINEAR))
        yield Frame(image, frame.timestamp_ms)


def decoded_ahead(
    jobs: Iterable[Job], decode: Callable[[Job], Iterator[Item]], *, num_threads: int, most_ahead: int
) -> Generator[tuple[Job, Item], None, None]:
    """Yield each job with each item of ``decode(job)``: a job's in their order, those of several jobs mixed.

    Args:
        decode: Raises nothing.
        num_threads: Jobs decoded at a time; 0 = one, in this thread and only when it is asked for.
        most_ahead: Items that may wait to be taken.
    """
    if not num_threads:
        for job in jobs:
            for item in decode(job):
                yield job, item
        return
    todo, lock, stopped = iter(jobs), threading.Lock(), threading.Event()
    ready: queue.Queue[tuple[Job, Item] | None] = queue.Queue(most_ahead)

    def put(entry: tuple[Job, Item] | None) -> None:
        while not stopped.is_set():
            try:
                return ready.put(entry, timeout=_LOOK_S)
            except queue.Full:
                continue

    def serve() -> None:
        try:
            while not stopped.is_set():
                with lock:
                    job = next(todo, None)
                if job is None:
                    break
                for item in decode(job):
                    put((job, item))
                    if stopped.is_set():
                        break
        finally:
            put(None)

    threads = [threading.Thread(target=serve, name=f"decode-{i}", daemon=True) for i in range(num_threads)]
    for thread in threads:
        thread.start()
    try:
        left = num_threads
        while left:
            entry = ready.get()
            if entry is None:
                left -= 1
            else:
                yield entry
    finally:
        stopped.set()
        for thread in threads:
            thread.join()
