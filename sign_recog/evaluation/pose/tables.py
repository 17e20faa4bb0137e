"""The CSV files of predictions and of their errors, with the names and columns of Lightning Pose.

``predictions.csv`` has three header rows (scorer, bodyparts, coords), and x, y and likelihood of each landmark; files
of errors have one header row and a column a landmark. Of labelled frames the last column, ``set``, says where each row
belongs. Numbers have four decimals; an empty cell is a value that does not exist.
"""

import csv
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from sign_recog.landmarks.motion import temporal_norm
from sign_recog.storage import atomic
from sign_recog.storage.landmark_csv import HEADER, LandmarkTable, write_landmark_csv

SCORER = "sign_recog"
DECIMALS = 4  # of all numbers
SETS = {"train": "train", "val": "validation", "test": "test", "new": "new"}  # split -> the name in the column
PIXEL_ERROR, TEMPORAL_NORM = "pixel_error", "temporal_norm"


class PointErrors(Protocol):
    """What a PCA says of points."""

    def errors(self, points: np.ndarray) -> np.ndarray:
        """(N, V, 2) pixels -> (N, V); NaN where there is none."""


def write_predictions(
    path: Path,
    names: Sequence[str],
    frames: Sequence[str],
    points: np.ndarray,
    confidence: np.ndarray,
    splits: Sequence[str],
) -> None:
    """Write ``predictions.csv`` of labelled frames.

    Args:
        names: Of the V landmarks.
        frames: N, the index.
        points: (N, V, 2) pixels of the pictures on the disk; ``confidence`` (N, V) in [0, 1].
        splits: Of each frame, one of ``SETS``.
    """
    sets = [SETS[split] for split in splits]
    table = LandmarkTable(tuple(names), list(frames), points, likelihood=confidence, sets=sets, scorer=SCORER)
    write_landmark_csv(path, table, decimals=DECIMALS)


def write_errors(
    path: Path, names: Sequence[str], frames: Sequence[str], errors: np.ndarray, splits: Sequence[str]
) -> None:
    """Write a file of errors (N, V) of labelled frames."""
    with _table(path) as write:
        write(["frame", *names, "set"])
        for frame, row, split in zip(frames, errors, splits, strict=True):
            write([frame, *map(_number, row), SETS[split]])


class VideoTables:
    """The files of one video, written frame by frame as it is predicted: ``<name>.csv`` and ``<name>_<kind>.csv``.

    Used as a context; the files appear at its end, all of them or, after an error, none.

    Args:
        folder: Where they go; ``name`` is the video's.
        names: Of the landmarks.
        errors: Kind of error -> what measures it, beside the temporal norm.
    """

    def __init__(self, folder: Path, name: str, names: Sequence[str], errors: Mapping[str, PointErrors]) -> None:
        self.folder, self.name, self.names, self.kinds = folder, name, list(names), errors
        self.num_frames = 0
        self._stack = ExitStack()
        self._before: np.ndarray | None = None  # the last frame of the batch before
        self._writers: dict[str, Any] = {}

    @property
    def paths(self) -> dict[str, Path]:
        """Kind -> file; "" = the predictions."""
        kinds = ("", TEMPORAL_NORM, *self.kinds)
        return {kind: self.folder / f"{self.name}{'_' * bool(kind)}{kind}.csv" for kind in kinds}

    def __enter__(self) -> "VideoTables":
        self._stack.__enter__()
        try:
            for kind, path in self.paths.items():
                self._writers[kind] = self._stack.enter_context(_table(path))
        except BaseException:
            self._stack.__exit__(*sys.exc_info())
            raise
        for title, *row in zip(HEADER, *self._columns(), strict=True):
            self._writers[""]([title, *row])
        for kind in self._writers.keys() - {""}:
            self._writers[kind](["frame", *self.names])
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def _columns(self) -> Iterator[tuple[str, str, str]]:
        return ((SCORER, name, coordinate) for name in self.names for coordinate in ("x", "y", "likelihood"))

    def add(self, points: np.ndarray, confidence: np.ndarray) -> None:
        """The next frames: (n, V, 2) pixels of the video, and (n, V)."""
        first = np.full_like(points[:1], np.nan) if self._before is None else self._before
        found = {TEMPORAL_NORM: temporal_norm(np.concatenate([first, points]))[1:]}
        found |= {kind: measure.errors(points) for kind, measure in self.kinds.items()}
        numbers = range(self.num_frames, self.num_frames + len(points))
        for number, xy, likelihood in zip(numbers, points, confidence, strict=True):
            self._writers[""]([number, *_prediction(xy, likelihood)])
        for kind, errors in found.items():
            for number, row in zip(numbers, errors, strict=True):
                self._writers[kind]([number, *map(_number, row)])
        self._before, self.num_frames = points[-1:].copy(), self.num_frames + len(points)


@contextmanager
def _table(path: Path) -> Iterator[Any]:
    """A function that writes a row into ``path``, which appears when all are written."""
    with atomic.replaced(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        yield csv.writer(file, lineterminator="\n").writerow


def _prediction(points: np.ndarray, confidence: np.ndarray) -> Iterator[str]:
    for (x, y), likelihood in zip(points, confidence, strict=True):
        yield from (_number(x), _number(y), _number(likelihood))


def _number(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.{DECIMALS}f}"
