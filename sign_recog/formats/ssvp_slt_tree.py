"""A corpus's feature folders, plain and augmented, as one folder of SSVP-SLT's.

Only what is new or has changed is written, so the folder may grow while an extraction goes on, and several processes
may write it at once: each file is replaced as a whole, and the manifests name what all of them have finished.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from sign_recog.errors import ConfigError, DataError
from sign_recog.formats.ssvp_slt import (
    DTYPES,
    KNOWN,
    length,
    manifest_name,
    tensor_name,
    video_name,
    write_manifests,
    write_tensor,
)
from sign_recog.storage import atomic
from sign_recog.storage.corpus import PreparedCorpus
from sign_recog.storage.features import read_features
from sign_recog.storage.manifest import SPLITS, Clip, inside, listing
from sign_recog.storage.memo import Memo

logger = logging.getLogger(__name__)

MARK = "conversion.json"  # says that a folder is ours to write in, and what it holds
_MAX_NAME = 220  # bytes; file systems allow 255, and a temporary name is longer


def write_tree(
    corpus: PreparedCorpus, folders: Mapping[int, Path], tree_dir: Path, *, dtype: str = "float32"
) -> dict[str, Any]:
    """Write the finished files of ``folders`` into ``tree_dir``, with the manifests; return counts for a summary.

    A clip stands in its split's manifest as soon as it has all its tensors: one, and as a train clip one a copy. What
    is there, whole and newer than its source stays as it is. A source that cannot be read leaves no tensor, and
    failed.tsv in ``tree_dir`` says why.

    Args:
        folders: Copy -> the extraction's folder of ``<clip_id>.npz``: 0 the plain features, 1 ... the augmented copies
            of the train clips.
        dtype: float32, or float16 for half the size.

    Raises:
        ConfigError: If there is no such ``dtype``.
        DataError: If two clips would be one file, or ``tree_dir`` holds tensors of other settings or of somebody else.
    """
    if dtype not in DTYPES:
        raise ConfigError(f"dtype={dtype!r} is none of {', '.join(DTYPES)}.")
    tree_dir = tree_dir.expanduser().absolute()
    names = _names(corpus.clips)
    _claim(tree_dir, corpus.root.name, dtype, folders)
    memo, failed, written, there = Memo(tree_dir / KNOWN), dict[str, str](), 0, 0
    todo = [(copy, clip) for copy in sorted(folders) for clip in corpus.clips if copy == 0 or clip.split == "train"]
    for copy, clip in tqdm(todo, desc="tensors", unit="clip", mininterval=1.0, disable=None):
        source = folders[copy] / f"{clip.clip_id}.npz"
        if not source.is_file():
            continue
        target = inside(tree_dir, tensor_name(names[clip.clip_id], copy))
        if _is_done(target, source, memo):
            there += 1
            continue
        try:
            write_tensor(target, read_features(source).features, dtype)
            written += 1
        except DataError as error:
            target.unlink(missing_ok=True)  # of a source that was good before
            failed[clip.clip_id] = " ".join(str(error).split())
            logger.warning("%s: %s", clip.clip_id, error)
    rows = [("clip_id", "reason"), *failed.items()]
    atomic.write_text(tree_dir / "failed.tsv", "".join("\t".join(row) + "\n" for row in rows))
    listed, unlabelled = _write_manifests(corpus.clips, names, folders, tree_dir, memo)
    memo.save()
    counts = {"tensors written": written, "tensors there before": there, "clips in SSVP-SLT's manifests": listed}
    counts |= {"clips without tensors": len(failed)} if failed else {}
    counts |= {"clips without a label": unlabelled} if unlabelled else {}
    return {**counts, "SSVP-SLT's folder": tree_dir}


def _names(clips: Sequence[Clip]) -> dict[str, str]:
    """clip_id -> video_name, each with a tensor of its own."""
    names, owners, problems = {}, dict[str, str](), []
    for clip in clips:
        names[clip.clip_id] = video_name(clip)
        path = tensor_name(names[clip.clip_id])
        before = owners.setdefault(path, clip.clip_id)
        if before != clip.clip_id:
            problems.append(f"{before} and {clip.clip_id} would both be {path}")
        if len(Path(path).name.encode()) > _MAX_NAME:
            problems.append(f"{clip.clip_id}: {Path(path).name[:40]}... is longer than {_MAX_NAME} bytes")
    if problems:
        head = (
            "SSVP-SLT's folder names a tensor by its clip alone, with / as _, so these cannot be written. Rename them."
        )
        raise DataError(listing(head, problems))
    return names


def _claim(tree_dir: Path, name: str, dtype: str, folders: Mapping[int, Path]) -> None:
    """Make ``tree_dir`` ours; tensors of other settings never stand beside each other."""
    mark, settings = tree_dir / MARK, {str(copy): _extraction(folder) for copy, folder in sorted(folders.items())}
    content: dict[str, Any] = {"format": "ssvp_slt", "corpus": name, "dtype": dtype, "extraction": settings}
    another = "Choose another folder, or delete it."
    if mark.exists():
        try:
            before = json.loads(mark.read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            raise DataError(f"{mark}: is damaged ({error}). {another}") from error
        if not isinstance(before.get("extraction"), dict):
            raise DataError(f"{tree_dir}: holds another conversion ({before}). {another}")
        differing = [key for key in ("format", "corpus", "dtype") if before.get(key) != content[key]]
        differing += [
            f"extraction of copy {copy}" for copy, own in settings.items() if before["extraction"].get(copy, own) != own
        ]
        if differing:
            raise DataError(f"{tree_dir}: holds tensors of other settings ({', '.join(differing)}). {another}")
        content["extraction"] = before["extraction"] | settings
        if content == before:
            return
    elif (tree_dir / "features").exists() or any((tree_dir / manifest_name(split)).exists() for split in SPLITS):
        raise DataError(f"{tree_dir}: holds features or manifests that are not ours. Choose another folder.")
    atomic.write_json(mark, content)


def _extraction(folder: Path) -> Any:
    path = folder / "extraction.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def _is_done(target: Path, source: Path, memo: Memo) -> bool:
    """Whether ``target`` was made from the present ``source``, and is whole."""
    try:
        if target.stat().st_mtime_ns < source.stat().st_mtime_ns:
            return False
        length(target, memo)
    except (FileNotFoundError, DataError):
        return False
    return True


def _write_manifests(
    clips: Sequence[Clip], names: Mapping[str, str], folders: Mapping[int, Path], tree_dir: Path, memo: Memo
) -> tuple[int, int]:
    """Write the tables; again where another process has finished clips in the meantime, whose table this replaced."""
    lengths = _lengths(clips, names, folders, tree_dir, memo)
    while True:
        unlabelled = write_manifests(tree_dir, clips, lengths)
        before, lengths = lengths, _lengths(clips, names, folders, tree_dir, memo)
        if lengths == before:
            return len(lengths) - unlabelled, unlabelled


def _lengths(
    clips: Sequence[Clip], names: Mapping[str, str], folders: Mapping[int, Path], tree_dir: Path, memo: Memo
) -> dict[str, int]:
    """clip_id -> tokens, of clips with all their tensors."""
    found = {}
    for clip in clips:
        copies = sorted(folders) if clip.split == "train" else [0]
        paths = [inside(tree_dir, tensor_name(names[clip.clip_id], copy)) for copy in copies]
        if all(path.is_file() for path in paths):
            found[clip.clip_id] = length(paths[0], memo)
    return found
