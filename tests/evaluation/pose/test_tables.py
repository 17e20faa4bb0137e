"""The CSV files hold what was measured, in Lightning Pose's columns, and none of them is ever half written."""

import csv

import numpy as np
import pytest

from sign_recog.evaluation.pose.tables import VideoTables, write_errors, write_predictions
from sign_recog.storage.landmark_csv import read_landmark_csv

NAN = float("nan")
NAMES = ("nose", "tail tip")
POINTS = np.array([[[1.25, 2.5], [3, 4]], [[5, 6], [NAN, NAN]]])
CONFIDENCE = np.array([[0.5, 1.0], [0.25, NAN]])


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.reader(file))


def test_predictions_by_hand(tmp_path):
    write_predictions(tmp_path / "p.csv", NAMES, ["a/1.png", "a/2.png"], POINTS, CONFIDENCE, ["train", "val"])
    assert rows_of(tmp_path / "p.csv") == [
        ["scorer", *["sign_recog"] * 6, "set"],
        ["bodyparts", "nose", "nose", "nose", "tail tip", "tail tip", "tail tip", ""],
        ["coords", "x", "y", "likelihood", "x", "y", "likelihood", ""],
        ["a/1.png", "1.2500", "2.5000", "0.5000", "3.0000", "4.0000", "1.0000", "train"],
        ["a/2.png", "5.0000", "6.0000", "0.2500", "", "", "", "validation"],
    ]


def test_pandas_reads_predictions_as_it_reads_those_of_lightning_pose(tmp_path):
    pandas = pytest.importorskip("pandas")
    write_predictions(tmp_path / "p.csv", NAMES, ["a", "b"], POINTS, CONFIDENCE, ["test", "new"])
    table = pandas.read_csv(tmp_path / "p.csv", header=[0, 1, 2], index_col=0)
    assert table["sign_recog", "nose", "y"].tolist() == [2.5, 6]
    assert table.iloc[:, -1].tolist() == ["test", "new"]
    assert table.columns[-1][0] == "set"


def test_errors_by_hand(tmp_path):
    write_errors(tmp_path / "e.csv", NAMES, ["a", "b"], np.array([[5, NAN], [0.12345, 2]]), ["train", "new"])
    assert rows_of(tmp_path / "e.csv") == [
        ["frame", "nose", "tail tip", "set"],
        ["a", "5.0000", "", "train"],
        ["b", "0.1235", "2.0000", "new"],
    ]


class FirstCoordinate:
    """As an error that is easy to follow."""

    def errors(self, points):
        return points[..., 0]


@pytest.mark.parametrize("sizes", [(5,), (1, 1, 1, 1, 1), (2, 3)])
def test_a_video_written_in_parts_is_the_video_written_at_once(tmp_path, sizes):
    rng = np.random.default_rng(0)
    points, confidence = rng.random((5, 2, 2)) * 50, rng.random((5, 2))
    with VideoTables(tmp_path, "clip", NAMES, {"pca_singleview_error": FirstCoordinate()}) as tables:
        start = 0
        for size in sizes:
            tables.add(points[start : start + size], confidence[start : start + size])
            start += size
    assert tables.num_frames == 5
    read = read_landmark_csv(tmp_path / "clip.csv")
    assert read.names == NAMES and read.index == list("01234") and read.sets is None
    np.testing.assert_allclose(read.points, points, atol=1e-4)
    np.testing.assert_allclose(read.likelihood, confidence, atol=1e-4)
    norm = rows_of(tmp_path / "clip_temporal_norm.csv")
    assert norm[0] == ["frame", *NAMES] and norm[1] == ["0", "", ""]
    expected = np.hypot(*np.moveaxis(points[1:] - points[:-1], 2, 0))
    np.testing.assert_allclose(np.array(norm[2:])[:, 1:].astype(float), expected, atol=1e-4)
    assert rows_of(tmp_path / "clip_pca_singleview_error.csv")[3][1] == f"{points[2, 0, 0]:.4f}"


def test_after_an_error_there_is_no_file_and_an_older_one_stays(tmp_path):
    (tmp_path / "clip.csv").write_text("older")
    with pytest.raises(RuntimeError), VideoTables(tmp_path, "clip", NAMES, {}) as tables:
        tables.add(POINTS, CONFIDENCE)
        raise RuntimeError
    assert [path.name for path in tmp_path.iterdir()] == ["clip.csv"]
    assert (tmp_path / "clip.csv").read_text() == "older"
