"""The manifest: one row a clip, the same columns whatever the corpus (format: docs/data_formats.md)."""

import csv
import io
import os
import unicodedata
from collections import Counter
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from sign_recog.errors import DataError
from sign_recog.storage import atomic

SPLITS = ("train", "val", "test")
MOST_NAME_BYTES = 200  # of each part of a clip_id; file systems take 255, and temporary names are up to 40 longer


@dataclass
class Clip:
    """One labelled span of a video.

    Attributes:
        clip_id: Unique name; also the stem of the clip's keypoint file, so it may hold ``/`` but no ``..``.
        video: Path of the video relative to the corpus's video folder; empty where there is none.
        start_s, end_s: The span in seconds; ``end_s`` None = to the end of the video.
        split: train, val or test.
        signer: Who signs; empty = unknown.
        gloss: The label; empty where the corpus has sentences only.
        category: Group of glosses; empty = none.
        text: Sentence; empty = none.
        extra: The annotation's other columns, kept as they were.
    """

    clip_id: str
    video: str = ""
    start_s: float = 0.0
    end_s: float | None = None
    split: str = ""
    signer: str = ""
    gloss: str = ""
    category: str = ""
    text: str = ""
    extra: dict[str, str] = field(default_factory=dict)


COLUMNS = tuple(f.name for f in fields(Clip) if f.name != "extra")


def write_manifest(path: Path, clips: list[Clip]) -> None:
    """Write ``clips`` as a tab-separated table with a header, atomically."""
    extra = sorted({name for clip in clips for name in clip.extra})
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter="\t", lineterminator="\n")
    writer.writerow([*COLUMNS, *extra])
    for clip in clips:
        end_s = "" if clip.end_s is None else f"{clip.end_s:.12g}"  # a plain g cuts off milliseconds after 1000 s
        writer.writerow(
            [
                clip.clip_id,
                clip.video,
                f"{clip.start_s:.12g}",
                end_s,
                clip.split,
                clip.signer,
                clip.gloss,
                clip.category,
                clip.text,
                *(clip.extra.get(name, "") for name in extra),
            ]
        )
    atomic.write_text(path, buffer.getvalue())


def read_manifest(path: Path) -> list[Clip]:
    """Read and check a manifest; all bad lines are reported together.

    Raises:
        DataError: If the file or a column is missing, a clip stands twice, or a value is not what it should be.
    """
    rows = read_table(path, required=("clip_id", "split"))
    problems, clips = [], []
    for line, row in enumerate(rows, start=2):
        try:
            clips.append(_row_to_clip(row))
        except ValueError as error:
            problems.append(f"line {line}: {error}")
    first_line: dict[str, int] = {}
    for line, row in enumerate(rows, start=2):
        before = first_line.setdefault(row["clip_id"], line)
        if before != line:
            problems.append(f'line {line}: clip "{row["clip_id"]}" stands already in line {before}. Keep one of them.')
    if problems:
        raise DataError(listing(f"{path}: {len(problems)} bad lines.", problems))
    return clips


