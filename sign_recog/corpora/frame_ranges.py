"""Ranges of frame numbers -> spans in seconds that hold exactly those frames, at any frame rate.

The times are those of the file's own packets, so nothing is decoded and a varying frame rate changes nothing.
"""

from dataclasses import dataclass

from sign_recog.video.frame_index import FrameIndex
from sign_recog.video.resampling import TOLERANCE

# By so many frames, or this share, a video that was cut to its range may be longer or shorter than the range.
_CUT_FRAMES, _CUT_SHARE = 2, 0.25


@dataclass(frozen=True)
class Span:
    """Frames of a video.

    Attributes:
        start_s, end_s: For :class:`sign_recog.video.reader.VideoReader`; ``end_s`` None = to the end.
        num_frames: How many lie between them.
        note: What is not as annotated; empty = nothing.
    """

    start_s: float
    end_s: float | None
    num_frames: int
    note: str = ""


class OutOfVideo(ValueError):
    """A range has no frame in its video."""


def range_to_span(index: FrameIndex, first: int, last: int) -> Span:
    """Return the span of the frames ``first`` to ``last`` (from 1, both included; ``last`` -1 = the video's last).

    A range that ends behind the video ends with it. If the video's length is rather that of the range, the range was
    cut out of a longer video before, and it is the whole video: so WLASL publishes most of those that do not start
    with frame 1. Both are told in ``note``.

    Raises:
        OutOfVideo: If the range starts behind the video's end, or is none.
    """
    num_frames = index.num_frames
    if first < 1 or (last != -1 and last < first):
        raise OutOfVideo(f"frames {first} to {last} are no range; frames count from 1.")
    begin, stop, note = first - 1, num_frames if last == -1 else last, ""
    if stop > num_frames:
        if first > 1 and _is_cut(num_frames, first, last):
            begin, note = 0, f"already cut to frames {first} to {last}"
        elif first > num_frames:
            raise OutOfVideo(f"frames {first} to {last} are annotated, the video has {num_frames}.")
        else:
            note = f"ends {last - num_frames} frames early"
        stop = num_frames
    elif begin >= num_frames:
        raise OutOfVideo(f"frames from {first} on are annotated, the video has {num_frames}.")
    end_s = None if stop == num_frames else _bound(index, stop)
    return Span(_bound(index, begin) if begin else 0.0, end_s, stop - begin, note)


def _is_cut(num_frames: int, first: int, last: int) -> bool:
    """Whether a video of ``num_frames`` is rather the range alone than what the range was annotated in."""
    length = last - first + 1
    off = abs(num_frames - length)
    return off <= max(_CUT_FRAMES, _CUT_SHARE * length) and off < abs(num_frames - last)


def _bound(index: FrameIndex, number: int) -> float:
    """A time that parts the frames before ``number`` (from 0) from the others, for a reader with a tolerance.

    The frame's own time does, unless the one before it is nearer than the tolerance, as may be at a varying rate.
    """
    time_s, before_s = float(index.times_s[number]), float(index.times_s[number - 1])
    tolerance = TOLERANCE * index.interval_s
    return time_s if time_s - before_s > 2 * tolerance else (time_s + before_s) / 2 + tolerance
