"""SSVP-SLT's folder: sentences with their videos, or with the features that it made of them.

::

    manifests/<split>.tsv            video_name, duration (s), caption       videos/[<prefix>/]<video_name>
    manifests/<split>_features.tsv   video_name, length (tokens), label      features/<copy>/<prefix>/<stem>.pt

Tab-separated, no header, quotes are plain characters; ``prefix`` is the name's first five characters. Of the features,
copy 0 is read as the clips' own, and copies 1, 2 ... of train clips as augmented ones (``modality.augmented_copies``).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from pathlib import Path

from sign_recog.corpora.annotation import (
    keep_existing,
    rows_to_clips,
    to_clip_id,
    to_folder,
    to_relative,
    without_video_suffix,
)
from sign_recog.corpora.base import Corpus
from sign_recog.errors import ConfigError, DataError
from sign_recog.formats import ssvp_slt
from sign_recog.formats.ssvp_slt import NAME_COLUMN, PREFIX, manifest_name
from sign_recog.storage.features import FeatureSequence
from sign_recog.storage.manifest import SPLITS, Clip, inside, listing, read_table


class Kind(str, Enum):
    """What the folder is read for; the value is the setting's, and the folder's name."""

    videos = "videos"
    features = "features"

    def manifest(self, split: str) -> str:
        return manifest_name(split) if self is Kind.features else f"manifests/{split}.tsv"

    @property
    def columns(self) -> tuple[str, str, str]:
        return (NAME_COLUMN, "length", "label") if self is Kind.features else (NAME_COLUMN, "duration", "caption")


def read(
    source: str,
    out_dir: Path,
    *,
    kind: str | None,
    splits: Sequence[str] | None,
    token_ms: float,
    window_tokens: int,
    window_ms: float,
    boxes: str | None = None,
    video_dir: str | None = None,
) -> Corpus:
    """Read the folder. A clip is named by its video, without suffix; ``out_dir`` is unused, nothing is written.

    Rows whose video or tensor does not exist are left out, with a note. The columns ``video_name`` and ``duration``
    or ``length`` are kept as they stand.

    Args:
        kind: ``videos`` or ``features``; None = what the folder has manifests of.
        splits: Those to read, say [train] of a corpus that is only trained on; None = those there are.
        token_ms, window_tokens, window_ms: Time of a token, tokens of a window, and time from a window's start to the
            next one's, for the tokens' times; the files hold none.
        boxes: A table of where the signer is in each video, for ``data.crop=annotation``: video_name, and box or x0,
            y0, x1, y1. None = there is none.
        video_dir: Folder of the videos; None = ``videos`` in ``source``.

    Raises:
        ConfigError: If a setting is none, or has no effect.
        DataError: If there is no manifest, rows are wrong (all are named, by file and line), or no file exists.
    """
    check_times(token_ms, window_tokens, window_ms)
    folder = to_folder(source)
    chosen = _kind(folder, kind)
    for name, value in (("corpus.boxes", boxes), ("video_dir", video_dir)):
        if chosen is Kind.features and value is not None:
            raise ConfigError(f"data.{name}={value} has no effect: features are read, and no videos.")
    paths = _manifests(folder, chosen, splits)
    if chosen is Kind.features:
        corpus = read_features(folder, paths, token_ms=token_ms, window_tokens=window_tokens, window_ms=window_ms)
        corpus.notes.append(times_note(token_ms, window_ms))
        return corpus
    files = to_folder(video_dir) if video_dir else folder / chosen.value
    clips = _clips(chosen, folder, paths, files)
    box_notes = [] if boxes is None else _add_boxes(clips, Path(boxes).expanduser())
    clips, left_out, notes = keep_existing(folder / "manifests", clips, files, remedy=_REMEDY)
    return Corpus(clips, files, notes=notes + box_notes, left_out=left_out)


def read_features(
    folder: Path, paths: Mapping[str, Path], *, token_ms: float, window_tokens: int, window_ms: float
) -> Corpus:
    """Read the features of ``folder`` that the manifests ``paths``, split -> table, name.

    Args and errors as :func:`read`, which has checked them.
    """
    files, plain = folder / Kind.features.value, folder / Kind.features.value / "0"
    clips = _clips(Kind.features, folder, paths, plain)
    clips, left_out, notes = keep_existing(folder / "manifests", clips, plain, what="feature file", remedy=_REMEDY)
    load = partial(ssvp_slt.read, token_ms=token_ms, window_tokens=window_tokens, window_ms=window_ms)
    names = {clip.clip_id: clip.video for clip in clips}
    for clip in clips:
        clip.video = ""
    own = Tensors(plain, names, load)
    copies = sorted(int(path.name) for path in files.iterdir() if path.name.isdecimal() and path.name != "0")
    corpus = Corpus(clips, features=own, notes=notes, left_out=left_out, noticed=own.noticed)
    corpus.augmented = {copy: Tensors(files / str(copy), names, load) for copy in copies}
    return corpus


def times_note(token_ms: float, window_ms: float) -> str:
    """What the user should know of the times of features."""
    return f"The files hold no times: tokens of {token_ms:g} ms, windows every {window_ms:g} ms are assumed."


def check_times(token_ms: float, window_tokens: int, window_ms: float) -> None:
    """Raises ConfigError unless the settings of tokens' times are above 0."""
    if min(token_ms, window_tokens, window_ms) <= 0:
        raise ConfigError(
            f"data.corpus: token_ms={token_ms:g}, window_tokens={window_tokens} and window_ms={window_ms:g} must be "
            "above 0."
        )


