"""Keypoints and features that a corpus comes with, written as if they had been extracted."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from sign_recog.corpora.base import Corpus
from sign_recog.data.readers import clip_path
from sign_recog.errors import DataError
from sign_recog.storage import atomic
from sign_recog.storage.corpus import GIVEN, PreparedCorpus
from sign_recog.storage.features import read_features, write_features
from sign_recog.storage.sequences import read_keypoints, write_keypoints

logger = logging.getLogger(__name__)


def write_given(corpus: Corpus, prepared: PreparedCorpus) -> dict[str, int]:
    """Write what ``corpus`` comes with into ``given`` folders, and count what was written and what failed.

    A file that holds the same already stays as it is. A clip whose source cannot be read is left without a file;
    failed.tsv beside the files says why.

    Raises:
        DataError: If no clip's source can be read.
    """
    counts: dict[str, int] = {}
    if corpus.keypoints is not None:
        folder = prepared.keypoints_dir(GIVEN)
        counts |= _write_kind("keypoint", prepared, folder, corpus.keypoints, read_keypoints, write_keypoints)
    if corpus.features is not None:
        folder = prepared.features_dir(GIVEN)
        counts |= _write_kind("feature", prepared, folder, corpus.features, read_features, write_features)
    for copy, load in corpus.augmented.items():
        folder = prepared.augmented_dir(GIVEN, copy)
        kind = f"augmented copy {copy}'s feature"
        counts |= _write_kind(kind, prepared, folder, load, read_features, write_features, split="train")
    return counts


def _write_kind(
    kind: str,
    prepared: PreparedCorpus,
    folder: Path,
    load: Callable[..., Any],
    read: Callable[[Path], Any],
    write: Callable[[Path, Any], None],
    split: str | None = None,
) -> dict[str, int]:
    """Write the clips of ``split``, None = all."""
    written, failed = 0, {}
    clips = prepared.clips if split is None else prepared.of_split(split)
    for clip in tqdm(clips, desc=f"{kind} files", unit="clip", mininterval=1.0):
        path = clip_path(folder, clip)
        try:
            sequence = load(clip)
        except DataError as error:
            failed[clip.clip_id] = " ".join(str(error).split())
            logger.warning("%s", error)
            continue
        if not _holds(path, sequence, read):
            write(path, sequence)
            written += 1
    if clips and len(failed) == len(clips):
        first, reason = next(iter(failed.items()))
        raise DataError(f"None of {len(failed)} clips has readable {kind}s. The first: {first}: {reason}")
    for clip in clips:
        if clip.clip_id in failed:
            clip_path(folder, clip).unlink(missing_ok=True)  # of a source that was good before
    rows = [("clip_id", "reason"), *failed.items()]
    atomic.write_text(folder / "failed.tsv", "".join("\t".join(row) + "\n" for row in rows))
    counts = {f"{kind} files written": written}
    return counts | ({f"clips without {kind}s": len(failed)} if failed else {})


def _holds(path: Path, sequence: Any, read: Callable[[Path], Any]) -> bool:
    """Whether the file at ``path`` is there, whole, and of the same values."""
    if not path.exists():
        return False
    try:
        stored = read(path)
    except DataError:
        return False  # damaged: it is made again
    arrays = [name for name, value in vars(sequence).items() if isinstance(value, np.ndarray)]
    same = all(np.array_equal(getattr(stored, n), getattr(sequence, n), equal_nan=True) for n in arrays)
    return same and sequence.meta.items() <= stored.meta.items()
