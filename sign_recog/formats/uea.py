"""The UEA archive's ``.ts`` text (sktime): a header of ``@`` lines, then one case a line, as features.

A line holds the case's dimensions, separated by ``:``, each its values over time, separated by ``,``; the last field
is the class. Cases may differ in length; time stamps and missing values (``?``) are not supported.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sign_recog.errors import DataError
from sign_recog.storage.manifest import listing


@dataclass(frozen=True)
class Cases:
    """What one file holds.

    Attributes:
        classes: As the header names them.
        values: (T, D) float32 of each case.
        labels: The class of each case.
    """

    classes: list[str]
    values: list[np.ndarray]
    labels: list[str]


def read(path: Path) -> Cases:
    """Read one file.

    Raises:
        DataError: If it is missing or no ``.ts`` file, has no class labels, or lines are wrong (all are named).
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")  # comments come in any encoding
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}). Check data.source.") from error
    lines = list(enumerate(text.splitlines(), start=1))
    start = next((i for i, (_, line) in enumerate(lines) if line.strip().lower() == "@data"), None)
    if start is None:
        raise DataError(f"{path}: has no line @data, so it is no .ts file.")
    header = _header([line for _, line in lines[:start]])
    classes = _classes(path, header)
    values, labels, problems = [], [], []
    for number, line in lines[start + 1 :]:
        if not line.strip() or line.startswith("#"):
            continue
        try:
            case, label = _case(line, header, classes)
        except ValueError as error:
            problems.append(f"line {number}: {error}")
            continue
        values.append(case)
        labels.append(label)
    if problems:
        raise DataError(listing(f"{path}: {len(problems)} bad lines. Get the file again.", problems))
    if not values:
        raise DataError(f"{path}: holds no case after @data.")
    if len(dims := {case.shape[1] for case in values}) > 1:
        raise DataError(f"{path}: its cases have {sorted(dims)} dimensions; all need the same.")
    return Cases(classes, values, labels)


def _header(lines: list[str]) -> dict[str, str]:
    """Names in lower case -> what stands behind them."""
    found = {}
    for line in lines:
        if line.startswith("@"):
            name, _, value = line[1:].strip().partition(" ")
            found[name.lower()] = value.strip()
    return found


def _classes(path: Path, header: dict[str, str]) -> list[str]:
    if header.get("timestamps", "false").lower() != "false":
        raise DataError(f"{path}: has time stamps (@timeStamps {header['timestamps']}), which are not supported.")
    flag, *classes = header.get("classlabel", "false").split()
    if flag.lower() != "true" or not classes:
        raise DataError(f"{path}: has no class labels (@classLabel {header.get('classlabel', 'is absent')}).")
    return classes


def _case(line: str, header: dict[str, str], classes: list[str]) -> tuple[np.ndarray, str]:
    *dimensions, label = (field.strip() for field in line.split(":"))
    if label not in classes:
        raise ValueError(f"class {label!r} is none of {', '.join(classes)}.")
    wanted = header.get("dimensions")
    if wanted is not None and len(dimensions) != int(wanted):
        raise ValueError(f"{len(dimensions)} dimensions, but the header says {wanted}.")
    lengths = {dimension.count(",") + 1 for dimension in dimensions}
    if len(lengths) != 1:
        raise ValueError(f"its dimensions have {sorted(lengths)} values; all need the same.")
    series_length = header.get("serieslength")
    if header.get("equallength", "").lower() == "true" and series_length and lengths != {int(series_length)}:
        raise ValueError(f"{lengths.pop()} values, but the header says {series_length}.")
    values = np.array([[float(value) for value in d.split(",")] for d in dimensions], np.float32).T
    if not np.isfinite(values).all():
        raise ValueError("a value is not finite.")
    return np.ascontiguousarray(values), label
