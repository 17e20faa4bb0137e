"""docs/coverage.md names tests that exist, every row once, and settings that other tests compose."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest
from test_docs import settings_of

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8")
FEATURES, DEFECTS = PAGE.split("## Defects", 1)
TABLE = {int(number): cells for number, cells in re.findall(r"^\| (\d+) \| (.+) \|$", FEATURES, re.M)}
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)
# The rows that recognition from keypoints and features has to fill.
KEYPOINTS = (
    5, 8, *range(12, 15), 25, *range(33, 37), *range(40, 43), *range(44, 49), 50, 51, *range(57, 80), *range(89, 92),
    98, 111, 112, 115,
)  # fmt: skip
# And those of video networks and the evaluation on WLASL.
VIDEO = (24, 26, 29, 35, 38, 39, 49, 72, 76, 88, 89, *range(92, 98), 99, 109, 110)
# And those of features at scale, of sweeps and of the queue.
SCALE = (*range(14, 25), 30, 31, 70, 73, *range(80, 92))
# And those of translation.
TRANSLATION = (
    16, 17, 18, 31, *range(54, 58), *range(61, 66), *range(68, 76), 82, 84, *range(100, 105), 109, 113,
)  # fmt: skip
# And those of detectors of landmarks.
POSE = (24, 32, 53, 79, *range(105, 109), 114)


def names_of_tests(path: Path) -> set[str]:
    """The names of a file's tests, from its syntax tree."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


@pytest.mark.parametrize("path", sorted({path for path, _ in NAMED}))
def test_named_tests_exist(path):
    assert {name for file, name in NAMED if file == path} <= names_of_tests(ROOT / path)


def test_every_row_of_the_checklist_is_there_once():
    (later,) = re.findall(r"^Not yet, in whole or in part: ([\d,\s]+)\.$", FEATURES, re.M)
    rows = [int(number) for number in re.findall(r"^\| (\d+) \|", FEATURES, re.M)]
    assert Counter([*rows, *map(int, later.split(","))]) == Counter(range(1, 119))
    assert {*KEYPOINTS, *VIDEO, *SCALE, *TRANSLATION, *POSE} <= set(rows)


def test_every_row_is_shown_by_a_test_or_said_to_be_missing():
    without = {number for number, cells in TABLE.items() if "::test_" not in cells}
    assert {number for number, cells in TABLE.items() if "| not yet" in cells} == without


def test_every_regression_test_is_on_the_page():
    """And every defect has one that bears its system's name."""
    named = {(path, name) for path, name in NAMED if re.match("test_s[01234]_", name)}
    files = {path: names_of_tests(path) for path in (ROOT / "tests").rglob("test_*.py")}
    found = {(path.relative_to(ROOT).as_posix(), name) for path, names in files.items() for name in names}
    assert {test for test in found if re.match("test_s[01234]_", test[1])} == named
    for system, table in zip("01234", DEFECTS.split("\n## Defects"), strict=True):
        rows = [row for row in table.splitlines() if row.startswith("| ")][1:]
        assert len(rows) > 10 and all(f"::test_s{system}_" in row for row in rows)


def test_quoted_settings_are_composed_by_the_documents_tests():
    spans = [span for span in re.findall(r"`([^`\n]+)`", PAGE) if "=" in span]
    assert len(spans) > 40 and [span for span in spans if not settings_of(span)] == []
