"""Keypoints with names of their own: stored, drawn, and refused with one message where Holistic's points are needed."""

import numpy as np
import pytest

from sign_recog.errors import ConfigError, DataError
from sign_recog.evaluation.strips import skeleton_strip
from sign_recog.landmarks.draw import draw_landmarks, draw_skeleton, landmark_color
from sign_recog.landmarks.layout import get_layout
from sign_recog.landmarks.named import NamedLandmarks
from sign_recog.landmarks.named_layout import NamedLayout
from sign_recog.storage.sequences import KeypointSequence, read_keypoints, write_keypoints

MOUSE = NamedLandmarks(("nose", "paw_l", "paw_r"), swap_pairs=(("paw_l", "paw_r"),), limbs=(("nose", "paw_l"),))
LAYOUT = NamedLayout.of(MOUSE)


def sequence(num_frames=6):
    keypoints = np.random.default_rng(0).random((num_frames, 3, 3)).astype(np.float32)
    keypoints[2, 1] = np.nan
    there = np.isfinite(keypoints[..., 0]).astype(np.float32)
    return KeypointSequence(keypoints, there, np.arange(num_frames) * 40, LAYOUT, {"clip_id": "a", "width": 64})


def test_a_file_carries_names_limbs_and_pairs(tmp_path):
    write_keypoints(tmp_path / "a.npz", sequence())
    read = read_keypoints(tmp_path / "a.npz")
    assert read.layout == LAYOUT and read.layout.landmarks == MOUSE
    assert (len(read.layout), read.layout.limbs, read.layout.mirror.tolist()) == (3, [(0, 1)], [0, 2, 1])
    np.testing.assert_array_equal(read.keypoints, sequence().keypoints)


@pytest.mark.parametrize(
    "named", [None, {}, {"names": ["a"]}, {"names": ["a", "a"], "swap_pairs": [], "views": [], "limbs": []}]
)
def test_damaged_names_are_one_error(tmp_path, named):
    clip = sequence()
    layout = get_layout("holistic_75")
    clip.layout, clip.meta = layout, {"layout": "named", "landmarks": named}
    write_keypoints(tmp_path / "a.npz", clip)
    with pytest.raises(DataError):
        read_keypoints(tmp_path / "a.npz")


def test_holistics_points_cannot_be_selected_from_others():
    with pytest.raises(ConfigError, match="landmarks of another naming"):
        get_layout("signon_67").index_in(LAYOUT)


def test_an_overlay_shows_points_where_they_are_stored():
    image = np.zeros((240, 400, 3), np.uint8)
    points = np.array([[0.2, 0.3, 0], [0.6, 0.1, 0], [np.nan, np.nan, np.nan]])
    drawn = draw_skeleton(image, points, LAYOUT)
    for v, (x, y) in ((0, (79.5, 119.5)), (1, (239.5, 39.5))):
        rows, columns = np.nonzero(np.abs(drawn.astype(int) - landmark_color(v)).sum(2) < 40)
        assert np.hypot(columns.mean() - x, rows.mean() - y) < 1
    assert not image.any()


def test_unsure_points_are_rings_without_limbs():
    points = np.array([[20.0, 30.0], [60.0, 10.0], [80.0, 50.0]])
    sure = draw_landmarks(np.zeros((60, 100, 3), np.uint8), points, MOUSE, np.array([1.0, 1.0, 1.0]))
    unsure = draw_landmarks(np.zeros((60, 100, 3), np.uint8), points, MOUSE, np.array([1.0, 0.1, 1.0]))
    assert sure[10, 60].sum() > 300 > unsure[10, 60].sum()  # a ring is dark inside
    assert sure[20, 40].any() and not unsure[20, 40].any()  # the limb


def test_points_far_outside_and_missing_ones_are_left_out():
    points = np.array([[np.nan, np.nan], [1e9, -1e9], [np.inf, 3]])
    assert not draw_landmarks(np.zeros((60, 100, 3), np.uint8), points, MOUSE).any()


def test_a_strip_shows_them():
    assert skeleton_strip(sequence()).startswith(b"\x89PNG")
