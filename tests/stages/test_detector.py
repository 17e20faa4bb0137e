"""A checkpoint finds what its network found, in pixels of the pictures on the disk."""

import logging

import numpy as np
import pytest
import torch
from made_videos import write_made
from pose_fakes import LANDMARKS, draw, moving
from small_detector import configure, write_blobs, write_run

from sign_recog.errors import CheckpointError
from sign_recog.landmarks.pca import fit_singleview
from sign_recog.stages.detector import load_detector
from sign_recog.stages.evaluate_pose import predict_frames
from sign_recog.storage.checkpoint import read_pose
from sign_recog.video.reader import VideoReader


@pytest.fixture
def config(tmp_path):
    return configure(tmp_path, "run=evaluate")


def test_labelled_frames_are_found_where_they_are_labelled(config):
    labelled = write_blobs(config)
    for height, width in ((32, 64), (64, 96), (96, 160)):
        detector = load_detector(read_pose(write_run(config, height=height, width=width)), config.trainer)
        found = predict_frames(detector, labelled, config)
        known = np.isfinite(labelled.points)
        np.testing.assert_allclose(found.points[known], labelled.points[known], atol=0.3)
        np.testing.assert_allclose(found.confidence, np.tile([1, 0.75, 0.25], (10, 1)))


def test_s4_a_detector_runs_where_there_is_no_gpu_and_no_network(config):
    # The weights that training began with ("gone.pth") are neither looked for nor downloaded.
    detector = load_detector(read_pose(write_run(config)), config.trainer)
    assert detector.detector.device.type == "cpu"
    assert not detector.detector.network.training


def test_weights_of_another_network_are_one_error(config):
    path = write_run(config)
    content = torch.load(path)
    torch.save(content | {"state_dict": {"network.other": torch.zeros(1)}}, path)
    with pytest.raises(CheckpointError, match="do not fit its network"):
        load_detector(read_pose(path), config.trainer)


def test_a_video_of_another_size_gets_no_pca_errors_and_a_line_says_so(config, tmp_path, caplog):
    plane = fit_singleview(moving(20), LANDMARKS, components=2, explained=0.99, centring=None)
    detector = load_detector(read_pose(write_run(config, pca={"singleview": plane.to_json()})), config.trainer)
    for name, size in (("same", (96, 64)), ("other", (48, 32))):
        path = tmp_path / f"{name}.mp4"
        write_made(path, [draw(own / 2, *size) for own in moving(2)])
        with caplog.at_level(logging.WARNING):
            planes = detector.planes_for(path, VideoReader(path).info)
        assert list(planes) == (["pca_singleview_error"] if name == "same" else [])
    (line,) = [record.getMessage() for record in caplog.records]
    assert "48 x 32" in line and "96 x 64" in line and "other.mp4" in line
