"""The quality table against cases whose numbers are known."""

import json

import numpy as np
import pytest

from sign_recog.extractors.quality import measure, measure_all
from sign_recog.landmarks.layout import get_layout
from sign_recog.storage.sequences import KeypointSequence, write_keypoints

LAYOUT = get_layout("holistic_75")


def sequence(keypoints, confidence=None):
    there = np.isfinite(keypoints[..., 0])
    confidence = there.astype(np.float32) if confidence is None else confidence
    return KeypointSequence(keypoints.astype(np.float32), confidence, np.arange(len(keypoints)) * 40, LAYOUT)


def still(num_frames=10):
    return np.tile(np.random.default_rng(0).random((75, 3)), (num_frames, 1, 1))


def test_shares_count_frames_with_the_part():
    keypoints = still()
    keypoints[:4, LAYOUT.parts["left_hand"]] = np.nan
    keypoints[3:9, LAYOUT.parts["right_hand"]] = np.nan
    quality = measure("a", sequence(keypoints))
    assert quality.seen == {"pose": 1.0, "left_hand": 0.6, "right_hand": 0.4}
    assert quality.any_hand == 0.9
    assert quality.num_frames == 10


def test_steady_movement_has_no_jitter_and_trembling_has_its_own():
    time = np.arange(20)[:, None]
    moving = still(20)
    moving[..., 0] += 0.01 * time
    assert measure("a", sequence(moving)).jitter == pytest.approx(0, abs=1e-6)
    # Points that jump by +-d on every frame have second differences of 4 d.
    moving[..., 1] += 0.001 * (-1.0) ** time
    assert measure("a", sequence(moving)).jitter == pytest.approx(0.004, rel=1e-3)


def test_acceleration_is_the_jitter_of_a_thrown_point():
    thrown = still(20)
    thrown[..., 1] += 0.5 * 0.002 * np.arange(20)[:, None] ** 2
    assert measure("a", sequence(thrown)).jitter == pytest.approx(0.002, rel=1e-3)


def test_guessed_and_missing_points_do_not_tremble():
    rng = np.random.default_rng(1)
    keypoints, confidence = still(20), np.ones((20, 75), np.float32)
    keypoints[:, 25:33] += rng.normal(0, 0.1, (20, 8, 3))
    confidence[:, 25:33] = 0.3
    keypoints[7:9, 33:54] = np.nan
    confidence[7:9, 33:54] = 0
    assert measure("a", sequence(keypoints, confidence)).jitter == pytest.approx(0, abs=1e-6)
    assert np.isnan(measure("a", sequence(keypoints[:2], confidence[:2])).jitter)


def test_frozen_frames_repeat_the_one_before_to_the_bit():
    keypoints = np.random.default_rng(2).random((11, 75, 3))
    keypoints[3] = keypoints[2]
    keypoints[4] = keypoints[2]
    keypoints[8, 33:54] = keypoints[9, 33:54] = np.nan
    keypoints[9] = keypoints[8]
    assert measure("a", sequence(keypoints)).frozen == pytest.approx(3 / 10)
    nobody = np.full((5, 75, 3), np.nan)
    assert measure("a", sequence(nobody)).frozen == 0
    assert measure("a", sequence(keypoints[:1])).frozen == 0


def test_the_report_weighs_frames_and_lists_the_ten_worst(tmp_path):
    files = []
    for i in range(12):
        keypoints = still(10 * (i + 1))
        keypoints[: 5 * i, 33:75] = np.nan  # the share without hands rises with i ...
        if i == 11:
            keypoints[:, 33:75] = np.nan
        files.append((f"clip{i:02}", tmp_path / f"{i}.npz"))
        write_keypoints(files[-1][1], sequence(keypoints))
    report = measure_all(files)
    assert report.num_frames == sum(10 * (i + 1) for i in range(12))
    with_hand = sum(10 * (i + 1) - 5 * i for i in range(11))
    assert report.any_hand == pytest.approx(with_hand / report.num_frames)
    assert [clip.clip_id for clip in report.worst] == [f"clip{i:02}" for i in range(11, 1, -1)]
    assert len(report.worst_rows()) == 10
    rows = dict(report.rows())
    assert rows["clips"] == "12"
    assert rows["frames with pose"] == "100.0 %"


def test_the_report_is_json_even_where_jitter_is_unknown(tmp_path):
    write_keypoints(tmp_path / "a.npz", sequence(still(2)))
    report = measure_all([("a", tmp_path / "a.npz")])
    text = json.dumps(report.to_json(), allow_nan=False)
    assert json.loads(text)["worst"][0] == {
        "clip_id": "a",
        "num_frames": 2,
        "seen": {"pose": 1.0, "left_hand": 1.0, "right_hand": 1.0},
        "any_hand": 1.0,
        "jitter": None,
        "frozen": 1.0,
    }
