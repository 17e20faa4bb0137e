"""What the formats share, and what a module needs so that ``run=convert`` can write it.

A module that is a :class:`Writer` is found by its name alone: a new format is a new file here.
"""

import csv
import importlib
import io
import pkgutil
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, cast

import numpy as np

from sign_recog.errors import ConfigError, DataError
from sign_recog.landmarks.layout import get_layout
from sign_recog.storage import atomic
from sign_recog.storage.features import FeatureSequence
from sign_recog.storage.fingerprint import fingerprint
from sign_recog.storage.manifest import Clip
from sign_recog.storage.sequences import KeypointSequence


class Writer(Protocol):
    """A format that can be written: a module of this package with these names.

    Attributes:
        KINDS: What a file holds: keypoints, features, or both.
        LOSSES: What the format cannot hold, one sentence.
    """

    KINDS: frozenset[str]
    LOSSES: str

    def file_name(self, clip: Clip) -> str:
        """The clip's file, relative to the converted folder."""

    def write(self, path: Path, keypoints: KeypointSequence | None, features: FeatureSequence | None) -> int:
        """Write one clip, atomically; return how many coordinates had to be changed to fit the format.

        Raises:
            DataError: If the sequences lack what the format needs.
            ConfigError: If their layout holds too few points, for this clip as for every other.
        """

    def write_index(self, folder: Path, clips: Sequence[Clip]) -> Path:
        """Write the format's own table of ``clips``, and return its path."""


def writers() -> list[str]:
    """Names of the formats that can be written."""
    package = importlib.import_module("sign_recog.formats")
    names = [info.name for info in pkgutil.iter_modules(package.__path__)]
    return [name for name in names if hasattr(_module(name), "write_index")]


def get_writer(name: str) -> Writer:
    """Return the format called ``name``.

    Raises:
        ConfigError: If there is none.
    """
    if name not in writers():
        raise ConfigError(f"run.format={name} is none of {', '.join(writers())}.")
    return cast(Writer, _module(name))


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"sign_recog.formats.{name}")


def require(module: str, what: str) -> Any:
    """Import an optional dependency.

    Raises:
        ConfigError: If it is not installed, naming the extra.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise ConfigError(
            f"{what} needs {package}, which cannot be imported ({error}). "
            "Install it with: pip install 'sign-recog[formats]'."
        ) from error


def select_points(sequence: KeypointSequence, layout: str) -> tuple[np.ndarray, np.ndarray]:
    """The points of ``layout``: (T, V, 3) and their confidence (T, V).

    Raises:
        ConfigError: If the sequence's own layout lacks some.
    """
    points = get_layout(layout).index_in(sequence.layout)
    return sequence.keypoints[:, points], sequence.confidence[:, points]


def image_size(sequence: KeypointSequence) -> tuple[int, int]:
    """Width and height in pixels, from the sequence's meta.

    Raises:
        DataError: If meta does not hold them.
    """
    width, height = (sequence.meta.get(name) for name in ("width", "height"))
    if not (isinstance(width, int | float) and isinstance(height, int | float) and width > 0 and height > 0):
        raise DataError(
            f"{sequence.meta.get('clip_id', 'a clip')}: its meta holds width={width} and height={height}, but the "
            "format stores coordinates relative to both. Extract or prepare it again."
        )
    return int(width), int(height)


def frame_times(num_frames: int, fps: float) -> np.ndarray:
    """(T,) int64, milliseconds of frames at a constant rate."""
    return np.round(np.arange(num_frames) * 1000 / fps).astype(np.int64)


def fps_of(timestamps_ms: np.ndarray) -> float:
    """Frames a second from the median step; 0 where a single frame does not tell."""
    step = np.median(np.diff(timestamps_ms)) if len(timestamps_ms) > 1 else 0
    return float(1000 / step) if step > 0 else 0.0


def given_meta(path: Path, clip_id: str, **values: Any) -> dict[str, Any]:
    """Meta of a sequence that came in a file; the fingerprint tells a changed file from the same."""
    return {
        "clip_id": clip_id,
        **values,
        "extractor": "given",
        "source": path.name,
        "fingerprint": fingerprint(path),
    }


def flat_name(clip_id: str) -> str:
    """``clip_id`` as one file name, for systems whose folders have no subfolders."""
    return clip_id.replace("/", "_")


def numbered(names: set[str]) -> dict[str, str]:
    """Names, sorted -> "0", "1" ..., as other systems number their labels."""
    return {name: str(i) for i, name in enumerate(sorted(names))}


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a comma-separated table, atomically."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([header, *rows])
    atomic.write_text(path, buffer.getvalue())
