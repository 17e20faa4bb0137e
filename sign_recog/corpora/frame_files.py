"""Pictures of labelled frames on the disk: whether they can be read, how large they are, and what is beside them."""

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sign_recog.errors import DataError
from sign_recog.video.pictures import read_picture

_NUMBER = re.compile(r"(?P<head>.*?)(?P<number>\d+)")
_THREADS = 8  # OpenCV and the disk work outside Python's lock


def measured_pictures(paths: Sequence[Path]) -> list[tuple[int, int] | str]:
    """Width and height of each picture, or why it cannot be read; every one is decoded."""
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(_measured, paths))


def _measured(path: Path) -> tuple[int, int] | str:
    try:
        height, width, _ = read_picture(path).shape
    except DataError as error:
        return str(error)
    return width, height


def neighbours(path: Path) -> tuple[Path, ...]:
    """The pictures two before to two after ``path`` by the number at the end of its name, itself in the middle.

    Where one is not there, the nearest that is stands for it, as at the end of a video. Empty = the name has no number,
    or none is there.

    >>> neighbours(Path("labeled-data/cover.png"))
    ()
    """
    match = _NUMBER.fullmatch(path.stem)
    if match is None:
        return ()
    number, digits = int(match["number"]), len(match["number"])
    around = [path]
    for direction in (-1, 1):
        side, last = [], path
        for step in (1, 2):
            other = path.with_name(f"{match['head']}{number + direction * step:0{digits}d}{path.suffix}")
            last = other if number + direction * step >= 0 and other.is_file() else last
            side.append(last)
        around = [*side[::-1], *around] if direction < 0 else [*around, *side]
    return () if len(set(around)) == 1 else tuple(around)
