"""Clips that come as features: a table of glosses or sentences, and one ``.npy``, ``.npz`` or ``.pt`` a clip."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from sign_recog.corpora.annotation import keep_existing, to_folder, without_video_suffix
from sign_recog.corpora.base import Corpus
from sign_recog.corpora.manifest import FileKind, read_rows
from sign_recog.errors import ConfigError, DataError
from sign_recog.formats import vectors
from sign_recog.storage.features import FeatureSequence
from sign_recog.storage.manifest import Clip, inside, listing

_FEATURES = FileKind("features", vectors.SUFFIXES, "video")


def read(
    source: str,
    out_dir: Path,
    *,
    step_ms: float | None,
    features_dir: str | None = None,
    columns: Mapping[str, str | None] | None = None,
    quotes: bool = True,
) -> Corpus:
    """Read a table as :func:`sign_recog.corpora.manifest.read` does.

    A clip's file is called as its clip_id, or as the column ``video`` says, which may name the file or the video that
    it was made of. Rows without a file are left out, with a note.

    Args:
        out_dir: Unused; nothing is written.
        step_ms: From one vector to the next; None = not known.
        features_dir: The folder of the files; None = the table's.
        columns: The manifest's column -> the table's, where they differ.
        quotes: Whether ``"`` encloses fields.

    Raises:
        ConfigError: If ``step_ms`` is not above 0.
        DataError: If the table lacks a column, lines are wrong (all are named), a clip has two files or two clips have
            one, or no file exists.
    """
    if step_ms is not None and step_ms <= 0:
        raise ConfigError(f"data.corpus.step_ms={step_ms:g} must be above 0, or null where it is not known.")
    table = Path(source).expanduser().absolute()
    if table.is_dir():
        raise DataError(f"{table}: is a folder. Give data.source the table, and data.corpus.features_dir the folder.")
    if features_dir is not None and not Path(features_dir).expanduser().is_dir():
        raise DataError(f"data.corpus.features_dir={features_dir}: no such folder. Give that of the feature files.")
    folder = to_folder(features_dir or table.parent)
    clips, _ = read_rows(table, _FEATURES, folder, columns, "s", quotes)
    found = {clip.clip_id: _files(folder, clip) for clip in clips}
    _refuse_doubtful(folder, found)
    named = [replace(clip, video=(found[clip.clip_id] or [_names(clip)[0]])[0]) for clip in clips]
    kept, left_out, notes = keep_existing(table, named, folder, what="feature file", remedy=_REMEDY)
    paths = {clip.clip_id: folder / clip.video for clip in kept}
    clips = [replace(clip, video="", start_s=0.0, end_s=None) for clip in kept]
    return Corpus(clips, features=_Files(paths, step_ms), notes=notes, left_out=left_out)


def _names(clip: Clip) -> list[str]:
    """What the clip's file may be called."""
    stems = [clip.clip_id, *([clip.video, without_video_suffix(clip.video)] if clip.video else [])]
    names = [f"{stem}{suffix}" for stem in stems for suffix in vectors.SUFFIXES]
    return [*([clip.video] if clip.video.lower().endswith(vectors.SUFFIXES) else []), *names]


def _files(folder: Path, clip: Clip) -> list[str]:
    return [name for name in dict.fromkeys(_names(clip)) if inside(folder, name).is_file()]


def _refuse_doubtful(folder: Path, found: Mapping[str, list[str]]) -> None:
    """A clip with two files, or a file of two clips, would be read wrongly without a word."""
    doubtful = [f"clip {clip_id}: {' and '.join(names)}" for clip_id, names in found.items() if len(names) > 1]
    if doubtful:
        raise DataError(listing(f"{folder}: {len(doubtful)} clips have several files. Keep one of each.", doubtful))
    count = Counter(name for names in found.values() for name in names)
    twice = [name for name in count if count[name] > 1]
    if twice:
        head = f"{folder}: {len(twice)} files stand in several rows, and a file is read as one clip. Divide them."
        raise DataError(listing(head, twice))


@dataclass(frozen=True)
class _Files:
    """A clip's vectors, from its file."""

    paths: dict[str, Path]
    step_ms: float | None

    def __call__(self, clip: Clip) -> FeatureSequence:
        return vectors.read(self.paths[clip.clip_id], clip_id=clip.clip_id, step_ms=self.step_ms)


_REMEDY = (
    "Set data.corpus.features_dir to their folder; a file is called as the clip_id or the column video says, with "
    f"{', '.join(vectors.SUFFIXES[:-1])} or {vectors.SUFFIXES[-1]}."
)
