"""The table with three header rows is read as DeepLabCut and Lightning Pose write it, and written as they read."""

import numpy as np
import pytest

from sign_recog.errors import DataError
from sign_recog.storage.landmark_csv import LandmarkTable, read_landmark_csv, write_landmark_csv

PLAIN = """scorer,me,me,me,me
bodyparts,nose,nose,tail,tail
coords,x,y,x,y
labeled-data/img01.png,77.25,36.25,,
labeled-data/img02.png,1e2,NaN,3,4.5
"""


def read(tmp_path, text):
    path = tmp_path / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return read_landmark_csv(path)


def test_a_table_of_lightning_pose(tmp_path):
    table = read(tmp_path, PLAIN.replace("1e2,NaN", "1e2,5"))
    assert table.names == ("nose", "tail") and table.scorer == "me"
    assert table.index == ["labeled-data/img01.png", "labeled-data/img02.png"]
    expected = [[[77.25, 36.25], [np.nan, np.nan]], [[100, 5], [3, 4.5]]]
    assert np.array_equal(table.points, expected, equal_nan=True)
    assert table.likelihood is table.visible is table.sets is None


def test_deeplabcuts_three_index_columns_are_one_path(tmp_path):
    text = (
        "scorer,,,me,me\nbodyparts,,,nose,nose\ncoords,,,x,y\n"
        "labeled-data,video one,img0001.png,1,2\nlabeled-data,video one,img0002.png,,\n"
    )
    assert read(tmp_path, text).index == ["labeled-data/video one/img0001.png", "labeled-data/video one/img0002.png"]


def test_what_pandas_writes_is_read(tmp_path):
    """The layout of a DataFrame with columns of three levels, likelihoods and Lightning Pose's column of sets."""
    text = (
        "scorer,net,net,net,set\nbodyparts,nose,nose,nose,\ncoords,x,y,likelihood,\n"
        "a.png,1.5,2.5,0.9,train\nb.png,3.5,4.5,0.1,validation\n"
    )
    table = read(tmp_path, text)
    assert table.names == ("nose",) and table.sets == ["train", "validation"]
    assert table.likelihood.tolist() == [[0.9], [0.1]]


def test_visibility_is_told_apart_from_a_coordinate(tmp_path):
    text = "scorer,m,m,m\nbodyparts,nose,nose,nose\ncoords,x,y,visible\na.png,1,2,1\nb.png,,,0\nc.png,3,4,2\nd.png,,,\n"
    assert read(tmp_path, text).visible.ravel().tolist() == [1, 0, 2, 0]


def test_written_and_read_again_it_is_the_same(tmp_path):
    rng = np.random.default_rng(0)
    points = rng.normal(100, 50, (3, 2, 2))
    points[1, 0] = np.nan
    table = LandmarkTable(
        ("a, b", 'c "d"'), ["x/1.png", "v.mp4:3", "ä.png"], points, rng.random((3, 2)),
        rng.integers(0, 3, (3, 2)).astype(np.int8), ["train", "test", "new"], "who",
    )  # fmt: skip
    write_landmark_csv(tmp_path / "t.csv", table)
    again = read_landmark_csv(tmp_path / "t.csv")
    assert (again.names, again.index, again.sets, again.scorer) == (table.names, table.index, table.sets, "who")
    assert np.array_equal(again.points, points, equal_nan=True)
    assert np.array_equal(again.likelihood, table.likelihood) and np.array_equal(again.visible, table.visible)
    write_landmark_csv(tmp_path / "short.csv", table, decimals=2)
    assert np.abs(read_landmark_csv(tmp_path / "short.csv").points - points)[~np.isnan(points)].max() <= 0.005


def test_pandas_reads_what_is_written(tmp_path):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    table = LandmarkTable(("nose", "tail"), ["a.png", "b.png"], np.arange(8.0).reshape(2, 2, 2), sets=["train", "val"])
    write_landmark_csv(tmp_path / "t.csv", table)
    frame = pandas.read_csv(tmp_path / "t.csv", header=[0, 1, 2], index_col=0)
    assert frame.index.tolist() == ["a.png", "b.png"]
    assert frame["sign_recog"]["tail"]["y"].tolist() == [3.0, 7.0]
    assert frame.iloc[:, -1].tolist() == ["train", "val"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("bodyparts,nose,nose,tail,tail", "bodyparts,nose,nose,nose,nose"), r"landmark nose comes more than once"),
        (("1e2,NaN", "1e2,"), r"line 5: nose has only one of x and y"),
        (("77.25", "left"), r"line 4: nose has x='left', which is no number"),
        (("77.25", "inf"), r"line 4: nose has x='inf', which is no number"),
        (("labeled-data/img02.png,1e2,NaN", "labeled-data/img01.png,1,1"), r"img01\.png\" stands already in line 4"),
        (("3,4.5\n", "3\n"), r"line 5: 4 fields, the header has 5"),
        (("coords,x,y,x,y", "coords,x,y,x,z"), r"column 5 is 'z' of landmark 'tail'"),
        (("bodyparts,nose,nose,tail,tail\ncoords,x,y,x,y", "bodyparts,nose,nose,tail,ear\ncoords,x,y,x,y"),
         r"tail, ear lacks a column x or y"),
        (("scorer,me", "animal,me"), r"begins with animal,me.*rows scorer, bodyparts and coords"),
        (("bodyparts,nose", "individuals,a,a,a,a\nbodyparts,nose"), r"several animals"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_place(tmp_path, change, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, PLAIN.replace(*change))


def test_a_missing_an_empty_and_a_header_alone_are_refused(tmp_path):
    for text, message in (("", "begins with nothing"), (PLAIN[: PLAIN.index("labeled")], "a header but no rows")):
        with pytest.raises(DataError, match=message):
            read(tmp_path, text)
    with pytest.raises(DataError, match="no such file"):
        read_landmark_csv(tmp_path / "other.csv")


def test_a_visible_beyond_2_is_refused(tmp_path):
    with pytest.raises(DataError, match="line 4: nose has a visible other than 0, 1 and 2"):
        read(tmp_path, "scorer,m,m,m\nbodyparts,nose,nose,nose\ncoords,x,y,visible\na.png,1,2,3\n")
