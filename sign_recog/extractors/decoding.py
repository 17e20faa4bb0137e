"""One clip -> windows of pictures of one size.

A picture is made of frames that windows take and of no other, and at once of the size that the network sees.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from sign_recog.errors import DataError, SignRecogError
from sign_recog.extractors.jobs import Job, source_meta
from sign_recog.extractors.reading import Reading
from sign_recog.video.framing import Framing
from sign_recog.video.reader import VideoReader
from sign_recog.video.resampling import resampled
from sign_recog.video.windows import FrameWindow, even_windows, ssvp_slt_windows

Item = TypeVar("Item")


@dataclass(frozen=True)
class Window:
    """Frames of a clip that the network sees at once.

    Attributes:
        frames: n pictures (H, W, 3) uint8 RGB.
        num_padding: How many at the end only repeat the clip's last frame.
        timestamps_ms: Of each, from the start of the clip.
    """

    frames: Sequence[np.ndarray] | np.ndarray
    num_padding: int
    timestamps_ms: list[int]

    def write(self, pictures: np.ndarray) -> None:
        """Copy the frames into ``pictures`` (n, H, W, 3)."""
        for picture, frame in zip(pictures, self.frames, strict=True):
            picture[:] = frame


@dataclass(frozen=True)
class End:
    """After a clip's last window: what its file is to say of it, or why it could not be decoded.

    Attributes:
        num_frames: Frames that windows were laid over: after resampling, before ``sampling_rate``.
    """

    num_frames: int
    meta: dict[str, Any]
    error: Exception | None = None


def decode_clip(job: Job, reading: Reading) -> Iterator[Window | End]:
    """Yield the windows of a clip, and then its :class:`End`; raises nothing, and every error can be pickled."""
    num_frames = 0

    def counted(timed: Iterable[Item]) -> Iterator[Item]:
        nonlocal num_frames
        for item in timed:
            num_frames += 1
            yield item

    try:
        own_fps = reading.window_rule != "even"
        target_fps = None if own_fps else reading.target_fps
        reader = VideoReader(job.video, start_s=job.start_s, end_s=job.end_s, target_fps=target_fps)
        pictures, rule = _Pictures(job.clip_id, reading), (reading.num_frames, reading.sampling_rate)
        timed: Iterator[Any] = reader.timed_frames()
        windows: Iterator[FrameWindow[np.ndarray]]
        if own_fps:
            fps = reader.info.fps
            windows = ssvp_slt_windows(
                counted(timed),
                pictures,
                num_frames=rule[0],
                sampling_rate=rule[1],
                fps=fps,
                target_fps=reading.target_fps or fps,
            )
        else:
            if target_fps is not None:
                timed = resampled(timed, target_fps, 1 / reader.info.fps)
            windows = even_windows(
                counted(timed), pictures, num_frames=rule[0], sampling_rate=rule[1], stride=reading.stride
            )
        for window in windows:
            times = [round(1000 * time_s) for time_s in window.times_s]
            yield Window(pictures.changed(window.frames), window.num_padding, times)
        yield End(num_frames, source_meta(reader))
    except SignRecogError as error:  # whoever takes the windows decides what it means
        yield End(num_frames, {}, error)
    except Exception as error:
        reason = f"{job.video}: cannot be decoded ({type(error).__name__}: {error})."
        yield End(num_frames, {}, DataError(reason))


class _Pictures:
    """Decoded frames of a clip -> what the network sees of them; one that repeats is made once."""

    def __init__(self, clip_id: str, reading: Reading) -> None:
        self._clip_id, self._reading = clip_id, reading
        self._framings: dict[tuple[int, int], Framing] = {}
        self._shown: Any = None
        self._picture = np.empty(0)
        augmentation = reading.augmentation
        self._changes = augmentation if augmentation is not None and augmentation.changes_pixels(clip_id) else None

    def __call__(self, decoded: Any) -> np.ndarray:
        frame, convert = decoded
        if frame is not self._shown:
            image = convert(frame)
            height, width = image.shape[:2]
            if (height, width) not in self._framings:
                self._framings[height, width] = self._reading.framed(height, width, self._clip_id)
            self._shown, self._picture = frame, self._framings[height, width].square(image)
        return self._picture

    def changed(self, frames: list[np.ndarray]) -> Sequence[np.ndarray] | np.ndarray:
        """The frames of a window as the clip's augmentation leaves them."""
        return frames if self._changes is None else self._changes.changed(np.stack(frames), self._clip_id)
