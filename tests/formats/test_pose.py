""".pose files, against pose-format's own reading of real ones."""

import numpy as np
import pytest

from sign_recog.errors import DataError
from sign_recog.formats import pose
from sign_recog.landmarks.layout import LAYOUTS, get_layout
from sign_recog.storage.manifest import Clip, read_table
from sign_recog.storage.sequences import KeypointSequence

WHOLE = [
    "tfds_dummy/autsl_signer0_sample1000.pose",  # format XYZKC
    "tfds_dummy/phoenix_25October_2010_Monday_tagesschau-17.pose",
    "pose_eval/colin-SAD.pose",  # with world landmarks
    "pose_eval/colin-HOUSE-needs-trim.pose",  # with iris points
    "pose_eval/Ui9Nq58yYSgkJslO02za.pose",  # NaN of full confidence
    "pose_eval/000017451997373907346-LIBRARY.pose",
]


def sequence(layout="holistic_543", frames=5, **meta) -> KeypointSequence:
    rng = np.random.default_rng(0)
    chosen = get_layout(layout)
    keypoints = rng.random((frames, len(chosen), 3), dtype=np.float32)
    keypoints[2, chosen.parts["right_hand"]] = np.nan
    confidence = np.where(np.isnan(keypoints[..., 0]), 0, rng.random(keypoints.shape[:2])).astype(np.float32)
    meta = {"clip_id": "c", "width": 640, "height": 480, "fps": 25.0} | meta
    return KeypointSequence(keypoints, confidence, np.arange(frames) * 40, chosen, meta)


def assert_same(first: KeypointSequence, second: KeypointSequence) -> None:
    np.testing.assert_allclose(first.keypoints, second.keypoints, atol=1e-6)
    np.testing.assert_allclose(first.confidence, second.confidence, atol=1e-6)
    np.testing.assert_array_equal(first.timestamps_ms, second.timestamps_ms)
    assert first.layout == second.layout
    for name in ("width", "height", "fps"):
        assert first.meta[name] == second.meta[name]


@pytest.mark.parametrize("name", WHOLE)
def test_every_point_of_a_real_file_is_the_one_of_that_name(test_data, name):
    from pose_format import Pose

    path = test_data / "pose_files" / name
    theirs = Pose.read(path.read_bytes())
    ours = pose.read(path, clip_id="c", layout="holistic_543")
    width = theirs.header.dimensions.width
    checked = {
        0: ("POSE_LANDMARKS", "NOSE"), 11: ("POSE_LANDMARKS", "LEFT_SHOULDER"), 16: ("POSE_LANDMARKS", "RIGHT_WRIST"),
        24: ("POSE_LANDMARKS", "RIGHT_HIP"), 33: ("LEFT_HAND_LANDMARKS", "WRIST"),
        33 + 9: ("LEFT_HAND_LANDMARKS", "MIDDLE_FINGER_MCP"), 54 + 20: ("RIGHT_HAND_LANDMARKS", "PINKY_TIP"),
        75 + 199: ("FACE_LANDMARKS", "199"),
    }  # fmt: skip
    for v, (component, point) in checked.items():
        i = theirs.header.get_point_index(component, point)
        data, confidence = theirs.body.data.data[:, 0, i], theirs.body.confidence[:, 0, i]
        seen = (confidence > 0) & np.isfinite(data).all(axis=1)
        np.testing.assert_array_equal(~np.isnan(ours.keypoints[:, v, 0]), seen)
        np.testing.assert_allclose(ours.keypoints[seen, v, :2], data[seen, :2] / width, rtol=1e-5)
        np.testing.assert_allclose(ours.keypoints[seen, v, 2], data[seen, 2], rtol=1e-5)
        np.testing.assert_allclose(ours.confidence[:, v], np.where(seen, confidence, 0), rtol=1e-6)


@pytest.mark.parametrize("name", WHOLE)
def test_hands_are_at_the_wrists_of_their_side(test_data, name):
    keypoints = pose.read(test_data / "pose_files" / name, clip_id="c", layout="holistic_75").keypoints[..., :2]
    for hand, own, other in ((33, 15, 16), (54, 16, 15)):
        if not np.isnan(keypoints[:, hand]).all():
            near = np.nanmedian(np.linalg.norm(keypoints[:, hand] - keypoints[:, own], axis=1))
            assert near < 0.5 * np.nanmedian(np.linalg.norm(keypoints[:, hand] - keypoints[:, other], axis=1))


