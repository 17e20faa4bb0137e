"""What the readers share: annotation tables -> checked clips.

A reader turns one row into one clip; everything a row can get wrong is reported together, by line.
"""

import posixpath
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from sign_recog.corpora.base import LeftOut
from sign_recog.errors import DataError
from sign_recog.storage.manifest import COLUMNS, MOST_NAME_BYTES, Clip, check_clip_id, inside, listing

VIDEO_SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".webm", ".wmv")

SPLIT_NAMES = {"train": "train", "training": "train", "test": "test", "testing": "test"}
SPLIT_NAMES |= dict.fromkeys(("val", "valid", "validation", "dev"), "val")


def to_split(name: str) -> str:
    """Return train, val or test for the names in use (dev, validation, testing ...); "" stays "".

    Raises:
        ValueError: If ``name`` is none of them.

    >>> to_split("Dev")
    'val'
    """
    if name and name.lower() not in SPLIT_NAMES:
        raise ValueError(f"split {name!r} is none of {', '.join(SPLIT_NAMES)}.")
    return SPLIT_NAMES[name.lower()] if name else ""


def to_seconds(text: str) -> float:
    """Read a time written as seconds, m:ss or h:mm:ss (ELAN's exports), each with decimals.

    Raises:
        ValueError: If ``text`` is no such time.

    >>> to_seconds("00:01:02.500")
    62.5
    """
    if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d*)?", text):
        raise ValueError(f"{text!r} is not a time. Write seconds (62.5) or h:mm:ss (0:01:02.5).")
    return sum(float(part) * 60**power for power, part in enumerate(reversed(text.split(":"))))


def to_clip_id(name: str) -> str:
    """Turn a file name or gloss into a name that :func:`check_clip_id` accepts; other characters become ``_``.

    >>> to_clip_id("day 1/clip_0012_don't know")
    'day 1/clip_0012_don_t know'
    """
    parts = [re.sub(r"[^\w.\- ]|\.(?=\.)", "_", part).strip() for part in name.split("/")]
    return "/".join(part if part[:1].isalnum() else f"x{part}" for part in parts)


def without_video_suffix(name: str) -> str:
    """Return ``name`` without a video's suffix; other dots are part of the name."""
    return without_suffix(name, VIDEO_SUFFIXES)


def without_suffix(name: str, suffixes: Sequence[str]) -> str:
    """Return ``name`` without its suffix if that is one of ``suffixes`` (in lower case)."""
    return str(Path(name).with_suffix("")) if Path(name).suffix.lower() in suffixes else name


def to_relative(folder: Path, name: str) -> str:
    """Return the path of the file ``name`` relative to ``folder``, with ``/`` also where a table has ``\\``.

    Raises:
        ValueError: If ``name`` is empty.
        DataError: If it leads out of ``folder``.
    """
    if not name:
        raise ValueError("no file is named.")
    path = inside(folder, posixpath.normpath(name.replace("\\", "/")))
    if Path(name).is_absolute():
        return path.resolve().relative_to(folder.resolve()).as_posix()
    return path.relative_to(folder).as_posix()


def to_folder(path: str | Path) -> Path:
    """Return ``path`` as an absolute path that is a folder; ``~`` is the home.

    Raises:
        DataError: If it is none.
    """
    folder = Path(path).expanduser().absolute()
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder. Check data.source and data.video_dir.")
    return folder


def to_table(source: str | Path, name: str) -> Path:
    """Return the absolute path of a table that is given itself or by the folder in which it is called ``name``."""
    path = Path(source).expanduser().absolute()
    return path / name if path.is_dir() else path


def extra_columns(row: dict[str, str], used: Iterable[str]) -> dict[str, str]:
    """The columns of ``row`` that a reader did not use; one named as a manifest column becomes ``source_<name>``."""
    unused = [name for name in row if name not in set(used)]
    return {f"source_{name}" if name in COLUMNS else name: row[name] for name in unused}


def rows_to_clips(
    path: Path,
    rows: list[dict[str, str]],
    row_to_clip: Callable[[dict[str, str]], Clip],
    places: Sequence[str] | None = None,
) -> list[Clip]:
    """Turn each row of ``path`` into a clip with a unique name.

    Args:
        places: What errors call each row; None = the line of a table whose header is line 1.

    Raises:
        DataError: Naming every row that ``row_to_clip`` refuses (ValueError or DataError), or whose clip_id is no
            plain name or that of another row.
    """
    clips: list[Clip] = []
    problems: list[str] = []
    first_place: dict[str, str] = {}
    places = places or [f"line {line}" for line in range(2, len(rows) + 2)]
    for place, row in zip(places, rows, strict=True):
        try:
            clip = row_to_clip(row)
            check_clip_id(clip.clip_id)
            _check_length(clip.video)
        except (ValueError, DataError) as error:
            problems.append(f"{place}: {error}")
            continue
        before = first_place.setdefault(clip.clip_id, place)
        if before != place:
            problems.append(f'{place}: clip "{clip.clip_id}" is already that of {before}.')
        clips.append(clip)
    if problems:
        raise DataError(listing(f"{path}: {len(problems)} bad rows. Correct or remove them.", problems))
    return clips


def _check_length(video: str) -> None:
    long = [part for part in video.split("/") if len(part.encode()) > MOST_NAME_BYTES]
    if long:
        raise ValueError(f"the name {long[0][:40]!r}... is longer than {MOST_NAME_BYTES} bytes.")


def keep_existing(
    path: Path,
    clips: list[Clip],
    folder: Path,
    *,
    what: str = "video",
    remedy: str = "Set data.video_dir to the folder that the names in the table start from.",
) -> tuple[list[Clip], list[LeftOut], list[str]]:
    """Leave out the clips whose file ``Clip.video`` is not in ``folder``; the note says how many and which.

    Args:
        what: What the files are called.
        remedy: What to do if there is none.

    Raises:
        DataError: If no file exists.
    """
    missing = [clip.video for clip in clips if not (folder / clip.video).is_file()]
    if not missing:
        return clips, [], []
    first = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
    if len(missing) == len(clips):
        raise DataError(f"{path}: none of its {len(clips)} {what}s is in {folder} (looked for {first}). {remedy}")
    absent = set(missing)
    note = f"{len(missing)} of {len(clips)} clips are left out: their {what} is not in {folder} ({first})."
    left_out = [LeftOut(clip, f"missing {what}", clip.video) for clip in clips if clip.video in absent]
    return [clip for clip in clips if clip.video not in absent], left_out, [note]
