"""An opened video file: its header, what makes pictures of its frames, and how errors are told.

What :mod:`sign_recog.video.reader`, :mod:`sign_recog.video.frame_index` and :mod:`sign_recog.video.chosen` share.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sign_recog.errors import DataError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

# A clip may end this many frames, or this share, before what the header says; beyond it, it is truncated.
_MISSING_FRAMES, _MISSING_SHARE = 2.5, 0.02
_SQUARE = 0.01  # pixels this close to square are left alone, since resizing by a pixel only blurs
# FFmpeg's names of containers in which times are wrong after a seek: in MPEG program streams they were off
# by the B-frames (FFmpeg 8), so these are decoded from their first frame.
CANNOT_SEEK = ("mpeg",)
REMEDY = "Copy or convert the video again, or leave the clip out."


@dataclass(frozen=True)
class VideoInfo:
    """What a video's header says.

    Attributes:
        width, height: Pixels as shown, after rotation and with square pixels.
        fps: Frames a second on average; the distances between frames may vary.
        num_frames_estimate: From the header, or from duration and fps; only decoding counts exactly.
        duration_s: 0 where the header does not say.
        codec: FFmpeg's name of the decoder.
    """

    width: int
    height: int
    fps: float
    num_frames_estimate: int
    duration_s: float
    codec: str


@contextmanager
def opened(path: Path) -> Iterator[tuple["InputContainer", "VideoStream"]]:
    """Open a file at its first frame, to be decoded with one thread.

    Raises:
        DataError: If the file is missing, empty or no video.
    """
    import av

    if not path.is_file():
        what = "is a folder, not a video" if path.is_dir() else "no such video"
        raise DataError(f"{path}: {what}. Check the manifest's video column and the video folder.")
    if path.stat().st_size == 0:
        raise DataError(f"{path}: is empty (0 bytes). {REMEDY}")
    try:
        container = av.open(str(path))
    except (av.FFmpegError, IndexError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: is not a video, or its header is cut off ({reason}). {REMEDY}") from error
    with container:
        stream = container.streams.best("video")
        if not isinstance(stream, av.VideoStream) or stream.codec_context is None:
            raise DataError(f"{path}: holds no video that FFmpeg can decode. {REMEDY}")
        stream.codec_context.thread_count = 1
        yield container, stream


def missing_at_end(ends_s: float, expected_s: float, interval_s: float) -> bool:
    """Whether frames that end at ``ends_s`` end clearly before ``expected_s``."""
    return ends_s < expected_s - max(_MISSING_FRAMES * interval_s, _MISSING_SHARE * expected_s)


def no_frame(path: Path, start_s: float, end_s: float | None, duration_s: float) -> DataError:
    """The error of a span that holds no frame."""
    span = f"[{start_s:g}, {'end' if end_s is None else format(end_s, 'g')}) s"
    return DataError(
        f"{path}: no frame lies in {span}; the video is {duration_s:.2f} s long. Correct the clip's start_s and end_s."
    )


def read_info(path: Path, container: "InputContainer", stream: "VideoStream") -> tuple[VideoInfo, int]:
    """The header, and the time stamp of the first frame (some containers do not start at 0)."""
    import av

    fps = float(stream.average_rate or stream.guessed_rate or 0)
    if fps <= 0:
        raise DataError(f"{path}: its header gives no frame rate. {REMEDY}")
    duration_s = duration_of(container, stream)
    try:
        first = next(container.decode(stream))
        height, width, _ = Converter(stream)(first).shape
    except (StopIteration, av.FFmpegError) as error:
        raise DataError(f"{path}: its first frame cannot be decoded. {REMEDY}") from error
    num_frames = stream.frames or round(duration_s * fps)
    return VideoInfo(width, height, fps, num_frames, duration_s, stream.codec_context.name), first.pts or 0


def duration_of(container: "InputContainer", stream: "VideoStream") -> float:
    """How long the header says the video stream is; 0 = it does not say."""
    if stream.duration:
        return seconds(stream.duration, stream)
    if "DURATION" in stream.metadata:  # Matroska, written by FFmpeg: "00:01:02.500000000"
        hours, minutes, rest_s = stream.metadata["DURATION"].split(":")
        ends_s = int(hours) * 3600 + int(minutes) * 60 + float(rest_s)
        return ends_s - seconds(stream.start_time or 0, stream)
    if len(container.streams) == 1 and container.duration:
        return container.duration / 1_000_000  # AV_TIME_BASE
    return 0.0


def seconds(ticks: int, stream: "VideoStream") -> float:
    """A time stamp of the stream, in seconds."""
    return float(ticks * (stream.time_base or 1))


class Converter:
    """Decoded frame -> (H, W, 3) uint8 RGB, upright, with square pixels. Keeps swscale's state between frames."""

    def __init__(self, stream: "VideoStream") -> None:
        from av.video.reformatter import VideoReformatter

        self._pixel_aspect = float(stream.sample_aspect_ratio or 1)
        if abs(self._pixel_aspect - 1) < _SQUARE:
            self._pixel_aspect = 1.0
        self._reformatter = VideoReformatter()

    def __call__(self, frame: "VideoFrame") -> np.ndarray:
        width = round(frame.width * max(1.0, self._pixel_aspect))
        height = round(frame.height * max(1.0, 1 / self._pixel_aspect))
        rgb = self._reformatter.reformat(frame, width=width, height=height, format="rgb24").to_ndarray()
        quarter_turns = round(frame.rotation / 90) % 4  # FFmpeg's display matrix, counter-clockwise
        return np.ascontiguousarray(np.rot90(rgb, quarter_turns)) if quarter_turns else rgb
