"""A trained detector as an extractor: where its landmarks stand in keypoint files, in this process and in others."""

import json

import numpy as np
import pytest
from made_videos import write_made
from omegaconf import OmegaConf
from pose_fakes import LANDMARKS, draw, moving, write_checkpoint

from sign_recog.cli import CONF_DIR
from sign_recog.config.modalities.keypoints import KeypointsModality
from sign_recog.data.keypoints import KeypointReader
from sign_recog.errors import CheckpointError, ConfigError, DataError
from sign_recog.extractors.jobs import Job
from sign_recog.extractors.pool import extract_all
from sign_recog.extractors.pose_detector import PoseDetector
from sign_recog.landmarks.layout import get_layout
from sign_recog.landmarks.named import NamedLandmarks
from sign_recog.landmarks.named_layout import NamedLayout
from sign_recog.landmarks.names import point_names
from sign_recog.stages.build import build
from sign_recog.storage.sequences import read_keypoints

CONFIG = {"trainer": {"precision": "32-true"}, "name": "blobs", "seed": 1}
HANDS = NamedLandmarks(("right_hand.wrist", "pose.nose", "left_hand.wrist"))


def extractor(tmp_path, landmarks=LANDMARKS, context=0, **changes):
    path = write_checkpoint(tmp_path / "best.ckpt", CONFIG, landmarks=landmarks, context=context)
    settings = {
        "build": build, "checkpoint": str(path), "name": "mine", "layout": "named", "target_fps": None,
        "batch_size": 4, "min_confidence": 0.0, "device": "cpu",
    }  # fmt: skip
    return PoseDetector(**settings | changes)


@pytest.fixture
def video(tmp_path):
    points = moving(7)
    write_made(tmp_path / "a.mp4", [draw(own) for own in points], options={"crf": "0"}, pix_fmt="yuv444p")
    return tmp_path / "a.mp4", points


def test_keypoints_are_image_widths_from_the_pictures_corner(tmp_path, video):
    path, points = video
    found = extractor(tmp_path).extract(path)
    assert found.layout == NamedLayout.of(LANDMARKS)
    np.testing.assert_allclose(found.keypoints[..., :2] * 96 - 0.5, points, atol=0.3)
    assert not found.keypoints[..., 2].any()
    np.testing.assert_allclose(found.confidence, np.tile([1, 0.75, 0.25], (7, 1)))
    assert found.timestamps_ms.tolist() == [40 * i for i in range(7)]
    assert (found.meta["width"], found.meta["height"], found.meta["extractor"]) == (96, 64, "mine")


def test_a_subset_of_holistics_points_stands_in_holistics_places(tmp_path, video):
    path, points = video
    found = extractor(tmp_path, HANDS, layout="holistic_75").extract(path)
    assert found.layout == get_layout("holistic_75")
    places = [point_names(found.layout).index(name) for name in HANDS.names]
    np.testing.assert_allclose(found.keypoints[:, places, :2] * 96 - 0.5, points, atol=0.3)
    others = np.setdiff1d(np.arange(75), places)
    assert np.isnan(found.keypoints[:, others]).all() and not found.confidence[:, others].any()


def test_points_below_the_least_confidence_are_missing(tmp_path, video):
    found = extractor(tmp_path, min_confidence=0.5).extract(video[0])
    assert np.isnan(found.keypoints[:, 2]).all() and not found.confidence[:, 2].any()
    assert np.isfinite(found.keypoints[:, :2]).all()


def test_a_span_and_a_rate_are_kept(tmp_path, video):
    found = extractor(tmp_path, target_fps=12.5).extract(video[0], 0.04, 0.24)
    assert found.timestamps_ms.tolist() == [0, 80, 160]
    np.testing.assert_allclose(found.keypoints[..., :2] * 96 - 0.5, video[1][[1, 3, 5]], atol=0.3)


def test_worker_processes_write_the_same_files(tmp_path, video):
    path, _ = video
    own = extractor(tmp_path, context=2)
    jobs = [Job("a", path), Job("b", path, 0.08, None), Job("broken", tmp_path / "broken.mp4")]
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    done = extract_all(jobs, own, tmp_path / "many", num_workers=1)
    assert done.finished == 2 and list(done.failed) == ["broken"]
    for job in jobs[:2]:
        alone, other = own.extract(job.video, job.start_s, job.end_s), read_keypoints(job.output(tmp_path / "many"))
        np.testing.assert_array_equal(alone.keypoints, other.keypoints)
        assert other.layout.landmarks == LANDMARKS
    assert json.loads((tmp_path / "many" / "extraction.json").read_text()) == own.description()


def test_files_of_another_checkpoint_are_told_apart(tmp_path):
    first = extractor(tmp_path).description()
    write_checkpoint(tmp_path / "best.ckpt", CONFIG | {"seed": 2})
    second = PoseDetector(
        build=build, checkpoint=str(tmp_path / "best.ckpt"), name="mine", layout="named", target_fps=None,
        batch_size=1, min_confidence=0.0, device="cpu",
    ).description()  # fmt: skip
    assert first != second and first | {"weights": ""} == second | {"weights": ""}


def test_bad_settings_are_one_error_each(tmp_path):
    for changes in ({"target_fps": 0}, {"batch_size": 0}, {"min_confidence": 1.5}, {"layout": "mine"}):
        with pytest.raises(ConfigError):
            extractor(tmp_path, **changes)
    with pytest.raises(ConfigError, match=r"has no red, green, blue, .* extractor.layout=named"):
        extractor(tmp_path, layout="holistic_75")
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        extractor(tmp_path, checkpoint=str(tmp_path / "none.ckpt"))


def modality(**changes):
    values = OmegaConf.load(CONF_DIR / "modality" / "keypoints.yaml")
    del values["defaults"]
    return OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(KeypointsModality), values, changes))


def test_what_a_network_needs_and_the_detector_does_not_know_is_one_message(tmp_path, video):
    found = extractor(tmp_path, HANDS, layout="holistic_75").extract(video[0])
    with pytest.raises(DataError, match=r"knows no pose.left_shoulder and no pose.right_shoulder"):
        KeypointReader(modality(normalization="neck")).frames(found, "a")
    with pytest.raises(DataError, match="does not know 24 points of the part pose"):
        KeypointReader(modality(normalization="image", imputation="parts", layout="signon_67")).frames(found, "a")
    assert np.isfinite(KeypointReader(modality(normalization="image", imputation="gaps")).frames(found, "a")).all()
    named = extractor(tmp_path).extract(video[0])
    with pytest.raises(ConfigError, match="landmarks of another naming"):
        KeypointReader(modality()).frames(named, "a")
