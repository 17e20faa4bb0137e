"""WLASL's annotation files -> entries.

Two forms are in use, and either is enough:

- ``nslt_<N>.json``: ``{video_id: {"subset": "train", "action": [class, first, last]}}``;
- ``WLASL_v0.3.json`` or ``asl<N>.json``: ``[{"gloss": ..., "instances": [{"video_id", "split", "frame_start",
  "frame_end", "bbox", "signer_id", ...}]}]``, of which a subset of N has the first N glosses.

Frames are counted from 1 and the last one belongs to the clip; -1 = the video's last.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sign_recog.corpora.annotation import to_split
from sign_recog.errors import DataError
from sign_recog.storage.manifest import check_clip_id, listing

_KEPT = ("source", "variation_id", "instance_id")  # further columns of the manifest; the url is left out


@dataclass(frozen=True)
class Entry:
    """One annotated video.

    Attributes:
        class_id: Number of its gloss, from 0.
        first, last: Frames, from 1, both within the clip; ``last`` -1 = to the video's end.
        signer: Empty = unknown.
        extra: Further columns; ``box`` is "left top right bottom" in pixels.
    """

    video_id: str
    split: str
    class_id: int
    first: int
    last: int
    signer: str
    extra: dict[str, str]


@dataclass(frozen=True)
class Listed:
    """A file of the second form: entries by video_id, and the gloss of each class."""

    entries: dict[str, Entry]
    glosses: list[str]


def load_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        DataError: If it is not JSON, with line and column.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}, line {error.lineno}, column {error.colno}: is no JSON ({error.msg}). Download the file again."
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 text ({error}). Download the file again.") from error


def parse_nslt(path: Path, content: Any) -> list[Entry]:
    """The entries of an ``nslt_<N>.json``.

    Raises:
        DataError: If it is of another form; all bad entries are named.
    """
    if not isinstance(content, dict) or not content:
        raise DataError(f'{path}: is not of the form {{"05237": {{"subset": "train", "action": [77, 1, 55]}}, ...}}.')

    return _collected(path, [(name, partial(_nslt_entry, name, value)) for name, value in content.items()])


def parse_listed(path: Path, content: Any) -> Listed:
    """A ``WLASL_v0.3.json`` or ``asl<N>.json``.

    Raises:
        DataError: If it is of another form; all bad instances are named.
    """
    if not isinstance(content, list) or not all(isinstance(item, dict) and "gloss" in item for item in content):
        raise DataError(f'{path}: is not of the form [{{"gloss": "book", "instances": [{{"video_id": ...}}]}}, ...].')
    makers: list[tuple[str, Callable[[], Entry]]] = []
    for class_id, item in enumerate(content):
        for number, instance in enumerate(item.get("instances") or []):
            place = f"{item['gloss']!r}, instance {number}"
            makers.append((place, partial(_listed_entry, class_id, instance)))
    entries: dict[str, Entry] = {}
    twice = []
    for one in _collected(path, makers):
        if one.video_id in entries:
            twice.append(f"video_id {one.video_id} stands twice.")
        entries[one.video_id] = one
    if twice:
        raise DataError(listing(f"{path}: {len(twice)} instances have another's name.", twice))
    return Listed(entries, [str(item["gloss"]) for item in content])


def read_class_list(path: Path) -> dict[int, str]:
    """``wlasl_class_list.txt``: a line is a number, a tab, and the gloss.

    Raises:
        DataError: If a line is anything else.
    """
    names, problems = {}, []
    for line, text in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), start=1):
        number, tab, gloss = text.partition("\t")
        if not tab or not number.strip().isdecimal() or not gloss.strip():
            problems.append(f"line {line}: {text[:60]!r} is not a number, a tab and a gloss.")
            continue
        names[int(number)] = gloss.strip()
    if problems:
        raise DataError(listing(f"{path}: {len(problems)} bad lines.", problems))
    return names


def _collected(path: Path, makers: list[tuple[str, Callable[[], Entry]]]) -> list[Entry]:
    entries, problems = [], []
    for place, make in makers:
        try:
            entries.append(make())
        except ValueError as error:
            problems.append(f"{place}: {error}")
    if problems:
        raise DataError(listing(f"{path}: {len(problems)} bad entries. Correct or remove them.", problems))
    return entries


def _nslt_entry(video_id: str, value: Any) -> Entry:
    action = value.get("action") if isinstance(value, dict) else None
    if not isinstance(action, list) or len(action) != 3 or not all(type(number) is int for number in action):
        raise ValueError(f"action={action!r} is not [class, first frame, last frame].")
    return _entry(video_id, value.get("subset"), *action)


def _listed_entry(class_id: int, instance: Any) -> Entry:
    if not isinstance(instance, dict):
        raise ValueError(f"{instance!r} is no object with video_id and split.")
    first, last = instance.get("frame_start", 1), instance.get("frame_end", -1)
    if type(first) is not int or type(last) is not int:
        raise ValueError(f"frame_start={first!r}, frame_end={last!r}: they are numbers of frames.")
    extra = {name: str(instance[name]) for name in _KEPT if instance.get(name) not in (None, "")}
    box = instance.get("bbox")
    if box is not None:
        if not isinstance(box, list) or len(box) != 4 or not all(type(x) in (int, float) for x in box):
            raise ValueError(f"bbox={box!r} is not [left, top, right, bottom] in pixels.")
        extra["box"] = " ".join(f"{x:g}" for x in box)
    signer = instance.get("signer_id")
    known = signer is not None and str(signer) not in ("", "-1")
    return _entry(
        str(instance.get("video_id")), instance.get("split"), class_id, first, last, str(signer) if known else "", extra
    )


def _entry(
    video_id: str,
    split: Any,
    class_id: int,
    first: int,
    last: int,
    signer: str = "",
    extra: dict[str, str] | None = None,
) -> Entry:
    check_clip_id(video_id)
    if "/" in video_id:
        raise ValueError(f"video_id {video_id!r} is a path, not the name of a video.")
    if not isinstance(split, str) or not split:
        raise ValueError(f"split {split!r} is none of train, val, test.")
    if class_id < 0:
        raise ValueError(f"class {class_id} is below 0.")
    return Entry(video_id, to_split(split), class_id, first, last, signer, extra or {})
