"""Scores of a detector are errors in pixels of the pictures, of all splits that were opened, and test only if asked."""

import csv
import json
import logging
from pathlib import Path

import numpy as np
import pytest
from pose_fakes import LANDMARKS, moving
from small_detector import configure, write_blobs, write_run

from sign_recog.errors import CheckpointError, ConfigError, DataError
from sign_recog.landmarks.named import NamedLandmarks
from sign_recog.landmarks.pca import fit_singleview
from sign_recog.stages.detector import load_detector
from sign_recog.stages.evaluate_pose import evaluate_pose, predict_frames
from sign_recog.storage.checkpoint import read_pose
from sign_recog.storage.landmark_csv import read_landmark_csv

PLANE = fit_singleview(moving(20), LANDMARKS, components=2, explained=0.99, centring=None)


@pytest.fixture
def folder(tmp_path):
    return Path(configure(tmp_path).paths.run_dir)


@pytest.fixture
def evaluate(tmp_path):
    """Score a checkpoint with ``changes`` on pictures labelled ``off`` pixels beside their blobs."""

    def run(*overrides, off=4.0, blobs=None, **changes):
        config = configure(tmp_path, "run=evaluate", "run.bootstrap_samples=100", *overrides)
        write_blobs(config, off=off, **(blobs or {}))
        return evaluate_pose(config, read_pose(write_run(config, **changes)))

    return run


def metrics_of(folder, split="test"):
    return json.loads((folder / ("" if split == "test" else split) / "metrics.json").read_text())


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.reader(file))


def test_errors_are_how_far_the_labels_were_put_beside(evaluate, folder):
    result = evaluate(off=4.0)
    scores = metrics_of(folder)["scores"]
    assert scores["pixel_error"] == pytest.approx(4, abs=0.3) == result.objective
    assert (scores["within_5"], scores["num_frames"], scores["num_landmarks_labelled"]) == (1.0, 3, 9)
    assert [row["landmark"] for row in scores["by_landmark"]] == list(LANDMARKS.names)
    assert [(row["low"], row["count"]) for row in scores["by_confidence"]] == [(0.2, 3), (0.7, 3), (0.9, 3)]
    low, high = scores["pixel_error_ci95"]
    assert low <= scores["pixel_error"] <= high


def test_s4_every_set_stands_in_the_files_and_new_frames_stand_by_themselves(evaluate, folder):
    evaluate(pca={"singleview": PLANE.to_json()})
    table = read_landmark_csv(folder / "predictions.csv")
    assert table.sets == [*["train"] * 4, *["validation"] * 2, *["test"] * 3, "new"]
    for kind in ("pixel_error", "pca_singleview_error"):
        rows = rows_of(folder / f"predictions_{kind}.csv")
        assert rows[0] == ["frame", *LANDMARKS.names, "set"] and len(rows) == 11
    assert rows_of(folder / "predictions_pixel_error.csv")[1][2] == ""  # green of the first is not labelled
    assert metrics_of(folder, "new")["scores"]["num_frames"] == 1
    assert metrics_of(folder)["splits"].keys() == {"train", "val", "test", "new"}
    assert metrics_of(folder, "train")["scores"]["num_landmarks_labelled"] == 11


def test_s4_pca_errors_are_in_the_pixels_of_the_labels(evaluate, folder):
    # Of labels in the plane the errors are small, whatever size the network reads; S4's were 75 pixels.
    evaluate(off=0.0, pca={"singleview": PLANE.to_json()}, height=32, width=32)
    scores = metrics_of(folder)["scores"]
    points = read_landmark_csv(folder / "predictions.csv").points[6:9]
    assert scores["pca_singleview_error"] == pytest.approx(np.nanmean(PLANE.errors(points)), abs=1e-3)
    assert scores["pca_singleview_error"] < 5


def test_planes_are_silent_on_pictures_of_another_size(evaluate, folder):
    evaluate(pca={"singleview": PLANE.to_json()}, picture_sizes=[[640, 480]])
    assert metrics_of(folder)["scores"]["pca_singleview_error"] is None
    assert rows_of(folder / "predictions_pca_singleview_error.csv")[1][1:] == ["", "", "", "train"]


def test_the_mean_pose_stands_beside(evaluate, folder):
    evaluate(off=0.0)
    points = moving(10)
    expected = np.linalg.norm(_mean(points[:4]) - points[6:9], axis=2).mean()
    assert metrics_of(folder)["scores"]["mean_pose_error"] == pytest.approx(expected)


def _mean(points):
    known = points.copy()
    known[0, 1] = np.nan
    return np.nanmean(known, axis=0)


def test_test_is_opened_only_where_it_is_asked_for(evaluate, folder):
    evaluate("run.split=val")
    assert "test" not in read_landmark_csv(folder / "predictions.csv").sets
    assert not (folder / "metrics.json").exists() and metrics_of(folder, "val")["split"] == "val"


def test_training_writes_train_and_val_alone(tmp_path):
    config = configure(tmp_path)
    labelled = write_blobs(config).of_split("train", "val")
    detector = load_detector(read_pose(write_run(config)), config.trainer)
    predict_frames(detector, labelled, config).write(tmp_path / "run")
    assert set(read_landmark_csv(tmp_path / "run" / "predictions.csv").sets) == {"train", "validation"}


def test_frames_that_were_trained_on_are_refused(evaluate):
    with pytest.raises(DataError, match="1 frames of test were trained on"):
        evaluate(train_clips=["pictures/0.png", "pictures/7.png"])
    with pytest.raises(DataError, match="1 frames of new were trained on"):
        evaluate(train_clips=["pictures/9.png"])


def test_val_is_compared_with_what_training_reported(evaluate, folder, caplog):
    with caplog.at_level(logging.WARNING):
        evaluate(off=2.0, metrics={"val_pixel_error": 9.0})
    assert metrics_of(folder, "val")["val_agrees"] is False
    assert any("val is scored otherwise" in record.getMessage() for record in caplog.records)
    measured = metrics_of(folder, "val")["scores"]["pixel_error"]
    caplog.clear()
    evaluate(off=2.0, metrics={"val_pixel_error": measured + 1e-5})
    assert metrics_of(folder, "val")["val_agrees"] is True and not caplog.records


def test_other_landmarks_are_one_error(evaluate):
    other = NamedLandmarks(("red", "blue", "green"))
    with pytest.raises(CheckpointError, match=r"finds red, blue, green; .* red, green, blue"):
        evaluate(landmarks=other)


def test_a_split_without_frames_is_one_error(evaluate):
    with pytest.raises(DataError, match="has no frame in test"):
        evaluate(blobs={"splits": ("train", "val")})


def test_settings_of_recognisers_are_refused(evaluate):
    with pytest.raises(ConfigError, match=r"evaluation.shuffled=true"):
        evaluate("evaluation.shuffled=true")


def test_the_worst_frames_are_named_with_both_points(evaluate, folder):
    evaluate(off=3.0)
    first = metrics_of(folder)["examples"][0]
    assert first["pixel_error"] == max(row["pixel_error"] for row in metrics_of(folder)["examples"])
    assert first["frame_id"] in {"pictures/6.png", "pictures/7.png", "pictures/8.png"}
    assert np.allclose(np.array(first["labelled"]) - first["predicted"], [3, 0], atol=0.5)
