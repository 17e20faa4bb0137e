"""MediaPipe's landmarks: the same as its own solution gives, in our layout and units."""

import builtins
import pickle

import numpy as np
import pytest

from sign_recog.errors import ConfigError, DataError, SignRecogError
from sign_recog.extractors.mediapipe_holistic import HolisticExtractor
from sign_recog.landmarks.layout import get_layout
from sign_recog.storage.fingerprint import fingerprint
from sign_recog.storage.sequences import read_keypoints, write_keypoints
from sign_recog.video.reader import read_frames
from sign_recog.video.writer import write_video

SETTINGS = {
    "layout": "holistic_75",
    "target_fps": None,
    "model_complexity": 1,
    "min_detection_confidence": 0.5,
    "min_tracking_confidence": 0.5,
    "smooth_landmarks": True,
    "sharpen": None,
    "background": None,
}
START_S, END_S = 0.8, 1.2  # a dozen frames with a hand in view


def make(**changes):
    return HolisticExtractor(**{**SETTINGS, **changes})


@pytest.fixture(scope="module")
def mediapipe():
    try:
        import mediapipe
    except ImportError as error:
        pytest.skip(f"MediaPipe cannot be loaded: {error}")
    return mediapipe


@pytest.fixture(scope="module")
def clip(test_data):
    return test_data / "video_ksl77_koala" / "clips" / "Seoul_example1.mp4"


@pytest.fixture(scope="module")
def other_clip(test_data):
    return test_data / "video_ksl77_koala" / "clips" / "you_example2.mp4"


@pytest.fixture(scope="module")
def extracted(mediapipe, clip):
    return make().extract(clip, START_S, END_S)


def test_landmarks_equal_mediapipe_s_own_to_the_bit(mediapipe, clip, extracted):
    rows, sure = [], []
    with mediapipe.solutions.holistic.Holistic(model_complexity=1) as holistic:
        for image, _ in read_frames(clip, start_s=START_S, end_s=END_S):
            height, width, _ = image.shape
            found = holistic.process(image)
            points, visible = np.full((75, 3), np.nan), np.zeros(75)
            parts = [found.pose_landmarks, found.left_hand_landmarks, found.right_hand_landmarks]
            for part, first in zip(parts, (0, 33, 54), strict=True):
                for i, p in enumerate(part.landmark if part else ()):
                    points[first + i] = p.x, p.y * height / width, p.z
                    visible[first + i] = p.visibility if first == 0 else 1
            rows.append(points)
            sure.append(visible)
    assert len(rows) >= 10
    assert np.isfinite(rows)[:, 54:].any(), "no hand in view: the test would prove little"
    assert np.array_equal(extracted.keypoints, np.float32(rows), equal_nan=True)
    assert np.array_equal(extracted.confidence, np.float32(sure))


def test_faces_come_with_layouts_that_have_them_and_change_nothing_else(clip, extracted):
    full = make(layout="holistic_543").extract(clip, START_S, END_S)
    assert np.array_equal(full.keypoints[:, :75], extracted.keypoints, equal_nan=True)
    assert np.isfinite(full.keypoints[:, 75:]).all(axis=(1, 2)).mean() > 0.5
    smaller = make(layout="fslr_78").extract(clip, START_S, END_S)
    chosen = get_layout("fslr_78").index_in(get_layout("holistic_543"))
    assert np.array_equal(smaller.keypoints, full.keypoints[:, chosen], equal_nan=True)
    assert np.array_equal(smaller.confidence, full.confidence[:, chosen])


def test_a_clip_does_not_depend_on_the_clips_before_it(mediapipe, clip, other_clip, extracted):
    extractor = make()
    extractor.extract(other_clip, 0.5, 0.9)
    again = extractor.extract(clip, START_S, END_S)
    assert np.array_equal(again.keypoints, extracted.keypoints, equal_nan=True)
    assert np.array_equal(again.confidence, extracted.confidence)


def test_a_broken_clip_does_not_spoil_the_next(mediapipe, clip, extracted, tmp_path):
    extractor, broken = make(), tmp_path / "broken.mp4"
    broken.write_bytes(clip.read_bytes()[:5000])
    with pytest.raises(DataError, match="broken"):
        extractor.extract(broken)
    again = extractor.extract(clip, START_S, END_S)
    assert np.array_equal(again.keypoints, extracted.keypoints, equal_nan=True)


def test_s0_hands_have_confidence_1_and_missing_parts_are_nan_with_0(extracted):
    missing = np.isnan(extracted.keypoints).any(axis=2)
    assert missing.any()
    assert np.array_equal(missing, np.isnan(extracted.keypoints).all(axis=2))
    assert (extracted.confidence[missing] == 0).all()
    assert (extracted.confidence[:, 33:][~missing[:, 33:]] == 1).all()
    assert ((extracted.confidence >= 0) & (extracted.confidence <= 1)).all()


def test_points_are_where_the_person_is_in_image_widths(mediapipe, clip, tmp_path):
    # The same picture with a gray band below: y in image heights would shrink, y in image widths stays.
    image = next(read_frames(clip, start_s=START_S)).image
    taller = np.concatenate([image, np.full((140, 320, 3), 128, np.uint8)])
    for name, picture in (("plain", image), ("taller", taller)):
        write_video(tmp_path / f"{name}.mp4", [picture], 25)
    plain, tall = (make().extract(tmp_path / f"{name}.mp4") for name in ("plain", "taller"))
    face = slice(0, 11)
    assert len(plain.keypoints) == 1
    assert np.abs(plain.keypoints[0, face, :2] - tall.keypoints[0, face, :2]).max() < 0.02


