"""FSL-105 as FSLR (S1) prepares it: ``labels.csv`` with ``file,gloss,cat[,occluded]``, and videos or ``.npz``.

FSLR stores x and y each as a share of the image (its images are squashed to a square), so y needs the camera's
aspect; the files do not hold it.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sign_recog.corpora.annotation import (
    VIDEO_SUFFIXES,
    extra_columns,
    keep_existing,
    rows_to_clips,
    to_clip_id,
    to_folder,
    to_relative,
    to_split,
    to_table,
)
from sign_recog.corpora.base import Corpus
from sign_recog.errors import DataError
from sign_recog.landmarks.layout import get_layout
from sign_recog.storage.manifest import Clip, listing, read_table
from sign_recog.storage.sequences import UNREADABLE_NPZ, KeypointSequence

_USED = ("file", "gloss", "cat", "split", "signer")
_SUFFIXES = (*VIDEO_SUFFIXES, ".npz")


def read(
    source: str,
    out_dir: Path,
    *,
    width: int,
    height: int,
    video_dir: str | None = None,
    label_reference: str | None = None,
) -> Corpus:
    """Read ``labels.csv``; a column split or signer is used if the table has one.

    Rows whose file does not exist are left out, with a note. ``out_dir`` is unused; nothing is written.

    Args:
        source: The table, or the folder of its ``labels.csv``.
        width, height: The camera's image in pixels; only ``.npz`` files need it.
        video_dir: Folder of the videos or ``.npz``, named as the column file says, with or without suffix;
            None = the table's folder.
        label_reference: Table with gloss_id and label (or gloss), and optionally cat_id and category: the names of
            the numbers in labels.csv. None = the numbers are the names.

    Raises:
        DataError: If a table lacks a column, lines are wrong (all are named), no file exists, or videos and
            ``.npz`` are mixed.
    """
    table = to_table(source, "labels.csv")
    rows = read_table(table, required=("file", "gloss", "cat"))
    folder = to_folder(video_dir or table.parent)
    files = _files_by_name(folder)
    names = _read_reference(label_reference) if label_reference else _Names({}, {}, {})

    def row_to_clip(row: dict[str, str]) -> Clip:
        name = to_relative(folder, row["file"])
        found = files.get(_without_suffix(name), [])
        if len(found) > 1:
            raise ValueError(f"file {name!r} may be {' or '.join(found)}. Keep one of them in {folder}.")
        gloss = _name("gloss", row["gloss"], names.glosses)
        category = names.category_of.get(gloss) or _name("cat", row["cat"], names.categories)
        return Clip(
            to_clip_id(_without_suffix(name)),
            video=found[0] if found else name,
            split=to_split(row.get("split", "")),
            signer=row.get("signer", ""),
            gloss=gloss,
            category=category,
            extra=extra_columns(row, _USED),
        )

    clips, notes = keep_existing(table, rows_to_clips(table, rows, row_to_clip), folder)
    arrays = {clip.clip_id: folder / clip.video for clip in clips if clip.video.lower().endswith(".npz")}
    if not arrays:
        return Corpus(clips, folder, notes=notes)
    if len(arrays) < len(clips):
        raise DataError(
            f"{folder}: holds .npz files for {len(arrays)} of the {len(clips)} clips and videos for the others. "
            "Set data.corpus.video_dir to a folder of one kind."
        )
    for clip in clips:
        clip.video = ""
    notes.append(
        f"The files do not say the camera's size: y is scaled as in an image of {width}x{height} pixels. "
        "They hold no depth: z is 0."
    )
    return Corpus(clips, keypoints=_FslrArrays(arrays, width, height), notes=notes)


@dataclass(frozen=True)
class _FslrArrays:
    """A clip's landmarks from FSLR's ``.npz``: X (T, 156), mask (T, 78; True = detected), timestamps_ms (T,)."""

    paths: dict[str, Path]
    width: int
    height: int

    def __call__(self, clip: Clip) -> KeypointSequence:
        path, layout = self.paths[clip.clip_id], get_layout("fslr_78")
        try:
            with np.load(path, allow_pickle=False) as file:
                x, mask, timestamps_ms = (file[key] for key in ("X", "mask", "timestamps_ms"))
                meta = dict(json.loads(str(file["meta"]))) if "meta" in file.files else {}
        except UNREADABLE_NPZ as error:
            raise DataError(f"{path}: is no readable FSLR file ({error}). Make it again, or leave it out.") from error
        frames = len(x)
        shapes = {"X": (x, (frames, 156)), "mask": (mask, (frames, 78)), "timestamps_ms": (timestamps_ms, (frames,))}
        for key, (array, expected) in shapes.items():
            if array.shape != expected:
                raise DataError(f"{path}: {key} has shape {array.shape}, expected {expected} (78 points, 156 values).")
        if not frames or not np.isfinite(x).all():
            raise DataError(f"{path}: X is empty or not finite. Make it again, or leave it out.")
        # FSLR keeps x and y only; z = 0 is the plane that MediaPipe measures depth from (hips, wrists).
        keypoints = np.zeros((frames, 78, 3), np.float32)
        keypoints[:, :, :2] = x.reshape(frames, 78, 2) * (1, self.height / self.width)
        keypoints[~mask.astype(bool)] = np.nan
        origin = {key: meta[key] for key in ("video", "target_fps") if key in meta}
        meta = {"clip_id": clip.clip_id, "width": self.width, "height": self.height, "fps": _fps(timestamps_ms)}
        meta |= {"extractor": "given", "source": path.name, **origin}
        return KeypointSequence(keypoints, mask.astype(np.float32), timestamps_ms.astype(np.int64), layout, meta)


def _fps(timestamps_ms: np.ndarray) -> float:
    step = np.median(np.diff(timestamps_ms)) if len(timestamps_ms) > 1 else 0
    return float(1000 / step) if step > 0 else 0.0


def _files_by_name(folder: Path) -> dict[str, list[str]]:
    """Path without suffix -> the videos and ``.npz`` of that name, relative to ``folder``."""
    found = defaultdict(list)
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in _SUFFIXES and path.is_file():
            name = path.relative_to(folder).as_posix()
            found[_without_suffix(name)].append(name)
    return found


def _without_suffix(name: str) -> str:
    return name[: -len(Path(name).suffix)] if Path(name).suffix.lower() in _SUFFIXES else name


@dataclass(frozen=True)
class _Names:
    """Gloss and category numbers -> names; the category of a gloss, where the table has no category numbers."""

    glosses: dict[str, str]
    categories: dict[str, str]
    category_of: dict[str, str]


def _read_reference(path: str) -> _Names:
    table = Path(path).expanduser()
    rows = read_table(table, required=("gloss_id",))
    column = next((name for name in ("label", "gloss") if name in rows[0]), None)
    if column is None:
        raise DataError(f"{table}: lacks a column label or gloss. Its header (line 1) holds: {', '.join(rows[0])}.")
    glosses = [(row["gloss_id"], row[column]) for row in rows]
    categories = {(row["cat_id"], row["category"]) for row in rows if row.get("cat_id") and row.get("category")}
    problems = _not_one_to_one(glosses) + _not_one_to_one(sorted(categories))
    if problems:
        raise DataError(listing(f"{table}: a number needs one name, and a name one number.", problems))
    category_of = {} if categories else {row[column]: row["category"] for row in rows if row.get("category")}
    return _Names(dict(glosses), dict(categories), category_of)


def _not_one_to_one(pairs: Iterable[tuple[str, str]]) -> list[str]:
    names, numbers = defaultdict(set), defaultdict(set)
    for number, name in pairs:
        names[number].add(name)
        numbers[name].add(number)
    found = [f"{number} is {', '.join(sorted(n))}" for number, n in names.items() if len(n) > 1]
    return found + [f"{name!r} is {', '.join(sorted(n))}" for name, n in numbers.items() if len(n) > 1]


def _name(column: str, value: str, names: dict[str, str]) -> str:
    if names and value not in names and value not in names.values():
        raise ValueError(f"{column}={value!r} is not in data.corpus.label_reference.")
    return names.get(value, value)
