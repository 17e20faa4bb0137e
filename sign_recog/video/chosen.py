"""Some frames of a video, chosen by their numbers, without decoding more than they need.

The frames are known before anything is decoded (:mod:`sign_recog.video.frame_index`). Decoding begins at the keyframe
before a wanted frame, passes over groups of pictures without one, and leaves out frames that no other is made of;
only what is wanted becomes a picture. The pictures are bit for bit those of
:class:`~sign_recog.video.reader.VideoReader`: wherever packets and decoding disagree, the clip is decoded from its
start by that class, whose frames and errors count.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from sign_recog.video.container import Converter, missing_at_end, no_frame, opened
from sign_recog.video.frame_index import FrameIndex, Packets, decoded_index, read_packets
from sign_recog.video.reader import VideoReader

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

Shown = TypeVar("Shown")
# From the times (n,) of a span's frames in seconds and their usual distance to the frames wanted, (T,) of 0 .. n - 1.
Choose = Callable[[np.ndarray, float], np.ndarray]

HELD_BYTES = 2**25  # files up to 32 MiB are read once, and their packets kept until the clip is decoded
# Decoders that say which frames no other is made of, and whose other frames do not change without them.
_SPARES_FRAMES = ("h264",)


def read_chosen(
    path: Path, choose: Choose, show: Callable[[np.ndarray], Shown], *, start_s: float = 0.0, end_s: float | None = None
) -> list[Shown]:
    """Return the frames of ``[start_s, end_s)`` that ``choose`` asks for, in its order.

    Args:
        choose: May be called a second time, if the first answer went by packets that decoding does not bear out.
        show: Makes of a picture (H, W, 3) uint8 RGB, upright with square pixels, what is returned; called once a
            frame, also if it is asked for several times.

    Raises:
        DataError: If the file is missing or no video, no frame lies in the span, or what must be decoded is damaged.
    """
    with opened(path) as (container, stream):
        packets, index = _packets(path, container, stream)
        if index is not None and _reaches(index, end_s):
            span = index.span(start_s, end_s)
            if not span:
                raise no_frame(path, start_s, end_s, index.duration_s)
            times_s = index.times_s[span.start : span.stop]
            numbers = np.asarray(choose(times_s - times_s[0], index.interval_s))
            places = packets.order[span.start + numbers]
            shown = _decoded(container, stream, packets, places, show)
            if shown is not None:
                return [shown[place] for place in places.tolist()]
    index = _decoded_once(path, _version(path), start_s, end_s)
    numbers = np.asarray(choose(index.times_s, index.interval_s))
    by_number: dict[int, Shown] = {}
    for number, ((frame, convert), _) in enumerate(VideoReader(path, start_s=start_s, end_s=end_s).timed_frames()):
        if number in numbers:
            by_number[number] = show(convert(frame))
        if number == numbers.max():
            break
    return [by_number[number] for number in numbers.tolist()]


def _reaches(index: FrameIndex, end_s: float | None) -> bool:
    """Whether the frames go as far as the span and the header say; VideoReader tells what is wrong if not."""
    expected_s = index.duration_s if end_s is None else min(end_s, index.duration_s)
    return not missing_at_end(index.times_s[-1] + index.interval_s, expected_s, index.interval_s)


def _packets(path: Path, container: "InputContainer", stream: "VideoStream") -> tuple[Packets, FrameIndex | None]:
    if path.stat().st_size > HELD_BYTES:
        return _packets_of_large(path, _version(path))
    packets = read_packets(container, stream, hold=True)
    return packets, packets.index()


@lru_cache(maxsize=64)
def _packets_of_large(path: Path, version: tuple[int, int]) -> tuple[Packets, FrameIndex | None]:
    """Of a long video, which many clips may be spans of; without the packets' content."""
    with opened(path) as (container, stream):
        packets = read_packets(container, stream)
    return packets, packets.index()


@lru_cache(maxsize=1024)
def _decoded_once(path: Path, version: tuple[int, int], start_s: float, end_s: float | None) -> FrameIndex:
    return decoded_index(path, start_s, end_s)


def _version(path: Path) -> tuple[int, int]:
    """What changes with a file's content."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _decoded(
    container: "InputContainer",
    stream: "VideoStream",
    packets: Packets,
    places: np.ndarray,
    show: Callable[[np.ndarray], Shown],
) -> dict[int, Shown] | None:
    """Number of a packet -> its picture, of all ``places``; None = decoding does not give what the packets say."""
    import av
    from av.video.frame import PictureType

    context, convert = stream.codec_context, Converter(stream)
    wanted = set(places.tolist())
    place_of = {int(packets.pts[place]): place for place in wanted}
    spares = context.name in _SPARES_FRAMES
    shown: dict[int, Shown] = {}
    try:
        for run, (first, last) in enumerate(_runs(packets, wanted)):
            if run:
                context.flush_buffers()
            begun = first == 0
            for place, packet in _from(container, stream, packets, first, last):
                if spares:
                    context.skip_frame = "DEFAULT" if place in wanted else "NONREF"
                for frame in context.decode(packet):
                    begun = begun or (frame.pts == packets.pts[first] and frame.pict_type == PictureType.I)
                    found = place_of.get(frame.pts) if frame.pts is not None else None
                    if found is None:
                        continue
                    if frame.is_corrupt or frame.interlaced_frame:  # of interlaced frames a packet may be one half
                        return None
                    shown[found] = show(convert(frame))
            if not begun:  # a picture that is refreshed bit by bit; what follows is not exactly what it was
                return None
    except (av.FFmpegError, _LostError):
        return None
    return shown if len(shown) == len(wanted) else None


def _runs(packets: Packets, wanted: Iterable[int]) -> list[tuple[int, int]]:
    """First and last packet of each stretch that must be decoded."""
    runs: list[tuple[int, int]] = []
    for first, last in sorted((packets.start_of(place), place) for place in wanted):
        if runs and first <= runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], max(last, runs[-1][1]))
        else:
            runs.append((first, last))
    return runs


class _LostError(Exception):
    """Searching did not lead to a known packet before the one wanted."""


def _from(
    container: "InputContainer", stream: "VideoStream", packets: Packets, first: int, last: int
) -> Iterator[tuple[int, Any]]:
    """The packets ``first`` to ``last`` with their numbers, and at the end one that empties the decoder."""
    if packets.held:
        yield from enumerate(packets.held[first : last + 1], start=first)
    else:
        container.seek(int(packets.pts[first]), stream=stream)
        place = -1
        for packet in container.demux(stream):
            if place < 0:
                places = np.flatnonzero(packets.pts == packet.pts).tolist() if packet.pts is not None else []
                if len(places) != 1 or places[0] > first:
                    raise _LostError
                place = places[0]
            if first <= place:
                yield place, packet
            place += 1
            if place > last:
                break
        if place <= last:
            raise _LostError
    yield -1, None
