import numpy as np
import pytest
from numpy.testing import assert_allclose

from sign_recog.corpora.synthetic import hand

BONES = [(base + i, base + i + 1) for base in (5, 9, 13, 17) for i in range(3)]


def pose_hand(curl, spread=0.1, thumb="beside"):
    return hand.joints(np.array([curl], float), np.array([spread]), hand.THUMBS[thumb][None])[0]


def bone_lengths(joints):
    return np.array([np.linalg.norm(joints[b] - joints[a]) for a, b in BONES])


def test_a_straight_middle_finger_ends_one_hand_length_from_the_wrist():
    joints = pose_hand([0, 0, 0, 0], spread=0.0)
    assert np.linalg.norm(joints[12] - joints[0]) == pytest.approx(1.0, abs=0.01)


def test_bones_keep_their_length_however_fingers_fold_and_spread():
    rng = np.random.default_rng(0)
    straight = bone_lengths(pose_hand([0, 0, 0, 0]))
    for _ in range(20):
        folded = pose_hand(rng.uniform(0, 1, 4), spread=rng.uniform(0, 0.3))
        assert_allclose(bone_lengths(folded), straight, atol=1e-12)


def test_a_folded_finger_comes_back_over_the_palm_on_its_side():
    joints = pose_hand([1, 0, 0, 0])
    knuckle, tip = joints[5], joints[8]
    assert tip[2] < knuckle[2] - 0.05  # towards the camera, as the palm faces it
    assert tip[1] > joints[6][1]  # below the joint it bends at
    assert_allclose(joints[12][2], 0, atol=1e-12)  # the middle finger stays straight


def test_spread_fingers_fan_from_the_thumb_to_the_little_finger():
    joints = pose_hand([0, 0, 0, 0], spread=0.25, thumb="out")
    tips = joints[[4, 8, 12, 16, 20], 0]
    assert (np.diff(tips) > 0).all()


def test_rotations_are_proper_and_turn_the_way_they_say():
    rng = np.random.default_rng(1)
    matrices = hand.rotation(*rng.uniform(-3, 3, (3, 50)))
    assert_allclose(matrices @ matrices.transpose(0, 2, 1), np.broadcast_to(np.eye(3), (50, 3, 3)), atol=1e-12)
    assert_allclose(np.linalg.det(matrices), 1)
    up, zero, quarter = np.array([0.0, -1.0, 0.0]), np.zeros(1), np.full(1, np.pi / 2)
    assert_allclose(hand.rotation(quarter, zero, zero)[0] @ up, [1, 0, 0], atol=1e-12)
    assert_allclose(hand.rotation(zero, zero, quarter)[0] @ up, [0, 0, -1], atol=1e-12)
