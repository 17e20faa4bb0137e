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
        "missing": 0.0,
        "temporal_norm": 0.0,
        "jitter": None,
        "frozen": 1.0,
    }


def write_moving(folder, number, *, num_frames=60, change=None):
    """A body of 75 points that sways in two ways, which is all that its plane needs."""
    rng = np.random.default_rng(5)
    body, ways = rng.random((75, 2)), rng.normal(0, 0.05, (2, 75, 2))
    phase = np.random.default_rng(number).random((num_frames, 2)) * 2 - 1
    keypoints = np.zeros((num_frames, 75, 3))
    keypoints[..., :2] = body + np.einsum("tk,kvc->tvc", phase, ways)
    if change is not None:
        change(keypoints)
    path = folder / f"{number}.npz"
    write_keypoints(path, sequence(keypoints))
    return str(number), path


def test_missing_points_are_a_share_of_all_points(tmp_path):
    keypoints = still(10)
    keypoints[:5, :15] = np.nan
    assert measure("a", sequence(keypoints)).missing == pytest.approx(0.5 * 15 / 75)


def test_the_temporal_norm_is_the_median_step_of_sure_points():
    keypoints, confidence = still(20), np.ones((20, 75), np.float32)
    keypoints[:, :50, 0] += 0.01 * np.arange(20)[:, None]
    keypoints[:, 50:, 1] += 0.3 * np.arange(20)[:, None]
    confidence[:, 50:] = 0.2
    assert measure("a", sequence(keypoints, confidence)).temporal_norm == pytest.approx(0.01, rel=1e-3)
    assert np.isnan(measure("a", sequence(keypoints[:1])).temporal_norm)


def test_the_plane_is_the_corpus_own_and_poses_outside_it_have_errors(tmp_path):
    clean = measure_all([write_moving(tmp_path, i) for i in range(8)])
    assert clean.pca_singleview < 1e-4

    def tremble(keypoints):
        keypoints[..., :2] += np.random.default_rng(0).normal(0, 0.002, (len(keypoints), 75, 2))

    trembling = measure_all([write_moving(tmp_path, i, change=tremble) for i in range(8)])
    assert trembling.pca_singleview == pytest.approx(0.002 * np.sqrt(2 * np.log(2)), rel=0.05)  # a Rayleigh median
    assert dict(clean.rows())["PCA single-view error (widths)"].startswith("0.0000")


def test_points_that_are_seldom_seen_are_no_part_of_the_plane(tmp_path):
    def lose(keypoints):
        keypoints[:40, 33:54] = np.nan

    assert measure_all([write_moving(tmp_path, i, change=lose) for i in range(8)]).pca_singleview < 1e-4


def test_too_few_frames_for_a_plane_are_said(tmp_path):
    report = measure_all([write_moving(tmp_path, 0, num_frames=20)])
    assert np.isnan(report.pca_singleview)
    assert dict(report.rows())["PCA single-view error (widths)"] == "too few whole frames"
    assert report.to_json()["pca_singleview"] is None


def test_landmarks_of_another_naming_are_measured_too(tmp_path):
    from sign_recog.landmarks.named import NamedLandmarks
    from sign_recog.landmarks.named_layout import NamedLayout

    keypoints = np.random.default_rng(0).random((30, 2, 3)).astype(np.float32)
    keypoints[:6, 1] = np.nan
    layout = NamedLayout.of(NamedLandmarks(("nose", "paw")))
    clip = KeypointSequence(keypoints, np.isfinite(keypoints[..., 0]).astype(np.float32), np.arange(30) * 40, layout)
    write_keypoints(tmp_path / "a.npz", clip)
    report = measure_all([("a", tmp_path / "a.npz")])
    assert (report.missing, report.seen) == (pytest.approx(0.1), {"landmarks": 1.0})
    assert "frames with a hand" not in dict(report.rows()) and report.to_json()["any_hand"] is None
    assert report.worst_rows()[0][2] == "–"


def test_what_an_earlier_version_remembered_is_measured_again(tmp_path):
    from sign_recog.storage.memo import Memo

    clip_id, path = write_moving(tmp_path, 0)
    memo = Memo(tmp_path / "memo.json")
    memo.put(
        clip_id, [path], {"clip_id": clip_id, "num_frames": 60, "seen": {}, "any_hand": 1, "jitter": 0, "frozen": 0}
    )
    assert measure_all([(clip_id, path)], memo).num_frames == 60
