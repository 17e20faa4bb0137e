"""Where the signer is in the picture: boxes in pixels, as a table's columns give them.

A box is (left, top, right, bottom) in pixels of the upright picture; right and bottom are outside it.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

SMALLEST = 16  # pixels of a side; a smaller box shows nobody, it is an empty one


class Box(NamedTuple):
    """Whole pixels, ``right`` and ``bottom`` excluded."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top


def read_box(extra: Mapping[str, str]) -> tuple[float, float, float, float] | None:
    """The box that a manifest row's further columns give; None = they give none.

    It stands in ``box`` ("left top right bottom"), or in ``x0``, ``y0``, ``x1`` and ``y1``.

    Raises:
        ValueError: If there is something that is no box.

    >>> read_box({"box": "12 8 200.5 240"})
    (12.0, 8.0, 200.5, 240.0)
    """
    text = extra.get("box", "").replace(",", " ").strip("[]() ")
    parts = text.split() or [extra.get(name, "") for name in ("x0", "y0", "x1", "y1")]
    if not any(parts):
        return None
    try:
        left, top, right, bottom = map(float, parts)
    except ValueError:
        raise ValueError(f"box {' '.join(parts)!r} is not four numbers: left top right bottom.") from None
    if not all(map(math.isfinite, (left, top, right, bottom))):
        raise ValueError(f"box {' '.join(parts)!r} holds a number that is not finite.")
    return left, top, right, bottom


def to_pixels(box: tuple[float, float, float, float], width: int, height: int) -> Box | None:
    """The whole pixels that ``box`` touches within the picture; None if that is too small to show anybody."""
    left, top, right, bottom = box
    cut = Box(
        max(0, math.floor(left)), max(0, math.floor(top)), min(width, math.ceil(right)), min(height, math.ceil(bottom))
    )
    return cut if cut.width >= SMALLEST and cut.height >= SMALLEST else None


def to_size(box: Box, width: int, height: int, shorter_side: int) -> tuple[Box, tuple[int, int]]:
    """Return what is cut out of a picture of ``width`` x ``height``, and (width, height) of what it is scaled to.

    The shorter side becomes ``shorter_side``, both sides are even, and nothing is enlarged: a smaller box stays as it
    is, but for a row or column more (or less, at the picture's edge) where a side is odd.

    A point (x, y) of the result is at (left + x * box.width / width of the result, and so on) in the picture.
    """
    shorter = min(box.width, box.height)
    if shorter > shorter_side:
        scale = shorter_side / shorter
        sizes = (max(shorter_side, 2 * round(side * scale / 2)) for side in (box.width, box.height))
        return box, (next(sizes), next(sizes))
    left, right = _even(box.left, box.right, width)
    top, bottom = _even(box.top, box.bottom, height)
    return Box(left, top, right, bottom), (right - left, bottom - top)


def _even(first: int, last: int, most: int) -> tuple[int, int]:
    if (last - first) % 2 == 0:
        return first, last
    if last < most:
        return first, last + 1
    return (first - 1, last) if first else (first, last - 1)
