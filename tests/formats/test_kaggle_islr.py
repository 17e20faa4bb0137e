"""Kaggle's parquet files -> sequences."""

import numpy as np
import pytest

from sign_recog.errors import DataError
from sign_recog.formats import kaggle_islr
from sign_recog.formats.kaggle_islr import read

arrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed; see the extra formats")
parquet = pytest.importorskip("pyarrow.parquet")
SIZES = {"face": 468, "left_hand": 21, "pose": 33, "right_hand": 21}  # Kaggle's order
CAMERA = {"width": 200, "height": 100, "fps": 25}


def columns(frames=(7, 8, 10)):
    keys = [(f, kind, i) for f in frames for kind, size in SIZES.items() for i in range(size)]
    rng = np.random.default_rng(0)
    values = rng.random((len(keys), 3))
    values[[i for i, (f, kind, _) in enumerate(keys) if kind == "left_hand" and f == 8]] = np.nan
    table = {"frame": np.array([k[0] for k in keys], np.int16), "type": [k[1] for k in keys]}
    table |= {"landmark_index": np.array([k[2] for k in keys], np.int16)}
    return table | dict(zip("xyz", values.T, strict=True))


def write(path, table):
    parquet.write_table(arrow.table(table), path)
    return path


def test_every_row_goes_where_the_layout_says_in_any_order(tmp_path):
    table = columns()
    order = np.random.default_rng(1).permutation(len(table["frame"]))
    mixed = {name: np.asarray(values)[order] for name, values in table.items()}
    first = read(write(tmp_path / "a.parquet", table), clip_id="c", **CAMERA)
    second = read(write(tmp_path / "b.parquet", mixed), clip_id="c", **CAMERA)
    np.testing.assert_array_equal(first.keypoints, second.keypoints)
    start = {"pose": 0, "left_hand": 33, "right_hand": 54, "face": 75}
    for row in range(0, len(table["frame"]), 37):
        t, v = [7, 8, 10].index(table["frame"][row]), start[table["type"][row]] + table["landmark_index"][row]
        expected = (table["x"][row], table["y"][row] / 2, table["z"][row])
        np.testing.assert_allclose(first.keypoints[t, v], expected, rtol=1e-6)
    assert np.isnan(first.keypoints[1, 33:54]).all() and not first.confidence[1, 33:54].any()
    assert first.timestamps_ms.tolist() == [0, 40, 120]  # frame 9 is not in the file


def test_real_files_are_read_as_their_rows_say(test_data):
    for path in sorted((test_data / "kaggle_islr_sample").glob("*.parquet")):
        table = parquet.read_table(path).to_pydict()
        sequence = read(path, clip_id="c", width=1, height=1, fps=30)
        assert sequence.keypoints.shape == (len(set(table["frame"])), 543, 3)
        assert np.isfinite(sequence.keypoints).sum() == np.isfinite(np.array([table[a] for a in "xyz"], float)).sum()
        rows = [i for i, (kind, n) in enumerate(zip(table["type"], table["landmark_index"], strict=True)) if
                (kind, n) == ("right_hand", 20)]  # fmt: skip
        np.testing.assert_allclose(sequence.keypoints[:, 74, 0], np.array(table["x"])[rows].astype(float), rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: {name: values[:-1] for name, values in t.items()}, "1628 rows for 3 frames"),
        (lambda t: t | {"landmark_index": np.full(len(t["type"]), 3)}, "exactly 543 landmarks"),
        (lambda t: t | {"landmark_index": -t["landmark_index"]}, "exactly 543 landmarks"),
        (lambda t: t | {"type": ["foot"] * len(t["type"])}, "type foot"),
        (lambda t: t | {"type": [None, *t["type"][1:]]}, "without frame, type"),
        (lambda t: {name: values for name, values in t.items() if name != "z"}, "cannot be read|lacks the column z"),
        (lambda t: {name: values[:0] for name, values in t.items()}, "0 rows for 0 frames|without frame|cannot"),
    ],
)
def test_wrong_tables_are_refused(tmp_path, change, message):
    path = write(tmp_path / "a.parquet", change(columns()))
    with pytest.raises(DataError, match=message):
        read(path, clip_id="c", **CAMERA)


def test_damaged_and_missing_files_are_refused(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1" + bytes(100))
    with pytest.raises(DataError, match="cannot be read as parquet"):
        read(tmp_path / "a.parquet", clip_id="c", **CAMERA)
    with pytest.raises(DataError, match="no such file"):
        read(tmp_path / "b.parquet", clip_id="c", **CAMERA)


def test_the_layout_is_holistics():
    assert sum(size for _, size in kaggle_islr._TYPES.values()) == 543