def test_target_fps_and_meta(mediapipe, clip, tmp_path):
    sequence = make(target_fps=10, layout="signon_67").extract(clip, 0.0, 1.0)
    assert sequence.timestamps_ms.tolist() == [100 * k for k in range(10)]
    assert sequence.keypoints.shape == (10, 67, 3)
    assert sequence.keypoints.dtype == sequence.confidence.dtype == np.float32
    meta = sequence.meta
    assert (meta["width"], meta["height"], meta["fps"]) == (320, 180, 10)
    assert meta["num_source_frames"] == len(list(read_frames(clip, end_s=1.0)))
    assert meta["fingerprint"] == fingerprint(clip)
    assert meta["extraction"]["layout"] == "signon_67"
    assert meta["extraction"]["options"]["target_fps"] == 10
    write_keypoints(tmp_path / "clip.npz", sequence)
    assert read_keypoints(tmp_path / "clip.npz").meta == {"layout": "signon_67", **meta}


def test_up_sampling_repeats_frames_at_right_times(mediapipe, clip):
    own = [frame.timestamp_ms for frame in read_frames(clip, start_s=START_S, end_s=END_S)]
    sequence = make(target_fps=60).extract(clip, START_S, END_S)
    assert sequence.timestamps_ms.tolist() == [round(1000 * k / 60) for k in range(len(sequence.timestamps_ms))]
    assert len(sequence.timestamps_ms) == pytest.approx(60 * (END_S - START_S), abs=2)
    assert len(sequence.timestamps_ms) > 1.5 * len(own)
    assert sequence.meta["num_source_frames"] == len(own)


def test_options_that_are_off_leave_descriptions_as_they_were(mediapipe):
    options = make().description()["options"]
    assert "sharpen" not in options and "background" not in options  # files of before stay finished
    on = make(sharpen=1.5, background="black").description()["options"]
    assert on == options | {"sharpen": 1.5, "background": "black"}


def test_sharpened_frames_on_black_show_the_same_person(mediapipe, clip, other_clip, extracted):
    extractor = make(sharpen=1.0, background="black")
    changed = extractor.extract(clip, START_S, END_S)
    assert not np.array_equal(changed.keypoints, extracted.keypoints, equal_nan=True)
    shoulders = slice(11, 13)
    moved = np.abs(changed.keypoints[:, shoulders, :2] - extracted.keypoints[:, shoulders, :2])
    assert np.nanmedian(moved) < 0.03  # image widths
    extractor.extract(other_clip, 0.5, 0.9)
    again = pickle.loads(pickle.dumps(extractor)).extract(clip, START_S, END_S)
    for one in (again, extractor.extract(clip, START_S, END_S)):
        assert np.array_equal(one.keypoints, changed.keypoints, equal_nan=True)


def test_a_video_of_nobody_is_an_error(mediapipe, tmp_path):
    write_video(tmp_path / "wall.mp4", [np.full((120, 160, 3), 200, np.uint8)] * 3, 25)
    with pytest.raises(DataError, match=r"wall\.mp4: no person was detected in 3 frames"):
        make().extract(tmp_path / "wall.mp4")


def test_native_notices_stay_off_the_terminal(mediapipe, clip, capfd):
    make().extract(clip, START_S, START_S + 0.05)
    assert capfd.readouterr().err == ""


def test_an_extractor_can_be_sent_to_a_worker(mediapipe, clip, extracted):
    extractor = make()
    extractor.extract(clip, START_S, START_S + 0.05)
    copy = pickle.loads(pickle.dumps(extractor))
    assert copy.description() == extractor.description()
    assert np.array_equal(copy.extract(clip, START_S, END_S).keypoints, extracted.keypoints, equal_nan=True)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"layout": "coco_17"}, "coco_17"),
        ({"target_fps": 0}, "target_fps=0"),
        ({"model_complexity": 3}, "model_complexity=3"),
        ({"min_detection_confidence": 1.5}, "min_detection_confidence=1.5"),
        ({"min_tracking_confidence": -0.1}, "min_tracking_confidence=-0.1"),
        ({"sharpen": 0}, "sharpen=0"),
        ({"background": "white"}, "background=white"),
    ],
)
def test_settings_out_of_range_are_refused_at_once(changes, key):
    with pytest.raises(ConfigError, match=key):
        make(**changes)


def test_a_model_outside_the_wheel_is_named(mediapipe, clip):
    from pathlib import Path

    if (Path(mediapipe.__file__).parent / "modules/pose_landmark/pose_landmark_heavy.tflite").exists():
        pytest.skip("the heavy pose model has been downloaded here")
    with pytest.raises(ConfigError, match=r"model_complexity=2 needs the model .*pose_landmark_heavy"):
        make(model_complexity=2).extract(clip, 0.0, 0.1)


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        (
            "libGL.so.1: cannot open shared object file: No such file or directory",
            "opencv-contrib-python-headless==",
        ),
        ("cannot import name 'solution_base'", "pip install -e ."),
    ],
)
def test_an_import_error_says_what_to_install(monkeypatch, clip, reason, remedy):
    genuine = builtins.__import__

    def failing(name, *args, **kwargs):
        if name.split(".")[0] == "mediapipe":
            raise ImportError(reason)
        return genuine(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", failing)
    with pytest.raises(SignRecogError, match="MediaPipe cannot be loaded") as caught:
        make().extract(clip, 0.0, 0.1)
    assert reason in str(caught.value)
    assert remedy in str(caught.value)
