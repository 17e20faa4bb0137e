"""Frames of a video, one at a time, as a player would show them.

Upright (the rotation that phones write is applied), with square pixels, RGB. A video is never held
in memory as a whole, and decoding uses one thread: worker processes are what scales.

A damaged or truncated file is an error, not a shorter clip.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sign_recog.errors import DataError
from sign_recog.video.container import (
    CANNOT_SEEK,
    REMEDY,
    Converter,
    VideoInfo,
    duration_of,
    missing_at_end,
    no_frame,
    opened,
    read_info,
    seconds,
)
from sign_recog.video.resampling import TOLERANCE, resampled

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream


class Frame(NamedTuple):
    """One picture of a clip.

    Attributes:
        image: (H, W, 3) uint8 RGB. A repeated frame is the same array: do not write into it.
        timestamp_ms: From the clip's first frame, which is 0.
    """

    image: np.ndarray
    timestamp_ms: int


def probe(path: Path) -> VideoInfo:
    """Read a video's header and first frame.

    Raises:
        DataError: If the file is missing, empty, no video, or its first frame cannot be decoded.
    """
    return VideoReader(path).info


def read_frames(
    path: Path, *, start_s: float = 0.0, end_s: float | None = None, target_fps: float | None = None
) -> Iterator[Frame]:
    """Yield the frames of ``[start_s, end_s)``; see :class:`VideoReader`."""
    return iter(VideoReader(path, start_s=start_s, end_s=end_s, target_fps=target_fps))


class VideoReader:
    """An iterable over the frames of ``[start_s, end_s)`` of a video.

    A frame belongs to the clip by its presentation time, counted from the video's first; both bounds
    have a quarter of a frame of tolerance, so bounds that were frame numbers divided by the fps give
    exactly those frames. ``end_s`` None, or one after the video's end, is the video's end.

    With ``target_fps`` the clip is resampled: output k stands at k / target_fps after the first frame
    and shows the frame a player would show then, so frames are dropped or repeated (see
    :func:`~sign_recog.video.resampling.resampled`). Without it every frame comes with its own time.

    Attributes:
        info: The header.
        num_decoded: Frames of the clip decoded so far, before resampling.

    Raises:
        DataError: On opening, if the file is missing, empty or no video. On iterating, if no frame lies in
            the span, or the file is damaged or ends clearly before what its header says.
    """

    def __init__(
        self, path: Path, *, start_s: float = 0.0, end_s: float | None = None, target_fps: float | None = None
    ) -> None:
        self.path, self.start_s, self.end_s, self.target_fps = path, start_s, end_s, target_fps
        self.num_decoded = 0
        with opened(path) as (container, stream):
            self.info, self._first_pts = read_info(path, container, stream)
        self._interval_s = 1.0 / self.info.fps

    def __iter__(self) -> Iterator[Frame]:
        self.num_decoded = 0
        timed = self.timed_frames()
        if self.target_fps is not None:
            timed = resampled(timed, self.target_fps, self._interval_s)
        shown, image = None, np.empty(0)
        for (frame, convert), time_s in timed:
            if frame is not shown:
                shown, image = frame, convert(frame)
            yield Frame(image, round(time_s * 1000))

    def timed_frames(self) -> Iterator[tuple[tuple["VideoFrame", "Converter"], float]]:
        """The clip's frames with what makes pictures of them, and their times in seconds, the first at 0."""
        tolerance = TOLERANCE * self._interval_s
        end_s = float("inf") if self.end_s is None else self.end_s - tolerance
        first_s, video_ends_s = None, 0.0
        with _opened_at(self.path, self.start_s, self._first_pts) as (container, stream):
            convert = Converter(stream)
            for frame, time_s, frame_ends_s in self._decoded(container, stream):
                if time_s >= end_s:
                    break
                video_ends_s = frame_ends_s
                if time_s < self.start_s - tolerance:
                    continue
                first_s = time_s if first_s is None else first_s
                self.num_decoded += 1
                yield (frame, convert), time_s - first_s
            else:
                self._check_reached_end(container, stream, video_ends_s)
        if first_s is None:
            raise no_frame(self.path, self.start_s, self.end_s, self.info.duration_s)

    def _decoded(
        self, container: "InputContainer", stream: "VideoStream"
    ) -> Iterator[tuple["VideoFrame", float, float]]:
        """Frames from where the container stands, with the times where each begins and ends."""
        import av

        time_s = -self._interval_s
        try:
            for frame in container.decode(stream):
                before_s = time_s
                if frame.pts is not None:
                    time_s = seconds(frame.pts - self._first_pts, stream)
                if frame.pts is None or (time_s <= before_s and frame.dts is None):
                    time_s = before_s + self._interval_s  # the container says nothing of this frame (AVI, MPEG)
                elif time_s <= before_s:
                    time_s = before_s + self._interval_s / 2  # two frames for one time: both are kept, in order
                lasts_s = seconds(frame.duration, stream) if frame.duration else self._interval_s
                yield frame, time_s, time_s + lasts_s
        except av.FFmpegError as error:
            raise DataError(
                f"{self.path}: damaged after frame {self.num_decoded} of the clip ({error.strerror}). {REMEDY}"
            ) from error

    def _check_reached_end(self, container: "InputContainer", stream: "VideoStream", ends_s: float) -> None:
        expected_s = duration_of(container, stream)
        if self.end_s is not None:
            expected_s = min(expected_s, self.end_s)
        if missing_at_end(ends_s, expected_s, self._interval_s) and self.start_s < expected_s:
            raise DataError(
                f"{self.path}: truncated after frame {self.num_decoded} of the clip: its frames end at {ends_s:.2f} s, "
                f"its header says {expected_s:.2f} s. {REMEDY}"
            )


@contextmanager
def _opened_at(path: Path, start_s: float, first_pts: int) -> Iterator[tuple["InputContainer", "VideoStream"]]:
    """Open at a keyframe that is shown at or before ``start_s`` if that can be found, else at the first frame."""
    if start_s > 0:
        with opened(path) as (container, stream):
            if container.format.name not in CANNOT_SEEK and _seek(container, stream, start_s, first_pts):
                yield container, stream
                return
    with opened(path) as (container, stream):
        yield container, stream


def _seek(container: "InputContainer", stream: "VideoStream", start_s: float, first_pts: int) -> bool:
    """Go to a keyframe at or before ``start_s``; False = the container cannot.

    Containers search by decoding time, which B-frames set apart from the time of showing, and some
    land late; so the frame found is looked at before it is trusted.
    """
    import av

    target = first_pts + int(start_s / seconds(1, stream))
    try:
        container.seek(target, stream=stream)
        found = next(container.decode(stream), None)
        if found is None or found.pts is None or found.pts > target:
            return False
        container.seek(target, stream=stream)
    except av.FFmpegError:
        return False
    return True
