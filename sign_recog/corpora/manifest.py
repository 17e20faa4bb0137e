"""Any table with named columns, or a folder of videos with one subfolder a gloss."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sign_recog.corpora.annotation import (
    SPLIT_NAMES,
    VIDEO_SUFFIXES,
    extra_columns,
    keep_existing,
    rows_to_clips,
    to_clip_id,
    to_folder,
    to_relative,
    to_seconds,
    to_split,
    without_suffix,
)
from sign_recog.corpora.base import Corpus
from sign_recog.errors import ConfigError, DataError
from sign_recog.storage.manifest import COLUMNS, Clip, read_table


@dataclass(frozen=True)
class FileKind:
    """The files that a table or a folder names: what they are called, their suffixes, and the table's column."""

    name: str
    suffixes: tuple[str, ...]
    column: str

    @property
    def two_forms(self) -> str:
        return (
            f"Give data.source a table (.csv or .tsv with the columns {self.column} and gloss), "
            f"or a folder with one subfolder a gloss: <folder>/<gloss>/<clip>{self.example}."
        )

    @property
    def folder_setting(self) -> str:
        """The setting of the folder that the table's names start from."""
        return "data.video_dir" if self.name == "video" else f"data.corpus.{self.name}_dir"

    @property
    def example(self) -> str:
        return ".mp4" if ".mp4" in self.suffixes else self.suffixes[0]


_VIDEOS = FileKind("video", VIDEO_SUFFIXES, "video")
_SECONDS = {"s": 1.0, "ms": 0.001}


def read(
    source: str,
    out_dir: Path,
    *,
    video_dir: str | None = None,
    columns: Mapping[str, str | None] | None = None,
    time_unit: str = "s",
    quotes: bool = True,
) -> Corpus:
    """Read a table (its suffix says whether comma or tab separates), or a folder of videos.

    Rows whose video does not exist are left out, with a note. Where the table has no column clip_id, a clip is
    named by its video's path, and by its start as well if the video has several clips.

    Args:
        out_dir: Unused; nothing is written.
        video_dir: The folder that the names in the column ``video`` start from; None = the table's.
        columns: The manifest's column -> the table's, where they differ: ``{gloss: Label, signer: Participant}``;
            None = the same name.
            Times are in ``time_unit`` or h:mm:ss; split names such as dev and testing are understood.
        time_unit: ``s`` or ``ms``, of times that are plain numbers.
        quotes: Whether ``"`` encloses fields; else it is a character like others.

    Raises:
        DataError: If the table lacks a column, or lines are wrong (all are named), or no video exists.
    """
    return read_files(source, _VIDEOS, video_dir, columns, time_unit, quotes)


def read_files(
    source: str,
    kind: FileKind,
    folder: str | None,
    columns: Mapping[str, str | None] | None,
    time_unit: str,
    quotes: bool = True,
) -> Corpus:
    """As :func:`read`, for files of any kind, named relative to ``folder`` by the column ``video``."""
    path = Path(source).expanduser().absolute()
    if path.is_dir():
        if folder is not None or any(theirs != kind.column for theirs in _renamed(columns).values()):
            raise ConfigError(
                f"data.source={path} is a folder, so data.corpus.columns and {kind.folder_setting} have no effect."
            )
        return _read_folder(path, kind)
    files = to_folder(folder or path.parent)
    clips, named = read_rows(path, kind, files, columns, time_unit, quotes)
    if not named:
        return Corpus(clips, notes=[f"{path.name} names no {kind.name}s."])
    remedy = f"Set {kind.folder_setting} to the folder that the names in the table start from."
    clips, left_out, notes = keep_existing(path, clips, files, what=kind.name, remedy=remedy)
    return Corpus(clips, files, notes=notes, left_out=left_out)