@pytest.mark.parametrize("name", WHOLE)
def test_real_files_survive_writing(test_data, tmp_path, name):
    read = pose.read(test_data / "pose_files" / name, clip_id="c", layout="holistic_543")
    pose.write(tmp_path / "deep/a.pose", read, None)
    assert_same(read, pose.read(tmp_path / "deep/a.pose", clip_id="c", layout="holistic_543"))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_survives_writing_and_pose_format_reads_it(tmp_path, layout):
    from pose_format import Pose

    given = sequence(layout)
    pose.write(tmp_path / "a.pose", given, None)
    assert_same(given, pose.read(tmp_path / "a.pose", clip_id="c", layout=layout))
    theirs = Pose.read((tmp_path / "a.pose").read_bytes())
    assert theirs.body.data.shape == (5, 1, len(given.layout), 3)
    assert sum(len(c.limbs) for c in theirs.header.components) > 40
    nose = theirs.header.get_point_index("POSE_LANDMARKS", "NOSE")
    np.testing.assert_allclose(theirs.body.data.data[:, 0, nose, :2], given.keypoints[:, 0, :2] * 640, rtol=1e-5)


def test_names_are_mediapipes():
    hand = pytest.importorskip("mediapipe.python.solutions.hands")
    body = pytest.importorskip("mediapipe.python.solutions.pose")
    assert list(pose._POSE_NAMES) == [point.name for point in body.PoseLandmark]
    assert list(pose._HAND_NAMES) == [point.name for point in hand.HandLandmark]


def test_a_detected_point_without_confidence_stays_detected(tmp_path):
    given = sequence("holistic_75")
    given.confidence[0, 0] = 0
    pose.write(tmp_path / "a.pose", given, None)
    again = pose.read(tmp_path / "a.pose", clip_id="c", layout="holistic_75")
    np.testing.assert_array_equal(np.isnan(again.keypoints), np.isnan(given.keypoints))


def test_reduced_files_are_refused_by_the_points_they_lack(test_data):
    path = test_data / "pose_files/dummy_lexicon_sgg/essen.pose"
    assert len(pose.missing_points(path, layout="holistic_75")) == 25  # 8 of 33 pose points are there
    message = r"lacks 25 of the 75 points of layout holistic_75 \(POSE_LANDMARKS NOSE, .*holds POSE_LANDMARKS \(8\)"
    with pytest.raises(DataError, match=message):
        pose.read(path, clip_id="c", layout="holistic_75")


@pytest.mark.parametrize("damage", ["empty", "text", "header", "half", "missing", "size"])
def test_damaged_files_are_refused(tmp_path, damage):
    pose.write(tmp_path / "a.pose", sequence("holistic_75"), None)
    data = bytearray((tmp_path / "a.pose").read_bytes())
    if damage == "size":
        data[4:10] = bytes(6)  # width, height, depth
    content = {"empty": b"", "text": b"hello" * 50, "header": data[:40], "half": data[: len(data) // 2], "size": data}
    path = tmp_path / "b.pose"
    if damage in content:
        path.write_bytes(bytes(content[damage]))
    with pytest.raises(DataError, match=r"cannot be read as .pose|no such file|must be above 0"):
        pose.read(path, clip_id="c", layout="holistic_75")


def test_several_people_are_refused(tmp_path):
    from pose_format import Pose

    pose.write(tmp_path / "a.pose", sequence("holistic_75"), None)
    two = Pose.read((tmp_path / "a.pose").read_bytes())
    two.body.data = np.ma.concatenate([two.body.data] * 2, axis=1)
    two.body.confidence = np.concatenate([two.body.confidence] * 2, axis=1)
    with (tmp_path / "b.pose").open("wb") as file:
        two.write(file)
    with pytest.raises(DataError, match="5 frames of 2 people"):
        pose.read(tmp_path / "b.pose", clip_id="c", layout="holistic_75")


def test_the_table_names_files_and_labels(tmp_path):
    clips = [Clip("x/1", split="train", signer="S1", gloss="HUIS", text="a, b")]
    row = read_table(pose.write_index(tmp_path, clips), required=("path",))[0]
    assert (row["path"], row["clip_id"], row["gloss"], row["text"]) == ("x/1.pose", "x/1", "HUIS", "a, b")