def _kind(folder: Path, kind: str | None) -> Kind:
    known = {one.value for one in Kind}
    if kind is not None and kind not in known:
        raise ConfigError(f"data.corpus.kind={kind} is none of {', '.join(sorted(known))}; null = whichever is there.")
    if kind is not None:
        return Kind(kind)
    found = [one for one in Kind if any((folder / one.manifest(split)).is_file() for split in SPLITS)]
    if len(found) > 1:
        raise ConfigError(
            f"{folder}: has manifests of videos and of features. Say which to read: data.corpus.kind=videos or "
            "data.corpus.kind=features, each with a data.name of its own."
        )
    return found[0] if found else Kind.videos  # looking for its manifests says what is missing


def _manifests(folder: Path, kind: Kind, splits: Sequence[str] | None) -> dict[str, Path]:
    """Split -> its table, of those to read."""
    if splits is not None and (not splits or set(splits) - set(SPLITS)):
        raise ConfigError(f"data.corpus.splits={list(splits)} may name {', '.join(SPLITS)}; null = those there are.")
    paths = {split: folder / kind.manifest(split) for split in (splits or SPLITS)}
    there = {split: path for split, path in paths.items() if path.is_file()}
    if not there or (splits and len(there) < len(paths)):
        missing = ", ".join(str(path.relative_to(folder)) for path in paths.values() if not path.is_file())
        held = sorted(path.name for path in (folder / "manifests").glob("*")) or ["nothing"]
        raise DataError(
            f"{folder}: has no {missing}; manifests/ holds {', '.join(held[:5])}. Set data.source to the folder of "
            "manifests/, or data.corpus.splits to the splits that it has."
        )
    return there


def _clips(kind: Kind, folder: Path, paths: Mapping[str, Path], files: Path) -> list[Clip]:
    """One clip a line of the tables; ``Clip.video`` is relative to ``files``."""
    rows, places = [], []
    for split, path in paths.items():
        for number, line in _lines(path):
            rows.append({"split": split, "line": line})
            places.append(f"{path.name}, line {number}")
    return rows_to_clips(folder / "manifests", rows, partial(_clip, kind, files), places)