def read_rows(
    path: Path, kind: FileKind, folder: Path, columns: Mapping[str, str | None] | None, time_unit: str, quotes: bool
) -> tuple[list[Clip], bool]:
    """The clips of a table, whether or not their files exist in ``folder``, and whether it has a column of files.

    Args and errors as :func:`read_files`.
    """
    if time_unit not in _SECONDS:
        raise ConfigError(f"data.corpus.time_unit={time_unit!r} is none of {', '.join(_SECONDS)}.")
    renamed = _renamed(columns)
    table = read_table(path, required=tuple(renamed.values()), quotes=quotes)
    theirs = {ours: renamed.get(ours, ours) for ours in COLUMNS}
    present = {ours for ours, name in theirs.items() if name in table[0]}
    for needed in ({"clip_id", "video"}, {"gloss", "text"}):
        if not present & needed:
            first, second = (theirs[ours] for ours in sorted(needed))
            if len(table[0]) == 1:
                raise DataError(
                    f"{path}: has one column only, {next(iter(table[0]))!r}. Tabs separate columns in a .tsv, commas "
                    "in a .csv: rename the table, or save it so."
                )
            raise DataError(
                f"{path}: has neither a column {first!r} nor {second!r}. Its header (line 1) holds: "
                f"{', '.join(table[0])}. Say which column it is, for example data.corpus.columns.{sorted(needed)[0]}="
                f"{next(iter(table[0]))}."
            )
    rows = [
        {ours: row.get(name, "") for ours, name in theirs.items()} | extra_columns(row, theirs.values())
        for row in table
    ]
    several = {name for name, count in Counter(row["video"] for row in rows).items() if count > 1}
    unit_s = _SECONDS[time_unit]
    clips = rows_to_clips(path, rows, lambda row: _row_to_clip(row, folder, present, several, kind, unit_s))
    return clips, "video" in present


def _renamed(columns: Mapping[str, str | None] | None) -> dict[str, str]:
    """The manifest's column -> the table's, of those that have another name."""
    renamed = {ours: theirs for ours, theirs in (columns or {}).items() if theirs is not None}
    unknown = sorted(set(renamed) - set(COLUMNS))
    if unknown:
        raise ConfigError(f"data.corpus.columns names {', '.join(unknown)}. Known: {', '.join(COLUMNS)}.")
    return renamed


def _row_to_clip(
    row: dict[str, str], folder: Path, present: set[str], several: set[str], kind: FileKind, unit_s: float
) -> Clip:
    """Turn one row into a clip; ``several`` are the files with more than one clip."""
    video = to_relative(folder, row["video"]) if "video" in present else ""
    start_s, end_s = (_seconds(row[name], unit_s) if row[name] else None for name in ("start_s", "end_s"))
    start_s = start_s or 0.0
    if end_s is not None and end_s <= start_s:
        raise ValueError(f"end_s={end_s:g} is not after start_s={start_s:g}.")
    clip_id = row["clip_id"]
    if "clip_id" not in present:
        clip_id = to_clip_id(without_suffix(video, kind.suffixes))
        clip_id += f"_{start_s:g}" if row["video"] in several else ""
    texts = {name: row[name] for name in ("signer", "gloss", "category", "text")}
    extra = extra_columns(row, COLUMNS)
    return Clip(clip_id, video, start_s, end_s, to_split(row["split"]), extra=extra, **texts)


def _seconds(text: str, unit_s: float) -> float:
    return to_seconds(text) * (1 if ":" in text else unit_s)


def _read_folder(folder: Path, kind: FileKind) -> Corpus:
    files = sorted(p.relative_to(folder) for p in folder.rglob("*") if p.is_file())
    files = [path for path in files if not any(part.startswith(".") for part in path.parts)]
    chosen = [path for path in files if path.suffix.lower() in kind.suffixes]
    if not chosen:
        raise DataError(f"{folder}: holds no {kind.name} ({', '.join(kind.suffixes)}). {kind.two_forms}")
    misplaced = [path for path in chosen if len(path.parts) != 2]
    if misplaced:
        raise DataError(
            f"{folder}: {len(misplaced)} of its {len(chosen)} {kind.name}s are not in a subfolder named by their gloss "
            f"({misplaced[0]}), so their labels are unknown. {kind.two_forms}"
        )
    glosses = {path.parts[0] for path in chosen}
    if len(glosses) == 1 or {gloss.lower() for gloss in glosses} <= set(SPLIT_NAMES):
        raise DataError(
            f"{folder}: its subfolders are {', '.join(sorted(glosses))}; no two are glosses. {kind.two_forms}"
        )
    rows = [{"video": path.as_posix(), "gloss": path.parts[0]} for path in chosen]
    places = [row["video"] for row in rows]
    clips = rows_to_clips(folder, rows, lambda row: _file_to_clip(row, kind), places=places)
    others = [path for path in files if path not in set(chosen)]
    notes = [f"{len(others)} files are no {kind.name}s and not read ({others[0]})."] if others else []
    return Corpus(clips, folder, notes=notes)


def _file_to_clip(row: dict[str, str], kind: FileKind) -> Clip:
    return Clip(to_clip_id(without_suffix(row["video"], kind.suffixes)), row["video"], gloss=row["gloss"])
