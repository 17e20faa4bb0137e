"""SSVP-SLT's feature files: one torch tensor ``.pt`` a clip, and manifests with lengths, in one folder.

::

    features/<copy>/<prefix>/<stem>.pt    (L, D) tokens; copy 0 = the plain features, 1 ... = augmented ones
    manifests/<split>_features.tsv        video_name, length (L), label; tab-separated, no header, no quoting

``stem`` is the video's name without its suffix and ``prefix`` the first five characters of the name, as they stand in
the manifest. The files hold no times, and nothing that says which network made them.
"""

import io
import pickle
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sign_recog.errors import DataError
from sign_recog.formats.base import flat_name, given_meta
from sign_recog.storage import atomic
from sign_recog.storage.features import FeatureSequence
from sign_recog.storage.manifest import SPLITS, Clip
from sign_recog.storage.memo import Memo
from sign_recog.storage.sequences import KeypointSequence

KINDS = frozenset({"features"})
LOSSES = (
    "SSVP-SLT's tensors hold no times and no settings, and its manifests one line of text a clip, without tabs; a clip "
    "without a sentence has its gloss there."
)
DTYPES = ("float32", "float16")
NAME_COLUMN = "video_name"  # of a corpus's manifest: what SSVP-SLT's own table calls the clip's video
PREFIX = 5  # characters of a name that are its folder
KNOWN = "known.json"  # lengths that were looked up; may be deleted at any time

# What torch raises for a damaged, foreign or pickled .pt (found by overwriting random bytes).
UNREADABLE_PT = (
    OSError, RuntimeError, ValueError, EOFError, KeyError, IndexError, AttributeError, TypeError, AssertionError,
    NotImplementedError, MemoryError, OverflowError, UnicodeError, pickle.UnpicklingError, zipfile.BadZipFile,
)  # fmt: skip


def read(path: Path, *, clip_id: str, token_ms: float, window_tokens: int, window_ms: float) -> FeatureSequence:
    """Read one tensor. One of shape (D,) is one token, whatever its length; float16 stays, others become float32.

    Args:
        token_ms: Time of a token.
        window_tokens: Tokens of a whole window.
        window_ms: From the start of a window to that of the next.

    Raises:
        DataError: If the file is missing or damaged, holds more than a tensor, or no finite tokens.
    """
    import torch

    tensor = _load(path)
    if not tensor.dtype.is_floating_point or tensor.dim() not in (1, 2) or not tensor.numel():
        kind = str(tensor.dtype).removeprefix("torch.")
        raise DataError(f"{path}: holds {kind} {tuple(tensor.shape)}, expected float (L, D) or (D,). {_REMEDY}")
    if tensor.dtype != torch.float16:
        tensor = tensor.float()
    features = np.ascontiguousarray(np.atleast_2d(tensor.detach().numpy()))
    if not np.isfinite(features).all():
        raise DataError(f"{path}: holds values that are not finite. {_REMEDY}")
    tokens = np.arange(len(features))
    times = tokens // window_tokens * window_ms + tokens % window_tokens * token_ms
    meta = given_meta(path, clip_id, token_ms=token_ms, window_tokens=window_tokens, window_ms=window_ms)
    return FeatureSequence(features, np.round(times).astype(np.int64), meta)


def read_shape(path: Path) -> tuple[int, ...]:
    """Shape of a file's tensor, without reading its values; errors as :func:`read`, also of a file cut short."""
    return tuple(_load(path, mmap=True).shape)


def _load(path: Path, *, mmap: bool = False) -> Any:
    import torch

    try:
        if mmap and not zipfile.is_zipfile(path):  # torch's files from before 1.6 cannot be mapped
            mmap = False
        tensor = torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file. Extract the clip, or leave it out.") from error
    except UNREADABLE_PT as error:
        first = str(error).partition("\n")[0][:200]
        raise DataError(
            f"{path}: cannot be read as a torch tensor without other objects ({first}). {_REMEDY}"
        ) from error
    if not isinstance(tensor, torch.Tensor) or tensor.layout != torch.strided or tensor.is_quantized:
        raise DataError(f"{path}: holds a {type(tensor).__name__}, no plain tensor. {_REMEDY}")
    return tensor


