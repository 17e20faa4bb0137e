"""FSL-105 as FSLR (S1) prepares it: ``labels.csv`` with ``file,gloss,cat[,occluded]``, and videos or ``.npz``.

FSLR stores x and y each as a share of the image (its images are squashed to a square), so y needs the camera's
aspect; its files do not hold it. A file may hold keypoints, InceptionV3 features, or both.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

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
from sign_recog.formats import fslr
from sign_recog.storage.manifest import Clip, listing, read_table

_Read = TypeVar("_Read")
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
        width, height: The camera's image in pixels; only ``.npz`` files that do not hold it need it.
        video_dir: Folder of the videos or ``.npz``, named as the column file says, with or without suffix;
            None = the table's folder.
        label_reference: Table with gloss_id and label (or gloss), and optionally cat_id and category: the names of
            the numbers in labels.csv. None = the numbers are the names.

    Raises:
        DataError: If a table lacks a column, lines are wrong (all are named), no file exists, videos and ``.npz`` are
            mixed, or the ``.npz`` have neither keypoints nor features in common.
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
        if row.get("occluded", "0") not in ("0", "1"):
            raise ValueError(f"occluded={row['occluded']!r} is neither 0 nor 1.")
        return Clip(
            to_clip_id(_without_suffix(name)),
            video=found[0] if found else name,
            split=to_split(row.get("split", "")),
            signer=row.get("signer", ""),
            gloss=gloss,
            category=category,
            extra=extra_columns(row, _USED),
        )

    clips, left_out, notes = keep_existing(table, rows_to_clips(table, rows, row_to_clip), folder)
    arrays = {clip.clip_id: folder / clip.video for clip in clips if clip.video.lower().endswith(".npz")}
    corpus = Corpus(clips, folder, gloss_ids=names.glosses, category_ids=names.categories, notes=notes)
    corpus.left_out = left_out
    if not arrays:
        return corpus
    if len(arrays) < len(clips):
        raise DataError(
            f"{folder}: holds .npz files for {len(arrays)} of the {len(clips)} clips and videos for the others. "
            "Set data.video_dir to a folder of one kind."
        )
    for clip in clips:
        clip.video = ""
    corpus.video_dir = None
    _offer_arrays(corpus, folder, arrays, width, height)
    return corpus


def _offer_arrays(corpus: Corpus, folder: Path, arrays: dict[str, Path], width: int, height: int) -> None:
    """Let ``corpus`` offer what every one of its ``.npz`` holds, and note what only some hold."""
    found, problems = {}, []
    for clip_id, path in arrays.items():
        try:
            found[clip_id] = fslr.contents(path)
        except DataError as error:
            problems.append(str(error))
    if problems:
        raise DataError(listing(f"{folder}: {len(problems)} of {len(arrays)} files cannot be used.", problems))
    for kind in sorted(fslr.KINDS):
        without = [clip_id for clip_id, contents in found.items() if kind not in contents.kinds]
        if 0 < len(without) < len(found):
            corpus.notes.append(
                f"{len(without)} of {len(found)} files hold no {kind} ({', '.join(without[:3])}), so {kind} are not "
                "offered. Complete the files, or leave these out of labels.csv."
            )
        if not without and kind == "keypoints":
            corpus.keypoints = partial(_read_clip, partial(fslr.read, width=width, height=height), arrays)
        if not without and kind == "features":
            corpus.features = partial(_read_clip, fslr.read_features, arrays)
    if corpus.keypoints is None and corpus.features is None:
        raise DataError(f"{folder}: its files have neither keypoints (X) nor features (X2048) in common.")
    if corpus.keypoints is not None:
        corpus.notes.append("The files hold no depth: z is 0.")
        if not all(contents.knows_camera for contents in found.values()):
            corpus.notes.append(
                f"The files do not say the camera's size: y is scaled as in an image of {width}x{height} pixels."
            )


def _read_clip(read_file: Callable[..., _Read], paths: dict[str, Path], clip: Clip) -> _Read:
    return read_file(paths[clip.clip_id], clip_id=clip.clip_id)


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
    # A category number without a name says that the gloss has no category.
    categories = {(row["cat_id"], row["category"]) for row in rows if row.get("cat_id") and "category" in row}
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
