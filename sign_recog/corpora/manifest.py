"""Any table with named columns, or a folder of videos with one subfolder a gloss."""

from collections import Counter
from collections.abc import Mapping
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
    without_video_suffix,
)
from sign_recog.corpora.base import Corpus
from sign_recog.errors import ConfigError, DataError
from sign_recog.storage.manifest import COLUMNS, Clip, read_table

_TWO_FORMS = (
    "Give data.source a table (.csv or .tsv with the columns video and gloss), "
    "or a folder with one subfolder a gloss: <folder>/<gloss>/<clip>.mp4."
)


def read(
    source: str, out_dir: Path, *, video_dir: str | None = None, columns: Mapping[str, str | None] | None = None
) -> Corpus:
    """Read a table (its suffix says whether comma or tab separates), or a folder of videos.

    Rows whose video does not exist are left out, with a note. Where the table has no column clip_id, a clip is
    named by its video's path, and by its start as well if the video has several clips.

    Args:
        out_dir: Unused; nothing is written.
        video_dir: The folder that the names in the column ``video`` start from; None = the table's.
        columns: The manifest's column -> the table's, where they differ: ``{gloss: Label, signer: Participant}``;
            None = the same name.
            Times are in seconds or h:mm:ss; split names such as dev and testing are understood.

    Raises:
        DataError: If the table lacks a column, or lines are wrong (all are named), or no video exists.
    """
    path = Path(source).expanduser().absolute()
    renamed = {ours: theirs for ours, theirs in (columns or {}).items() if theirs is not None}
    unknown = sorted(set(renamed) - set(COLUMNS))
    if unknown:
        raise ConfigError(f"data.corpus.columns names {', '.join(unknown)}. Known: {', '.join(COLUMNS)}.")
    if path.is_dir():
        if renamed or video_dir is not None:
            raise ConfigError(f"data.source={path} is a folder, so data.corpus.columns and video_dir have no effect.")
        return _read_folder(path)
    return _read_table(path, to_folder(video_dir or path.parent), renamed)


def _read_table(path: Path, video_dir: Path, columns: dict[str, str]) -> Corpus:
    table = read_table(path, required=tuple(columns.values()))
    theirs = {ours: columns.get(ours, ours) for ours in COLUMNS}
    present = {ours for ours, name in theirs.items() if name in table[0]}
    for needed in ({"clip_id", "video"}, {"gloss", "text"}):
        if not present & needed:
            first, second = (theirs[ours] for ours in sorted(needed))
            raise DataError(
                f"{path}: has neither a column {first!r} nor {second!r}. Its header (line 1) holds: "
                f"{', '.join(table[0])}. Say which column it is, for example data.corpus.columns.{sorted(needed)[0]}="
                f"{next(iter(table[0]))}."
            )
    rows = [
        {ours: row.get(name, "") for ours, name in theirs.items()} | extra_columns(row, theirs.values())
        for row in table
    ]
    spans = Counter(row["video"] for row in rows)
    clips = rows_to_clips(path, rows, lambda row: _row_to_clip(row, video_dir, present, spans))
    if "video" not in present:
        return Corpus(clips, notes=[f"{path.name} names no videos."])
    clips, notes = keep_existing(path, clips, video_dir)
    return Corpus(clips, video_dir, notes=notes)


def _row_to_clip(row: dict[str, str], video_dir: Path, present: set[str], spans: Counter[str]) -> Clip:
    video = to_relative(video_dir, row["video"]) if "video" in present else ""
    start_s = to_seconds(row["start_s"] or "0")
    end_s = to_seconds(row["end_s"]) if row["end_s"] else None
    if end_s is not None and end_s <= start_s:
        raise ValueError(f"end_s={end_s:g} is not after start_s={start_s:g}.")
    clip_id = row["clip_id"]
    if "clip_id" not in present:
        clip_id = to_clip_id(without_video_suffix(video)) + (f"_{start_s:g}" if spans[row["video"]] > 1 else "")
    texts = {name: row[name] for name in ("signer", "gloss", "category", "text")}
    extra = extra_columns(row, COLUMNS)
    return Clip(clip_id, video, start_s, end_s, to_split(row["split"]), extra=extra, **texts)


def _read_folder(folder: Path) -> Corpus:
    files = sorted(p.relative_to(folder) for p in folder.rglob("*") if p.is_file())
    files = [path for path in files if not any(part.startswith(".") for part in path.parts)]
    videos = [path for path in files if path.suffix.lower() in VIDEO_SUFFIXES]
    if not videos:
        raise DataError(f"{folder}: holds no video ({', '.join(VIDEO_SUFFIXES)}). {_TWO_FORMS}")
    misplaced = [path for path in videos if len(path.parts) != 2]
    if misplaced:
        raise DataError(
            f"{folder}: {len(misplaced)} of its {len(videos)} videos are not in a subfolder named by their gloss "
            f"({misplaced[0]}), so their labels are unknown. {_TWO_FORMS}"
        )
    glosses = {path.parts[0] for path in videos}
    if len(glosses) == 1 or {gloss.lower() for gloss in glosses} <= set(SPLIT_NAMES):
        raise DataError(f"{folder}: its subfolders are {', '.join(sorted(glosses))}; no two are glosses. {_TWO_FORMS}")
    rows = [{"video": path.as_posix(), "gloss": path.parts[0]} for path in videos]
    clips = rows_to_clips(folder, rows, _file_to_clip, places=[row["video"] for row in rows])
    others = [path for path in files if path not in set(videos)]
    notes = [f"{len(others)} files are no videos and not read ({others[0]})."] if others else []
    return Corpus(clips, folder, notes=notes)


def _file_to_clip(row: dict[str, str]) -> Clip:
    return Clip(to_clip_id(without_video_suffix(row["video"])), row["video"], gloss=row["gloss"])