def video_name(clip: Clip) -> str:
    """What the manifest calls a clip: as in the column ``video_name`` of its corpus, else its clip_id; ``/`` is ``_``.

    The stem is what stands before the last dot, so a name with dots needs a suffix.

    >>> video_name(Clip("day 1/a.2")), video_name(Clip("x-7E2", extra={"video_name": "-7E2.mkv"}))
    ('day 1_a.2.mp4', '-7E2.mkv')
    """
    given = clip.extra.get(NAME_COLUMN)
    if given:
        return flat_name(given)
    name = flat_name(clip.clip_id)
    return f"{name}.mp4" if Path(name).suffix else name


def tensor_name(name: str, copy: int = 0) -> str:
    """Where the tensor of the video ``name`` lies in the folder.

    >>> tensor_name("00000-abcdef.mp4", copy=1)
    'features/1/00000/00000-abcdef.pt'
    """
    return f"features/{copy}/{name[:PREFIX]}/{Path(name).stem}.pt"


def manifest_name(split: str) -> str:
    """The table of a split's features, in the folder."""
    return f"manifests/{split}_features.tsv"


def file_name(clip: Clip) -> str:
    """As :func:`tensor_name`, of the plain features."""
    return tensor_name(video_name(clip))


def write(path: Path, keypoints: KeypointSequence | None, features: FeatureSequence | None) -> int:
    """Write one tensor of float32; see :class:`sign_recog.formats.base.Writer`."""
    if features is None or keypoints is not None:
        raise DataError(f"{path}: SSVP-SLT's files hold features and nothing else.")
    write_tensor(path, features.features, "float32")
    return 0


def write_tensor(path: Path, features: np.ndarray, dtype: str) -> None:
    """Write (L, D) as a tensor of ``dtype``, one of :data:`DTYPES`, atomically.

    Raises:
        DataError: If a value is too large for float16.
    """
    import torch

    with np.errstate(over="ignore"):
        values = features.astype(dtype)
    if not np.isfinite(values).all():
        raise DataError(f"{path}: its values reach {np.abs(features).max():g}, too large for {dtype}. Use float32.")
    file = io.BytesIO()  # torch's own writer says of a full disk "unexpected pos 704 vs 598"
    torch.save(torch.from_numpy(np.ascontiguousarray(values)), file)
    atomic.write_bytes(path, file.getvalue())


def write_index(folder: Path, clips: Sequence[Clip]) -> Path:
    """Write the manifests of ``clips``, whose tensors are in ``folder``; their lengths are read from the files."""
    memo = Memo(folder / KNOWN)
    lengths = {clip.clip_id: length(folder / file_name(clip), memo) for clip in clips}
    memo.save()
    write_manifests(folder, clips, lengths)
    return folder / "manifests"


def length(path: Path, memo: Memo) -> int:
    """Tokens in a file; an unchanged one is not opened again. Errors as :func:`read`."""
    known: int | None = memo.get(str(path), [path]) if path.is_file() else None
    if known is None:
        shape = read_shape(path)
        known = shape[0] if len(shape) == 2 else 1
        memo.put(str(path), [path], known)
    return known


def write_manifests(folder: Path, clips: Sequence[Clip], lengths: Mapping[str, int]) -> int:
    """Write a table of every split that has clips, in their order; return how many clips have no label for it.

    Args:
        lengths: clip_id -> tokens; clips that are not in it stand in no table.
    """
    rows: dict[str, list[str]] = {split: [] for split in SPLITS if any(clip.split == split for clip in clips)}
    without = 0
    for clip in clips:
        label = " ".join((clip.text or clip.gloss).split())
        if clip.clip_id in lengths and label:
            rows[clip.split].append(f"{video_name(clip)}\t{lengths[clip.clip_id]}\t{label}\n")
        without += clip.clip_id in lengths and not label
    for split, lines in rows.items():
        atomic.write_text(folder / manifest_name(split), "".join(lines))
    return without


_REMEDY = "Extract it again, or leave it out."
