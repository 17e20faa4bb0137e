"""Windows over the frames of a clip, taken from a stream of which only what a window needs is held.

Two rules. ``even_windows``: frames come at a steady rate, every ``sampling_rate``-th is taken, and windows of
``num_frames`` of these start evenly; no frame taken is left out and only a clip shorter than one window is padded.
``ssvp_slt_windows``: SSVP-SLT's (Rust et al. 2024, arXiv:2402.09611) on the video's own frames, as its published
features were made.

Frames are items of any kind; ``keep`` makes of one that a window needs what is held of it, so that of others no
picture need be made.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Generic, NamedTuple, TypeVar

import numpy as np

Item = TypeVar("Item")
Kept = TypeVar("Kept")


@dataclass(frozen=True)
class FrameWindow(Generic[Kept]):
    """``num_frames`` frames of a clip.

    Attributes:
        times_s: Of each frame, as it came.
        num_padding: Frames at the end that count as repetitions of the clip's last.
    """

    frames: list[Kept]
    times_s: list[float]
    num_padding: int


def even_windows(
    timed: Iterable[tuple[Item, float]],
    keep: Callable[[Item], Kept],
    *,
    num_frames: int,
    sampling_rate: int,
    stride: int,
) -> Iterator[FrameWindow[Kept]]:
    """Yield windows of every ``sampling_rate``-th item that start ``stride`` items apart; ``num_frames`` are held.

    The last window is moved back to end on the last item taken, so the final stride may be shorter. Only where
    fewer are taken than one window holds, the last is repeated until it is full.

    Args:
        timed: Items and their times, at a steady rate.
        stride: A multiple of ``sampling_rate``, at most ``num_frames`` of them.

    Raises:
        ValueError: If ``stride`` is not such a multiple.

    >>> def frames(count):
    ...     return ((number, float(number)) for number in range(count))
    >>> rule = {"num_frames": 4, "sampling_rate": 2, "stride": 4}
    >>> [window.frames for window in even_windows(frames(13), int, **rule)]
    [[0, 2, 4, 6], [4, 6, 8, 10], [6, 8, 10, 12]]
    >>> [(window.frames, window.num_padding) for window in even_windows(frames(3), int, **rule)]
    [([0, 2, 2, 2], 2)]
    """
    if stride % sampling_rate or not sampling_rate <= stride <= num_frames * sampling_rate:
        raise ValueError(f"stride {stride} must be 1 to {num_frames} times {sampling_rate}, the sampling rate")
    step = stride // sampling_rate
    held: deque[tuple[Kept, float]] = deque(maxlen=num_frames)
    count = 0
    for count, (item, time_s) in enumerate(islice(timed, 0, None, sampling_rate), start=1):
        held.append((keep(item), time_s))
        if count >= num_frames and (count - num_frames) % step == 0:
            yield _window(list(held), 0)
    if 0 < count < num_frames:
        missing = num_frames - count
        yield _window([*held, *([held[-1]] * missing)], missing)
    elif count > num_frames and (count - num_frames) % step:
        yield _window(list(held), 0)


class _Open(NamedTuple):
    """A window that has begun, and the frames it takes if the clip goes on long enough."""

    start: int
    numbers: np.ndarray
    wanted: frozenset[int]


def ssvp_slt_windows(
    timed: Iterable[tuple[Item, float]],
    keep: Callable[[Item], Kept],
    *,
    num_frames: int,
    sampling_rate: int,
    fps: float,
    target_fps: float,
) -> Iterator[FrameWindow[Kept]]:
    """Yield SSVP-SLT's windows; of a window's span only the frames that it takes are held.

    With W = ``sampling_rate * num_frames * fps / target_fps`` items and n = ``num_frames``, windows start half of
    ``sampling_rate * num_frames`` items apart, whatever the fps. One that starts at s takes the items
    floor(linspace(s + 0.5, s + W - 0.5, n)), the clip's last for those beyond its end. The first window with
    s + W - 1 >= the number of items is the last one; so a clip of exactly W gets a second, half-padded one.

    Padding is n less the different items; where ``target_fps`` is above ``fps * sampling_rate``, so that items repeat
    anyway, n less floor(different items * target_fps / (fps * sampling_rate)).

    Args:
        timed: Items and their times, as the video has them.
        num_frames: Even.
        fps: The video's own.

    Raises:
        ValueError: If W is below 1.
    """
    span = sampling_rate * num_frames * fps / target_fps
    if span < 1:
        raise ValueError(f"a window is shorter than one frame at {fps:g} frames/s")
    stride = num_frames // 2 * sampling_rate
    repeated = target_fps > fps * sampling_rate

    def begun(start: int) -> _Open:
        numbers = np.floor(np.linspace(start + 0.5, start + span - 0.5, num_frames)).astype(np.int64)
        return _Open(start, numbers, frozenset(numbers.tolist()))

    def given(window: _Open) -> FrameWindow[Kept]:
        numbers = np.minimum(window.numbers, count - 1).tolist()
        different = len(set(numbers))
        if repeated:
            different = math.floor(different * target_fps / (fps * sampling_rate))
        return _window([held[number] for number in numbers], max(0, num_frames - different))

    windows: deque[_Open] = deque([begun(0)])  # the first is the next to be given
    held: dict[int, tuple[Kept, float]] = {}
    count, last = 0, None
    for count, last in enumerate(timed, start=1):
        number = count - 1
        while windows[-1].start + stride <= number:
            windows.append(begun(windows[-1].start + stride))
        if any(number in window.wanted for window in windows):
            held[number] = keep(last[0]), last[1]
        while windows[0].numbers[-1] <= number:
            yield given(windows[0])
            windows.append(begun(windows[-1].start + stride))
            first = windows.popleft().start + stride
            held = {number: frame for number, frame in held.items() if number >= first}
    if last is None:
        return
    ended = windows[0].start > 0 and windows[0].start - stride + span - 1 >= count
    if not ended and count - 1 not in held:
        held[count - 1] = keep(last[0]), last[1]
    while not ended:
        window = windows.popleft()
        yield given(window)
        windows.append(begun(window.start + stride))
        ended = window.start + span - 1 >= count


def _window(frames: list[tuple[Kept, float]], num_padding: int) -> FrameWindow[Kept]:
    return FrameWindow([kept for kept, _ in frames], [time_s for _, time_s in frames], num_padding)
