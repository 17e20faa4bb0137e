"""Sliding windows over the frames of a clip.

A window is ``window`` consecutive frames; consecutive windows start ``stride`` frames apart. Both count
frames after resampling. Windows of one frame with stride 1 are the frames themselves.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


def sliding_windows(items: Iterable[Item], window: int, stride: int) -> Iterator[list[Item]]:
    """Yield windows of ``items`` such that each item is in at least one; at most ``window`` items are held.

    The last window is moved back to end on the last item, so the final stride may be shorter; nothing is
    dropped. Only where all of ``items`` are fewer than one window, the last is repeated until it is full.

    Raises:
        ValueError: If ``stride`` is not in 1..``window``, which would leave items out.

    >>> list(sliding_windows(range(7), window=4, stride=2))
    [[0, 1, 2, 3], [2, 3, 4, 5], [3, 4, 5, 6]]
    >>> list(sliding_windows(range(2), window=4, stride=2))
    [[0, 1, 1, 1]]
    """
    if not 1 <= stride <= window:
        raise ValueError(f"stride {stride} must be in 1..{window}, the window")
    held: deque[Item] = deque(maxlen=window)
    count = 0
    for count, item in enumerate(items, start=1):
        held.append(item)
        if count >= window and (count - window) % stride == 0:
            yield list(held)
    if 0 < count < window:
        yield [*held, *([held[-1]] * (window - count))]
    elif count > window and (count - window) % stride:
        yield list(held)
