"""Many sequences in one file, so that training reads no small files.

A pack is a folder: ``frames.bin`` (sum of T, D) float32, ``offsets.npy`` (N + 1) int64, ``index.json``.
Its name ends in a digest of its sources' names, sizes and times: changed sources make a new pack.
"""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from sign_recog.config.identity import digest
from sign_recog.errors import DataError
from sign_recog.storage import atomic
from sign_recog.storage.cache_folder import INDEX, made_once


class PackedSequences:
    """Read-only access to a pack; clip i is (T_i, D) float32.

    Clips are read from the file when they are asked for, not mapped into memory, so that the process stays as small
    with a large corpus as with a small one; the operating system's cache keeps what is used often.
    """

    def __init__(self, folder: Path):
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        self._path, self.input_dim = folder / "frames.bin", int(index["width"])
        self.offsets = np.load(folder / "offsets.npy", allow_pickle=False)
        self._file = self._path.open("rb", buffering=0)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> np.ndarray:
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self.read(index)

    def read(self, index: int, rng: np.random.Generator | None = None) -> np.ndarray:
        """Clip ``index``, (T, D), not writable; nothing here is left to chance, so ``rng`` is not asked."""
        row = 4 * self.input_dim
        first, last = int(self.offsets[index]), int(self.offsets[index + 1])
        # pread has no position of its own, so processes and threads may share the open file.
        content = os.pread(self._file.fileno(), row * (last - first), row * first)
        return np.frombuffer(content, dtype=np.float32).reshape(last - first, self.input_dim)

    @property
    def lengths(self) -> np.ndarray:
        """(N,) int64, frames of each sequence."""
        return np.diff(self.offsets)

    def __getstate__(self) -> dict:
        """Without the open file: a loader process opens it itself."""
        return {name: value for name, value in vars(self).items() if name != "_file"}

    def __setstate__(self, state: dict) -> None:
        vars(self).update(state)
        self._file = self._path.open("rb", buffering=0)


def open_packed(
    folder: Path, name: str, sources: Sequence[Path], read: Callable[[Path], np.ndarray]
) -> PackedSequences:
    """Return the pack of ``sources``, in their order, building it if there is none of their present state.

    Args:
        folder: Where packs lie. Packs of the same ``name`` with other sources are deleted.
        name: What makes two packs of the same sources differ (split and preprocessing).
        read: Reads one source as (T, D) float32; every source has the same D.

    Raises:
        DataError: If one has another.
    """
    stats = [(str(path), path.stat()) for path in sources]
    key = digest([(path, stat.st_size, stat.st_mtime_ns) for path, stat in stats])
    return PackedSequences(made_once(folder, name, key, lambda partial: _build(partial, sources, read, name)))


def _build(folder: Path, sources: Sequence[Path], read: Callable[[Path], np.ndarray], name: str) -> None:
    offsets, width = [0], 0
    with (folder / "frames.bin").open("wb") as file:
        for path in tqdm(
            sources, desc=f"packing {name.split('-', maxsplit=1)[0]}", unit="clip", leave=False, mininterval=1.0
        ):
            sequence = np.ascontiguousarray(read(path), dtype=np.float32)
            if width not in (0, sequence.shape[1]):
                raise DataError(
                    f"{path}: has {sequence.shape[1]} values a frame, and those before it in the split have {width}. "
                    "Extract all clips in the same way, or leave this one out."
                )
            width = sequence.shape[1]
            file.write(sequence.tobytes())
            offsets.append(offsets[-1] + len(sequence))
        file.flush()
        os.fsync(file.fileno())
    np.save(folder / "offsets.npy", np.array(offsets, dtype=np.int64))
    atomic.write_json(folder / INDEX, {"width": width, "clips": len(sources)})
