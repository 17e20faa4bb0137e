"""The table of landmarks with three header rows that DeepLabCut and Lightning Pose write and read.

Rows ``scorer``, ``bodyparts``, ``coords`` stand above one row a frame. Columns before the first landmark name the
frame: one (``labeled-data/img01.png``), or several, as DeepLabCut splits a path. A landmark has the columns x and y, in
pixels of the picture, and may have ``likelihood`` (a detector's confidence) and ``visible`` (0 = not labelled, 1 =
labelled though hidden, 2 = labelled and seen). A last column ``set`` may say which split a frame belongs to. Empty and
NaN = missing.
"""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sign_recog.errors import DataError
from sign_recog.storage import atomic
from sign_recog.storage.manifest import listing

HEADER = ("scorer", "bodyparts", "coords")
_COORDS = ("x", "y", "likelihood", "visible")
_SET = "set"
_MISSING = ("", "nan", "na", "none", "null")
_REMEDY = "A table of DeepLabCut or Lightning Pose begins with the rows scorer, bodyparts and coords."


@dataclass(frozen=True)
class LandmarkTable:
    """The content of such a file.

    Attributes:
        names: Of the landmarks, each once.
        index: What names each row; several columns are joined by ``/``.
        points: (N, V, 2) float64 pixels; NaN = missing.
        likelihood: (N, V) float64; None = the file has none.
        visible: (N, V) int8, 0 to 2; None = the file has none.
        sets: The column ``set``; None = the file has none.
        scorer: Who labelled or predicted.
    """

    names: tuple[str, ...]
    index: list[str]
    points: np.ndarray
    likelihood: np.ndarray | None = None
    visible: np.ndarray | None = None
    sets: list[str] | None = None
    scorer: str = "sign_recog"


def read_landmark_csv(path: Path) -> LandmarkTable:
    """Read and check a table; all bad rows are named together.

    Raises:
        DataError: If the file is missing or no such table, a landmark stands twice or lacks a coordinate, a frame
            stands twice, or a value is no number.
    """
    lines = _lines(path)
    header = [[cell.strip() for cell in row] for _, row in lines[:3]]
    if len(header) < 3 or tuple(row[0].lower() for row in header) != HEADER:
        found = " | ".join(",".join(row[:3]) for row in header)
        more = " Tables of several animals (individuals) are not read." if "individuals" in found else ""
        raise DataError(f"{path}: begins with {found or 'nothing'}. {_REMEDY}{more}")
    if len({len(row) for row in header}) != 1:
        raise DataError(f"{path}: its three header rows have {', '.join(str(len(row)) for row in header)} fields.")
    width, (scorers, parts, coords) = len(header[0]), header
    first = next((i for i in range(width) if coords[i].lower() in _COORDS), width)
    set_column = next((i for i in range(first, width) if _SET in (row[i].lower() for row in header)), None)
    columns = _columns(path, parts, coords, first, set_column)
    names = tuple(dict.fromkeys(name for name, _ in columns))
    if not names:
        raise DataError(f"{path}: has no columns x and y. {_REMEDY}")
    _refuse_incomplete(path, names, columns)
    problems: list[str] = []
    index: list[str] = []
    known: dict[str, int] = {}
    values = np.full((len(lines) - 3, len(names), len(_COORDS)), np.nan)
    for number, (line, row) in enumerate(lines[3:]):
        if len(row) != width:
            problems.append(f"line {line}: {len(row)} fields, the header has {width}.")
            continue
        name = "/".join(cell.strip().replace("\\", "/") for cell in row[:first])
        before = known.setdefault(name, line)
        if before != line:
            problems.append(f'line {line}: frame "{name}" stands already in line {before}.')
        index.append(name)
        for (part, coord), column in columns.items():
            text = row[column].strip()
            try:
                value = math.nan if text.lower() in _MISSING else float(text)
            except ValueError:
                value = math.inf
            if math.isinf(value):
                problems.append(f"line {line}: {part} has {coord}={text!r}, which is no number.")
            values[number, names.index(part), _COORDS.index(coord)] = value
        problems += [f"line {line}: {one} has only one of x and y." for one in _halves(values[number], names)]
    has = {coord for _, coord in columns}
    visible = np.nan_to_num(values[..., 3], nan=0.0)
    if "visible" in has and (bad := np.argwhere(~np.isin(visible, (0, 1, 2)))).size:
        row_number, part_number = bad[0]
        problems.append(f"line {lines[3 + row_number][0]}: {names[part_number]} has a visible other than 0, 1 and 2.")
    if problems:
        raise DataError(listing(f"{path}: {len(problems)} mistakes. Correct them.", problems))
    if not index:
        raise DataError(f"{path}: has a header but no rows.")
    return LandmarkTable(
        names,
        index,
        values[..., :2],
        values[..., 2] if "likelihood" in has else None,
        visible.astype(np.int8) if "visible" in has else None,
        None if set_column is None else [row[set_column].strip() for _, row in lines[3:]],
        next((name for name in scorers[first:] if name and name.lower() != _SET), ""),
    )


