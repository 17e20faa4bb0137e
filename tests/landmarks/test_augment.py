"""Every augmentation changes what it promises, nothing else, and never its input."""

import dataclasses
import time

import numpy as np
import pytest

from sign_recog.errors import ConfigError
from sign_recog.landmarks import augment
from sign_recog.landmarks.layout import get_layout
from sign_recog.landmarks.normalize import normalize_chest, normalize_neck

LAYOUT = get_layout("holistic_75")
LEFT, RIGHT = LAYOUT.parts["left_hand"], LAYOUT.parts["right_hand"]
EVERY = [
    augment.Mirror(LAYOUT),
    augment.Affine(degrees=15, log_scale=0.2, shear=0.2),
    augment.PartAffine(LAYOUT, augment.Affine(degrees=15)),
    augment.Yaw(degrees=20, coordinates=3),
    augment.Shift(LAYOUT, size=0.2),
    augment.Jitter(sigma=0.01),
    augment.HandDropout(LAYOUT),
    augment.PoseDropout(LAYOUT),
    augment.Resample(0.5, 1.5),
    augment.TimeWarp(size=0.2),
    augment.Crop(min_share=0.5),
    augment.FrameDrop(share=0.3),
]
LONG = np.random.default_rng(0).normal(size=(400, 75, 3)).astype(np.float32)  # too long for a change without effect
by_name = pytest.mark.parametrize("change", EVERY, ids=lambda change: type(change).__name__)


def clip(num_frames: int = 30, channels: int = 3) -> np.ndarray:
    """Random keypoints; x of every point also grows steadily in time, so frames tell when they were."""
    keypoints = np.random.default_rng(0).normal(size=(num_frames, 75, channels)).astype(np.float32)
    keypoints[:, 0, 0] = np.arange(num_frames)
    return keypoints


def many(change, keypoints: np.ndarray, draws: int = 200) -> list[np.ndarray]:
    rng = np.random.default_rng(6)
    return [change(keypoints, rng) for _ in range(draws)]


@by_name
def test_changes_the_clip_but_not_its_input_and_keeps_the_dtype(change):
    before = LONG.copy()
    changed = many(change, LONG, draws=5)
    np.testing.assert_array_equal(LONG, before)
    for result in changed:
        assert result.dtype == np.float32 and result.shape[1:] == (75, 3)
        assert result.shape != LONG.shape or not np.array_equal(result, LONG)


