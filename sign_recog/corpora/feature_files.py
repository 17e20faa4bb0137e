"""Clips that come as features: a table with their labels or sentences, and one array ``.npy``, ``.npz`` or ``.pt`` each."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from sign_recog.corpora.annotation import keep_existing, to_folder
from sign_recog.corpora.base import Corpus
from sign_recog.corpora.manifest import FileKind, read_files
from sign_recog.errors import ConfigError, DataError
from sign_recog.formats import vectors
from sign_recog.storage.features import FeatureSequence
from sign_recog.storage.manifest import Clip, inside, listing

_FEATURES = FileKind("features", vectors.SUFFIXES, "path")


def read(
    source: str,
    out_dir: Path,
    *,
    step_ms: float | None,
    features_dir: str | None = None,
    columns: Mapping[str, str | None] | None = None,
    quotes: bool = True,
) -> Corpus:
    """Read a table as :func:`sign_recog.corpora.manifest.read` does, or a folder with one subfolder a gloss.

    A file is that of one clip: the one that the column ``path`` names; without this column ``<clip_id>.npy``, ``.npz``
    or ``.pt``. Rows whose file does not exist are left out, with a note.

    Args:
        out_dir: Unused; nothing is written.
        step_ms: From one vector to the next; None = not known.
        features_dir: The folder of the files; None = the table's.
        columns: The manifest's column -> the table's; ``video`` is the column of the file.
        quotes: Whether ``"`` encloses fields.

    Raises:
        ConfigError: If ``step_ms`` is not above 0.
        DataError: If the table lacks a column, lines are wrong (all are named), a clip has two files or two clips have
            one, or no file exists.
    """
    if step_ms is not None and step_ms <= 0:
        raise ConfigError(f"data.corpus.step_ms={step_ms:g} must be above 0, or null where it is not known.")
    corpus = read_files(source, _FEATURES, features_dir, columns, "s", quotes)
    if corpus.video_dir is None:
        corpus = _by_name(Path(source), corpus.clips, to_folder(features_dir or Path(source).expanduser().parent))
    assert corpus.video_dir is not None
    twice = [name for name, count in Counter(clip.video for clip in corpus.clips).items() if count > 1]
    if twice:
        raise DataError(
            listing(f"{source}: {len(twice)} files stand in several rows. A file holds one clip: divide them.", twice)
        )
    paths = {clip.clip_id: corpus.video_dir / clip.video for clip in corpus.clips}
    clips = [replace(clip, video="") for clip in corpus.clips]
    return Corpus(clips, features=_Files(paths, step_ms), notes=corpus.notes, left_out=corpus.left_out)


def _by_name(table: Path, clips: list[Clip], folder: Path) -> Corpus:
    """The clips of ``table`` with the files in ``folder`` that are called by their ids."""
    found, double = [], []
    for clip in clips:
        names = [f"{clip.clip_id}{suffix}" for suffix in vectors.SUFFIXES]
        there = [name for name in names if inside(folder, name).is_file()]
        found.append(replace(clip, video=(there or names)[0]))
        double += [" and ".join(there)] if len(there) > 1 else []
    if double:
        raise DataError(listing(f"{folder}: {len(double)} clips have two files. Keep one of each.", double))
    kept, left_out, notes = keep_existing(table, found, folder, what=_FEATURES.name, remedy=_REMEDY)
    return Corpus(kept, folder, notes=notes, left_out=left_out)


@dataclass(frozen=True)
class _Files:
    """A clip's vectors, from its file."""

    paths: dict[str, Path]
    step_ms: float | None

    def __call__(self, clip: Clip) -> FeatureSequence:
        return vectors.read(self.paths[clip.clip_id], clip_id=clip.clip_id, step_ms=self.step_ms)


_REMEDY = (
    f"Set data.corpus.features_dir to the folder of the files, <clip_id>{', '.join(vectors.SUFFIXES)}, or name each in "
    "a column path."
)