def write_landmark_csv(path: Path, table: LandmarkTable, decimals: int | None = None) -> None:
    """Write ``table``, atomically; missing values stay empty.

    Args:
        decimals: Of all numbers; None = as many as are needed to read the same numbers again.
    """

    def text(value: float) -> str:
        if math.isnan(value):
            return ""
        return repr(float(value)) if decimals is None else f"{value:.{decimals}f}"

    extra = [name for name in ("likelihood", "visible") if getattr(table, name) is not None]
    per_name = ["x", "y", *extra]
    last = [] if table.sets is None else [_SET]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([HEADER[0], *[table.scorer] * (len(table.names) * len(per_name)), *last])
    writer.writerow([HEADER[1], *[name for name in table.names for _ in per_name], *["" for _ in last]])
    writer.writerow([HEADER[2], *per_name * len(table.names), *["" for _ in last]])
    parts = [table.points]
    if table.likelihood is not None:
        parts.append(table.likelihood[..., None])
    numbers = np.concatenate(parts, axis=-1)
    for row, name in enumerate(table.index):
        cells: list[str] = []
        for part in range(len(table.names)):
            cells += [text(value) for value in numbers[row, part]]
            if table.visible is not None:
                cells.append(str(int(table.visible[row, part])))
        writer.writerow([name, *cells, *([] if table.sets is None else [table.sets[row]])])
    atomic.write_text(path, buffer.getvalue())


def _lines(path: Path) -> list[tuple[int, list[str]]]:
    """The rows that are not empty, with the line each ends on."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file. Check the path.") from error
    except IsADirectoryError as error:
        raise DataError(f"{path}: is a folder; the CSV file of labels is needed.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 text ({error}). Save it as CSV in UTF-8.") from error
    reader = csv.reader(io.StringIO(text), strict=True)
    try:
        return [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}.") from error


def _columns(
    path: Path, parts: Sequence[str], coords: Sequence[str], first: int, set_column: int | None
) -> dict[tuple[str, str], int]:
    """(landmark, coordinate) -> its column."""
    found: dict[tuple[str, str], int] = {}
    for column in range(first, len(parts)):
        if column == set_column:
            continue
        key = parts[column], coords[column].lower()
        if not key[0] or key[1] not in _COORDS:
            raise DataError(
                f"{path}: column {column + 1} is {coords[column]!r} of landmark {parts[column]!r}. A landmark has a "
                f"name and the columns {', '.join(_COORDS)}."
            )
        if key in found:
            raise DataError(
                f"{path}: the landmark {key[0]} comes more than once ({key[1]} in columns {found[key] + 1} and "
                f"{column + 1}). Give each a name of its own."
            )
        found[key] = column
    return found


def _refuse_incomplete(path: Path, names: Sequence[str], columns: dict[tuple[str, str], int]) -> None:
    lacking = [name for name in names if not {(name, "x"), (name, "y")} <= columns.keys()]
    if lacking:
        raise DataError(f"{path}: {', '.join(lacking)} lacks a column x or y. Add it, or remove the landmark.")


def _halves(values: np.ndarray, names: Sequence[str]) -> list[str]:
    """Landmarks of one row with one coordinate."""
    half = np.isnan(values[:, 0]) != np.isnan(values[:, 1])
    return [names[part] for part in np.flatnonzero(half)]
