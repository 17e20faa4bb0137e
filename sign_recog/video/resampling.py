"""From the times frames have to a steady rate, up or down.

Only times are looked at, so the items may be frames, or anything that stands for them.
"""

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

Item = TypeVar("Item")

# Containers round times (Matroska to 1 ms), so a frame may come up to this part of a frame late.
TOLERANCE = 0.25
_NOTHING: Any = object()


def resampled(
    timed: Iterable[tuple[Item, float]], target_fps: float, interval_s: float
) -> Iterator[tuple[Item, float]]:
    """Yield items with the times k / ``target_fps``, from 0 to the end of the last.

    At each of these instants stands the latest item that has begun, as on a player's screen. One that
    begins up to a quarter of ``interval_s`` later counts as begun, since times in files are rounded.

    Args:
        timed: Items and the times they begin at, in seconds, ascending from 0.
        interval_s: The usual distance of items; the last one lasts this long.
    """
    tolerance = TOLERANCE * interval_s + 1e-6  # a microsecond, so that the last digit of a float decides nothing
    count, held, ends_s = 0, _NOTHING, 0.0
    for item, begins_s in timed:
        while held is not _NOTHING and count / target_fps < begins_s - tolerance:
            yield held, count / target_fps
            count += 1
        held, ends_s = item, begins_s + interval_s
    while count / target_fps < ends_s - tolerance:
        yield held, count / target_fps
        count += 1