def read_table(
    path: Path, required: tuple[str, ...], *, delimiter: str | None = None, quotes: bool = True
) -> list[dict[str, str]]:
    """Read a table with a header.

    Args:
        required: Columns that it must have.
        delimiter: What stands between fields; None = by the suffix: a tab in ``.tsv`` and ``.txt``, else a comma.
        quotes: Whether ``"`` encloses fields, as in CSV; else it is a character like others, and a line is a row.

    Raises:
        DataError: If the file is missing, empty, not UTF-8 text, or lacks a column, if a field's quotes are wrong, or
            if rows have more fields than the header.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file. Check the path.") from error
    except IsADirectoryError as error:
        raise DataError(f"{path}: is a folder; a table is needed.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 text ({error}). Save it as UTF-8.") from error
    delimiter = delimiter or ("\t" if path.suffix in (".tsv", ".txt") else ",")
    dialect: Any = {"delimiter": delimiter, "quoting": csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE}
    reader = csv.DictReader(io.StringIO(text), restkey="", strict=True, **dialect)
    rows: list[tuple[int, dict[str, Any]]] = []
    read = 0  # lines, of whole rows
    try:
        header, read = list(reader.fieldnames or []), reader.line_num
        for row in reader:
            read = reader.line_num
            rows.append((read, row))
    except csv.Error as error:
        begin, end = read + 1, reader.reader.line_num
        lines = f"line {begin}" if end == begin else f"lines {begin} to {end}"
        raise DataError(
            f"{path}, {lines}: {error}. A field that begins with a quote ends with one, and holds others twice. Where "
            "quotes are plain characters, use data.corpus.quotes=false (data=manifest and data=feature_files have it)."
        ) from error
    missing = [name for name in required if name not in header]
    if missing:
        found = ", ".join(header) or "nothing"
        raise DataError(f"{path}: lacks the column {', '.join(missing)}. Its header (line 1) holds: {found}.")
    if not rows:
        raise DataError(f"{path}: has a header but no rows.")
    between = {"\t": "tab", ",": "comma"}.get(delimiter, delimiter)
    surplus = [
        f"line {line}: {len(header) + len(row[''])} fields, the header has {len(header)}: ...{row[''][0][:40]!r}"
        for line, row in rows
        if any(row.get("", ()))
    ]
    if surplus:
        raise DataError(listing(f"{path}: {len(surplus)} rows have a {between} too many. Remove or quote it.", surplus))
    return [{name: (value or "").strip() for name, value in row.items() if name} for _, row in rows]


def check_clip_id(clip_id: str) -> None:
    """Refuse names that could lead a file out of its folder, or that no file can have.

    Raises:
        ValueError: If ``clip_id`` is not a relative path of plain names, each of at most 200 bytes in UTF-8.
    """
    names = clip_id.split("/")
    longest = max(len(name.encode()) for name in names)
    if longest > MOST_NAME_BYTES:
        raise ValueError(
            f"clip_id {clip_id[:60]!r}... has a part of {longest} bytes (UTF-8), too long for the name of a file. "
            f"Use at most {MOST_NAME_BYTES} between two '/'; letters outside ASCII take 2 to 4 each."
        )
    if ".." in clip_id or not all(name[:1].isalnum() and all(map(_is_plain, name)) for name in names):
        raise ValueError(
            f"clip_id {clip_id!r} is not a plain name. Begin with a letter or digit; letters, digits, space, '.', '-', "
            "'_' and '/' may follow, no '..'."
        )


def _is_plain(character: str) -> bool:
    """Letters and digits of any script, with their combining marks, and a few signs."""
    return character.isalnum() or character in " .-_" or unicodedata.category(character).startswith("M")


def inside(folder: Path, name: str) -> Path:
    """Return ``folder / name``, which must lie in ``folder``; links that the user has laid there are followed.

    Raises:
        DataError: If ``name`` leads out of ``folder``.
    """
    top = os.path.normpath(folder)
    path = Path(os.path.normpath(os.path.join(top, name)))  # noqa: PTH118 - an absolute name stays absolute
    if not path.is_relative_to(top):
        raise DataError(f"{name!r} leads out of {folder}. A data file may only name files in its own folder.")
    return folder / path.relative_to(top)


def split_counts(clips: list[Clip]) -> dict[str, int]:
    """Clips in each split, in the order train, val, test."""
    counts = Counter(clip.split for clip in clips)
    return {split: counts[split] for split in SPLITS}


def listing(head: str, problems: list[str], most: int = 10) -> str:
    """``head`` and the first ``most`` problems, one a line, saying how many more there are."""
    more = [f"... and {len(problems) - most} more"] if len(problems) > most else []
    return "\n  - ".join([head, *problems[:most], *more])


def _row_to_clip(row: dict[str, str]) -> Clip:
    check_clip_id(row["clip_id"])
    if row["split"] not in SPLITS:
        raise ValueError(f"split {row['split']!r} is none of {', '.join(SPLITS)}.")
    start_s = _seconds("start_s", row.get("start_s") or "0")
    end_s = _seconds("end_s", row["end_s"]) if row.get("end_s") else None
    if end_s is not None and end_s <= start_s:
        raise ValueError(f"end_s={end_s:g} is not after start_s={start_s:g}.")
    texts = {name: row.get(name, "") for name in ("video", "signer", "gloss", "category", "text")}
    extra = {name: value for name, value in row.items() if name not in COLUMNS}
    return Clip(row["clip_id"], start_s=start_s, end_s=end_s, split=row["split"], extra=extra, **texts)


def _seconds(name: str, value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        raise ValueError(f"{name}={value!r} is not a number of seconds.") from None
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"{name}={value!r} is not a time in the video.")
    return seconds