@by_name
def test_the_same_generator_gives_the_same_change(change):
    first, second = (change(clip(), np.random.default_rng(9)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@by_name
def test_p_is_the_share_of_clips_changed(change):
    changed = [r is not LONG for r in many(dataclasses.replace(change, p=0.5), LONG)]
    assert 0.4 < np.mean(changed) < 0.6


@pytest.mark.parametrize("channels", [2, 3])
def test_mirroring_twice_is_nothing(channels):
    mirror = augment.Mirror(LAYOUT)
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(mirror(mirror(clip(channels=channels), rng), rng), clip(channels=channels))


@pytest.mark.parametrize("normalize", [normalize_neck, normalize_chest])
def test_mirroring_equals_mirroring_the_picture_first(normalize):
    keypoints = np.random.default_rng(0).uniform(0.2, 0.7, (8, 75, 2)).astype(np.float32)
    picture = keypoints[:, LAYOUT.mirror] * [-1, 1] + [1, 0]  # x right becomes 1 - x
    mirrored = augment.Mirror(LAYOUT)(normalize(keypoints, LAYOUT), np.random.default_rng(0))
    np.testing.assert_allclose(mirrored, normalize(picture.astype("f4"), LAYOUT), rtol=1e-3, atol=1e-4)


def test_rotation_keeps_lengths_and_reaches_its_limit_but_not_beyond():
    angles = []
    for turned in many(augment.Affine(degrees=15), clip()):
        np.testing.assert_allclose(np.hypot(turned[..., 0], turned[..., 1]), np.hypot(*clip().T[:2]).T, rtol=1e-4)
        np.testing.assert_array_equal(turned[..., 2], clip()[..., 2])
        angle = np.angle((turned[..., 0] + 1j * turned[..., 1]) / (clip()[..., 0] + 1j * clip()[..., 1]), deg=True)
        np.testing.assert_allclose(angle, angle[0, 0], atol=0.01)
        angles.append(angle[0, 0])
    assert max(np.abs(angles)) <= 15.01 and min(angles) < -13 and max(angles) > 13


def test_scale_and_shear_are_within_their_limits():
    factors = np.array([r[3, 5, :2] / clip()[3, 5, :2] for r in many(augment.Affine(log_scale=0.3), clip())])
    assert np.abs(np.log(factors)).max() <= 0.3001 and np.abs(np.log(factors)).max() > 0.27
    assert abs(np.corrcoef(factors.T)[0, 1]) < 0.3  # x and y are drawn by themselves
    slanted = many(augment.Affine(shear=0.2), clip())
    slant = np.array([(r[3, 5, 0] - clip()[3, 5, 0]) / clip()[3, 5, 1] for r in slanted])
    assert 0.17 < np.abs(slant).max() <= 0.2001
    assert all(np.array_equal(r[..., 1], clip()[..., 1]) for r in slanted)


def test_parts_are_turned_each_by_its_own_angle():
    turned = augment.PartAffine(LAYOUT, augment.Affine(degrees=30))(clip(), np.random.default_rng(0))
    angle = np.angle((turned[..., 0] + 1j * turned[..., 1]) / (clip()[..., 0] + 1j * clip()[..., 1]), deg=True)
    per_part = [angle[:, part] for part in LAYOUT.parts.values()]
    assert all(np.ptp(a) < 0.01 for a in per_part)
    assert len({round(float(a[0, 0]), 2) for a in per_part}) == 3


def test_yaw_turns_about_the_vertical_axis_and_needs_depth():
    turned = augment.Yaw(degrees=20, coordinates=3)(clip(), np.random.default_rng(0))
    np.testing.assert_array_equal(turned[..., 1], clip()[..., 1])
    np.testing.assert_allclose(np.linalg.norm(turned, axis=-1), np.linalg.norm(clip(), axis=-1), rtol=1e-4)
    with pytest.raises(ConfigError, match="coordinates=2"):
        augment.Yaw(degrees=20, coordinates=2)


def test_shift_moves_the_body_alike_and_leaves_hands():
    moved = augment.Shift(LAYOUT, size=0.2)(clip(), np.random.default_rng(0)) - clip()
    step = moved[0, 1, :2]
    assert (np.abs(step) <= 0.2).all() and (np.abs(step) > 1e-3).all()
    np.testing.assert_allclose(moved[:, LAYOUT.parts["pose"], :2], np.broadcast_to(step, (30, 33, 2)), atol=1e-5)
    assert (moved[:, LEFT] == 0).all() and (moved[:, RIGHT] == 0).all() and (moved[..., 2] == 0).all()


def test_jitter_has_its_deviation():
    noise = augment.Jitter(sigma=0.02)(clip(), np.random.default_rng(0)) - clip()
    assert noise.std() == pytest.approx(0.02, rel=0.05) and abs(noise.mean()) < 0.001


def test_hand_dropout_empties_one_whole_hand_either_one():
    results = many(augment.HandDropout(LAYOUT), clip())
    left = np.array([(r[:, LEFT] == 0).all() for r in results])
    right = np.array([(r[:, RIGHT] == 0).all() for r in results])
    assert (left ^ right).all() and 0.4 < left.mean() < 0.6
    assert all(np.array_equal(r[:, LAYOUT.parts["pose"]], clip()[:, LAYOUT.parts["pose"]]) for r in results)


def test_resampling_plays_the_same_movement_slower_or_faster():
    lengths = []
    for played in many(augment.Resample(0.5, 1.5), clip()):
        np.testing.assert_allclose(played[:, 0, 0], np.linspace(0, 29, len(played)), rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(played[[0, -1]], clip()[[0, -1]], rtol=1e-5, atol=1e-6)
        for v in (7, 40):
            expected = np.interp(np.linspace(0, 29, len(played)), np.arange(30), clip()[:, v, 1])
            np.testing.assert_allclose(played[:, v, 1], expected, atol=1e-4)
        lengths.append(len(played))
    assert 20 <= min(lengths) <= 21 and 57 <= max(lengths) <= 60 and len(set(lengths)) > 30


def test_time_warp_keeps_ends_length_and_order_and_moves_the_middle():
    middles = []
    for warped in many(augment.TimeWarp(size=0.2), clip()):
        moments = warped[:, 0, 0]
        assert len(moments) == 30 and moments[0] == 0 and moments[-1] == 29 and (np.diff(moments) > 0).all()
        middles.append(np.interp(14.5, np.arange(30), moments))
    assert 14.5 - 0.2 * 29 - 0.5 < min(middles) < 10 and 19 < max(middles) < 14.5 + 0.2 * 29 + 0.5


def test_crop_keeps_a_stretch_of_neighbouring_frames():
    results = many(augment.Crop(min_share=0.5), clip())
    assert all((np.diff(r[:, 0, 0]) == 1).all() for r in results)
    assert {len(r) for r in results} <= set(range(15, 31)) and min(len(r) for r in results) <= 16
    assert min(r[0, 0, 0] for r in results) == 0 and max(r[-1, 0, 0] for r in results) == 29


def test_frame_drop_leaves_out_its_share_in_order():
    results = many(augment.FrameDrop(share=0.3), clip())
    assert all((np.diff(r[:, 0, 0]) > 0).all() for r in results)
    assert np.mean([len(r) for r in results]) == pytest.approx(30 * 0.7, abs=0.7)
    assert all(len(r) == 1 for r in many(augment.FrameDrop(share=1), clip()))


@by_name
def test_a_clip_of_one_frame_survives(change):
    assert len(change(clip(num_frames=1), np.random.default_rng(0))) == 1


def test_pose_dropout_leaves_the_hands():
    dropped = augment.PoseDropout(LAYOUT)(clip(), np.random.default_rng(0))
    assert not dropped[:, LAYOUT.parts["pose"]].any()
    np.testing.assert_array_equal(dropped[:, 33:], clip()[:, 33:])


def test_a_layout_that_cannot_be_mirrored_is_refused_at_once():
    with pytest.raises(ConfigError, match="holistic_543 cannot be mirrored"):
        augment.Mirror(get_layout("holistic_543"))


def test_a_clip_takes_less_than_the_budget():
    rng = np.random.default_rng(0)
    keypoints = clip()
    durations = []
    for _ in range(50):
        start = time.thread_time()
        for change in EVERY:
            change(keypoints, rng)
        durations.append(time.thread_time() - start)
    assert np.median(durations) < 1e-3  # 11 steps at about 0.03 ms; the bound leaves room for slow machines
