"""When each frame of a video is shown, and where decoding can begin, without decoding.

A container says of every packet when its frame is shown and whether it is a keyframe; sorted by time these are the
frames. That is believed of codecs with one frame a packet (``ONE_FRAME_A_PACKET``) in containers that give every
packet a time of its own, from a keyframe on. Of all others (AVI with B-frames, MPEG program streams, bare H.264, VP8
and AV1 with their hidden frames, videos cut off in front) the frames are counted by decoding them once.
"""

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sign_recog.errors import DataError
from sign_recog.video.container import CANNOT_SEEK, REMEDY, duration_of, missing_at_end, opened
from sign_recog.video.reader import VideoReader
from sign_recog.video.resampling import TOLERANCE

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

ONE_FRAME_A_PACKET = ("h264", "hevc", "mjpeg")  # FFmpeg's names of decoders


@dataclass(frozen=True)
class FrameIndex:
    """The frames of a video in the order of showing.

    Attributes:
        times_s: (N,) float64, when each begins, counted from the first, which is 0.
        keyframes: (N,) bool, True = decoding can begin here.
        interval_s: The usual distance of frames: 1 / the average frame rate.
        duration_s: Of the video as its header says; 0 where it does not.
        decoded: Whether the packets were not believed, so that every frame was decoded.
    """

    times_s: np.ndarray
    keyframes: np.ndarray
    interval_s: float
    duration_s: float
    decoded: bool

    @property
    def num_frames(self) -> int:
        """N."""
        return len(self.times_s)

    def span(self, start_s: float, end_s: float | None) -> range:
        """Numbers of the frames of ``[start_s, end_s)``, as :class:`~sign_recog.video.reader.VideoReader` has them."""
        tolerance = TOLERANCE * self.interval_s
        first = int(np.searchsorted(self.times_s, start_s - tolerance))
        last = self.num_frames if end_s is None else int(np.searchsorted(self.times_s, end_s - tolerance))
        return range(first, max(first, last))


def read_frame_index(path: Path) -> FrameIndex:
    """The frames of the whole video at ``path``.

    A frame whose packet is there counts, even if its content is damaged: that shows when it is decoded.

    Raises:
        DataError: If the file is missing, empty, no video, or ends clearly before what its header says; and, where
            frames must be decoded, if it is damaged.
    """
    with opened(path) as (container, stream):
        packets = read_packets(container, stream)
    index = packets.index()
    if index is None:
        return decoded_index(path)
    ends_s = index.times_s[-1] + index.interval_s
    if missing_at_end(ends_s, index.duration_s, index.interval_s):
        raise DataError(
            f"{path}: truncated after frame {index.num_frames}: its frames end at {ends_s:.2f} s, its header says "
            f"{index.duration_s:.2f} s. {REMEDY}"
        )
    return index


def decoded_index(path: Path, start_s: float = 0.0, end_s: float | None = None) -> FrameIndex:
    """The frames of a span as decoding gives them, the first at 0 s; errors as those of VideoReader."""
    reader = VideoReader(path, start_s=start_s, end_s=end_s)
    frames = [(time_s, bool(frame.key_frame)) for (frame, _), time_s in reader.timed_frames()]
    times_s, keyframes = zip(*frames, strict=True)
    return FrameIndex(np.array(times_s), np.array(keyframes), 1 / reader.info.fps, reader.info.duration_s, True)


@dataclass
class Packets:
    """What the container says of a stream's packets, in the order of decoding (M of them).

    Attributes:
        pts: (M,) int64, when the frame is shown, in units of the stream.
        keyframes, shown: (M,) bool; packets before the start that an edit list sets are not shown.
        held: The packets themselves, if they were to be kept.
        believable: Whether the frames shown are these packets, one each.
    """

    pts: np.ndarray
    keyframes: np.ndarray
    shown: np.ndarray
    held: list[Any]
    believable: bool
    tick_s: Fraction
    interval_s: float
    duration_s: float
    order: np.ndarray = field(init=False)  # (N,) numbers of the packets shown, in the order of showing

    def __post_init__(self) -> None:
        shown = np.flatnonzero(self.shown)
        self.order = shown[np.argsort(self.pts[shown], kind="stable")]

    def index(self) -> FrameIndex | None:
        """The frames; None = the packets do not tell."""
        if not self.believable:
            return None
        pts = self.pts[self.order]
        times_s = (pts - pts[0]) * self.tick_s.numerator / self.tick_s.denominator  # as exact as a fraction
        return FrameIndex(times_s, self.keyframes[self.order], self.interval_s, self.duration_s, False)

    def start_of(self, packet: int) -> int:
        """The last keyframe from which ``packet`` can be decoded.

        After a keyframe of an open group of pictures come frames that are shown before it; they are made of frames
        before the keyframe, so they need the keyframe before.
        """
        before = np.flatnonzero(self.keyframes[: packet + 1] & (self.pts[: packet + 1] <= self.pts[packet]))
        return int(before[-1]) if len(before) else 0


def read_packets(container: "InputContainer", stream: "VideoStream", *, hold: bool = False) -> Packets:
    """Demux a stream from where the container stands to its end, or to where the file is damaged.

    Args:
        hold: Keep the packets, so that they can be decoded.
    """
    import av

    rows: list[tuple[int, bool, bool]] = []
    held = []
    context = stream.codec_context
    whole = container.format.name not in CANNOT_SEEK and context.name in ONE_FRAME_A_PACKET
    try:
        for packet in container.demux(stream) if whole else ():
            if packet.size == 0:  # the last one, which asks a decoder for what it holds back
                continue
            if packet.pts is None or packet.is_corrupt:
                whole = False
                break
            rows.append((packet.pts, packet.is_keyframe, not packet.is_discard))
            if hold:
                held.append(packet)
    except av.FFmpegError:
        whole = False
    columns = np.array(rows, np.int64).reshape(-1, 3)
    pts, keyframes, shown = columns[:, 0], columns[:, 1].astype(bool), columns[:, 2].astype(bool)
    rate = float(stream.average_rate or stream.guessed_rate or 0)
    own = pts[shown]
    believable = bool(
        whole and rate > 0 and len(own) and keyframes[0] and len(np.unique(own)) == len(own) and own.min() >= pts[0]
    )
    return Packets(
        pts, keyframes, shown, held, believable, stream.time_base or Fraction(1), 1 / rate if rate else 0.0,
        duration_of(container, stream),
    )  # fmt: skip
