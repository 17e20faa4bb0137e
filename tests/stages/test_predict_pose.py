"""Videos are predicted into S4's files; a broken one is named, and a repeated command goes on."""

import csv
import logging

import numpy as np
import pytest
from made_videos import write_made
from pose_fakes import LANDMARKS, draw, moving
from small_detector import configure, write_run

from sign_recog.errors import ConfigError, DataError
from sign_recog.landmarks.pca import fit_singleview
from sign_recog.stages.detector import load_detector
from sign_recog.stages.predict_pose import predict_pose, predict_videos
from sign_recog.storage.checkpoint import read_pose
from sign_recog.storage.landmark_csv import read_landmark_csv
from sign_recog.video.reader import VideoReader, probe

PLANE = fit_singleview(moving(20), LANDMARKS, components=2, explained=0.99, centring=None)


def write_blob_video(path, num_frames=9, seed=0):
    points = moving(num_frames, seed=seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_made(path, [draw(own) for own in points], options={"crf": "0"}, pix_fmt="yuv444p")
    return points


@pytest.fixture
def run(tmp_path):
    """Predict ``videos`` with overrides; the second value is the folder of results."""
    checkpoint = write_run(configure(tmp_path), pca={"singleview": PLANE.to_json()})

    def predict(*overrides, source=None):
        source = source or tmp_path / "videos"
        config = configure(tmp_path, "run=predict", f"run.input={source}", "run.batch_size=4", *overrides)
        return predict_pose(config, read_pose(checkpoint)), checkpoint.parents[1] / "video_preds"

    return predict


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.reader(file))


def test_every_file_of_s4_is_written_and_holds_what_was_found(run, tmp_path):
    points = write_blob_video(tmp_path / "videos" / "one.mp4")
    result, folder = run("run.overlay=true")
    assert result.summary["predicted"] == 1 and result.summary["frames"] == 9
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert names == [
        ".predicted.json",
        "labeled_videos/one_labeled.mp4",
        "one.csv",
        "one_pca_singleview_error.csv",
        "one_temporal_norm.csv",
    ]
    table = read_landmark_csv(folder / "one.csv")
    np.testing.assert_allclose(table.points, points, atol=0.3)
    np.testing.assert_allclose(table.likelihood, np.tile([1, 0.75, 0.25], (9, 1)))
    errors = np.array(rows_of(folder / "one_pca_singleview_error.csv")[1:])[:, 1:].astype(float)
    np.testing.assert_allclose(errors, PLANE.errors(table.points), atol=2e-3)  # of rounded points
    norm = rows_of(folder / "one_temporal_norm.csv")
    assert norm[1] == ["0", "", "", ""] and len(norm) == 10


def test_the_labelled_video_shows_the_landmarks_at_the_videos_rate(run, tmp_path):
    points = write_blob_video(tmp_path / "videos" / "one.mp4")
    _, folder = run("run.overlay=true")
    path = folder / "labeled_videos" / "one_labeled.mp4"
    assert probe(path).fps == pytest.approx(25)
    before = [frame.image.astype(int) for frame in VideoReader(tmp_path / "videos" / "one.mp4")]
    after = [frame.image.astype(int) for frame in VideoReader(path)]
    assert len(before) == len(after)
    for old, new, own in zip(before, after, points, strict=True):
        changed = np.abs(old - new).sum(2) > 120
        assert changed.any()
        y, x = np.nonzero(changed)
        near = np.hypot(x[:, None] - own[:, 0], y[:, None] - own[:, 1]).min(1)
        on_limb = np.abs(np.cross(own[2] - own[0], np.stack([x, y], 1) - own[0])) / np.linalg.norm(own[2] - own[0])
        assert (np.minimum(near, on_limb) < 6).all()


def test_without_overlay_no_video_is_drawn(run, tmp_path):
    write_blob_video(tmp_path / "videos" / "one.mp4", 3)
    _, folder = run("run.overlay=false")
    assert not (folder / "labeled_videos").exists()


def test_a_broken_video_is_named_and_the_rest_goes_on(run, tmp_path):
    for name in ("a", "b", "c"):
        write_blob_video(tmp_path / "videos" / f"{name}.mp4", 6)
    (tmp_path / "videos" / "b.mp4").write_bytes((tmp_path / "videos" / "b.mp4").read_bytes()[:-150])
    (tmp_path / "videos" / "empty.avi").touch()
    result, folder = run("run.overlay=true")
    assert (result.summary["predicted"], result.summary["failed"]) == (2, 2)
    failed = [line.split("\t") for line in (folder / "failed.tsv").read_text().splitlines()]
    assert [row[0] for row in failed] == ["input", "b.mp4", "empty.avi"] and all(row[1] for row in failed)
    assert not list(folder.glob("b*")) and not list(folder.rglob("*partial*"))
    assert len(read_landmark_csv(folder / "c.csv").index) == 6


def test_if_none_can_be_read_the_command_fails(run, tmp_path):
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "empty.avi").touch()
    with pytest.raises(DataError, match="None of 1 videos"):
        run()


def test_s4_a_video_predicted_before_is_not_skipped_in_silence(run, tmp_path, caplog):
    video = tmp_path / "videos" / "one.mp4"
    write_blob_video(video, 3)
    run("run.overlay=false")
    with caplog.at_level(logging.INFO):
        result, folder = run("run.overlay=false")
    assert result.summary["predicted before"] == 1 and result.summary["predicted"] == 0
    assert any("left as it is" in record.getMessage() and "one.mp4" in record.getMessage() for record in caplog.records)
    # Asked for more than is there, or of another content, it is predicted again.
    assert run("run.overlay=true")[0].summary["predicted"] == 1
    write_blob_video(video, 5, seed=3)
    assert run("run.overlay=false")[0].summary["predicted"] == 1
    assert len(read_landmark_csv(folder / "one.csv").index) == 5
    (folder / "one.csv").write_text("changed by hand")
    assert run("run.overlay=false")[0].summary["predicted"] == 1


def test_two_videos_of_one_name_are_refused(run, tmp_path):
    write_blob_video(tmp_path / "videos" / "one.mp4", 2)
    write_blob_video(tmp_path / "videos" / "one.mkv", 2)
    with pytest.raises(DataError, match="one stands for two videos"):
        run()


def test_inputs_that_are_no_videos_are_one_error(run, tmp_path):
    (tmp_path / "one.npz").touch()
    with pytest.raises(DataError, match="is no video"):
        run(source=tmp_path / "one.npz")
    with pytest.raises(DataError, match="no such file"):
        run(source=tmp_path / "nowhere")
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match="holds no video"):
        run(source=tmp_path / "folder")


def test_settings_of_other_networks_are_refused(run, tmp_path):
    with pytest.raises(ConfigError, match=r"run.embeddings has no effect"):
        run("run.embeddings=[cls]")


def test_a_training_writes_into_the_folder_it_gives(tmp_path):
    config = configure(tmp_path)
    write_blob_video(tmp_path / "videos" / "one.mp4", 3)
    detector = load_detector(read_pose(write_run(config)), config.trainer)
    paths = [tmp_path / "videos" / "one.mp4"]
    done = predict_videos(detector, paths, tmp_path / "video_preds", overlay=False, batch_size=2)
    assert (done.predicted, done.num_frames) == (["one"], 3)
    assert (tmp_path / "video_preds" / "one.csv").exists()