def _lines(path: Path) -> list[tuple[int, str]]:
    """Number and text of every line that is not empty; a caption may hold any character but tab and line feed."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as UTF-8 text ({error}). Save it as UTF-8.") from error
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    if not lines:
        raise DataError(f"{path}: is empty. Leave the split out, as by data.corpus.splits.")
    return lines


def _clip(kind: Kind, folder: Path, row: Mapping[str, str]) -> Clip:
    """One row; ``Clip.video`` is its file in ``folder``, or where one should be."""
    cells = tuple(cell.strip() for cell in row["line"].split("\t"))
    if len(cells) != 3:
        raise ValueError(f"has {len(cells)} columns instead of 3: {', '.join(kind.columns)}, separated by tabs.")
    name, number, text = cells
    if _to_number(number) is None:
        unit = "tokens" if kind is Kind.features else "seconds"
        header = " These manifests have no header line." if cells == kind.columns else ""
        raise ValueError(f"{kind.columns[1]} {number!r} is no number of {unit}.{header}")
    if not text:
        raise ValueError(f"the {kind.columns[2]} is empty.")
    file = to_relative(folder, name)
    if kind is Kind.features:
        stem = file.removesuffix(Path(file).suffix)  # whatever stands behind the last dot, as SSVP-SLT does
        # SSVP-SLT's writer takes the prefix of the stem and its reader that of the name; short names differ.
        candidates = [f"{prefix}/{stem}.pt" for prefix in (file[:PREFIX], stem[:PREFIX])]
    else:
        stem = without_video_suffix(file)
        candidates = [f"{file[:PREFIX]}/{file}", file]
    try:
        found = next((one for one in candidates if inside(folder, one).is_file()), candidates[0])
    except OSError as error:  # a name longer than the file system allows
        raise ValueError(f"{name[:40]!r}... cannot be looked for ({error.strerror}).") from error
    extra = {NAME_COLUMN: name, kind.columns[1]: number}
    return Clip(to_clip_id(stem), found, split=row["split"], text=text, extra=extra)


def _to_number(text: str) -> float | None:
    """A finite number that is not negative; None = it is none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _add_boxes(clips: Sequence[Clip], path: Path) -> list[str]:
    """Give the clips the columns of their boxes; the note says how many have none."""
    rows = read_table(path, required=(NAME_COLUMN,))
    columns = [name for name in rows[0] if name in _BOX_COLUMNS]
    if not columns:
        raise DataError(f"{path}: has no column box, nor x0, y0, x1 and y1. Its header holds: {', '.join(rows[0])}.")
    boxes: dict[str, dict[str, str]] = {}
    twice = []
    for row in rows:
        if boxes.setdefault(row[NAME_COLUMN], row) is not row:
            twice.append(row[NAME_COLUMN])
    if twice:
        raise DataError(listing(f"{path}: {len(twice)} videos stand more than once. Keep one box of each.", twice))
    without = [clip for clip in clips if clip.extra[NAME_COLUMN] not in boxes]
    if len(without) == len(clips):
        raise DataError(
            f"{path}: names none of the {len(clips)} videos ({clips[0].extra[NAME_COLUMN]}, ...). Its {NAME_COLUMN} "
            "must be that of the manifests."
        )
    for clip in clips:
        row = boxes.get(clip.extra[NAME_COLUMN], {})
        clip.extra |= {name: row[name] for name in columns if name in row}
    return [f"{len(without)} of {len(clips)} videos have no box in {path.name}."] if without else []


@dataclass
class Tensors:
    """A clip's tokens from one copy's folder; what the manifest said of their number is compared."""

    folder: Path
    names: Mapping[str, str]  # clip_id -> file in folder
    load: Callable[..., FeatureSequence]
    others: dict[str, tuple[str, int]] = field(default_factory=dict)  # clip_id -> length in the table, in the file

    def path(self, clip: Clip) -> Path:
        return self.folder / self.names[clip.clip_id]

    def __call__(self, clip: Clip) -> FeatureSequence:
        sequence = self.load(self.path(clip), clip_id=clip.clip_id)
        if float(clip.extra["length"]) != len(sequence.features):
            self.others[clip.clip_id] = (clip.extra["length"], len(sequence.features))
        return sequence

    def noticed(self) -> list[str]:
        """A sentence where lengths differ; the files' hold."""
        if not self.others:
            return []
        listed = [f"{name} {table} and {own}" for name, (table, own) in sorted(self.others.items())]
        more = ", ..." if len(listed) > _MOST_NAMED else ""
        return [
            f"{len(listed)} of {len(self.names)} clips have another length in the manifest than in their file: "
            f"{', '.join(listed[:_MOST_NAMED])}{more}. Those of the files are used."
        ]


_BOX_COLUMNS = ("box", "x0", "y0", "x1", "y1")
_MOST_NAMED = 5
_REMEDY = (
    "Videos stand in videos/ or data.video_dir, by name or below the first 5 characters of it; features in features/0."
)
