"""Every augmentation changes what it promises, and nothing else."""

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
    augment.TimeMask(share=0.5),
]
LONG = np.random.default_rng(0).normal(size=(400, 75, 3)).astype(np.float32)  # too long for a change without effect
by_name = pytest.mark.parametrize("change", EVERY, ids=lambda change: type(change).__name__)


def clip(num_frames: int = 30, channels: int = 3) -> np.ndarray:
    """Random keypoints; x of every point also grows steadily in time, so frames tell when they were."""
    keypoints = np.random.default_rng(0).normal(size=(num_frames, 75, channels)).astype(np.float32)
    keypoints[:, 0, 0] = np.arange(num_frames)
    return keypoints


def many(change, keypoints: np.ndarray, draws: int = 200, seed: int = 6) -> list[np.ndarray]:
    """``keypoints`` (T, V, C) changed in ``draws`` ways, as one batch."""
    batch = np.repeat(keypoints[None], draws, axis=0)
    changed = change(augment.Clips(batch, np.full(draws, len(keypoints))), np.random.default_rng(seed))
    return [points[:length] for points, length in zip(*changed, strict=True)]


def once(change, keypoints: np.ndarray, seed: int = 0) -> np.ndarray:
    return many(change, keypoints, draws=1, seed=seed)[0]


@by_name
def test_every_clip_is_changed_in_its_own_way_and_keeps_the_dtype(change):
    changed = many(change, LONG, draws=12)
    for result in changed:
        assert result.dtype == np.float32 and result.shape[1:] == (75, 3)
        assert result.shape != LONG.shape or not np.array_equal(result, LONG)
    if not isinstance(change, augment.Mirror | augment.HandDropout | augment.PoseDropout):
        assert len({result.tobytes() for result in changed}) == 12


@by_name
def test_the_same_generator_gives_the_same_change(change):
    first, second = (once(change, clip(), seed=9) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@by_name
def test_p_is_the_share_of_clips_changed_and_the_others_stay(change):
    results = many(dataclasses.replace(change, p=0.5), LONG)
    changed = [not np.array_equal(r, LONG) for r in results]
    assert 0.4 < np.mean(changed) < 0.6


@by_name
def test_what_stands_after_a_clips_end_does_not_matter(change):
    """A short clip beside a long one: its padding is not drawn into it."""
    short = clip(num_frames=12)
    batch = np.full((2, 30, 75, 3), 1e6, np.float32)
    batch[0, :12], batch[1] = short, clip()
    points, lengths = change(augment.Clips(batch, np.array([12, 30])), np.random.default_rng(3))
    assert np.abs(points[0, : lengths[0]]).max() < 100 and lengths[0] <= 24 and (lengths <= points.shape[1]).all()


@pytest.mark.parametrize("channels", [2, 3])
def test_mirroring_twice_is_nothing(channels):
    mirror = augment.Mirror(LAYOUT)
    np.testing.assert_array_equal(once(mirror, once(mirror, clip(channels=channels))), clip(channels=channels))


@pytest.mark.parametrize("normalize", [normalize_neck, normalize_chest])
def test_mirroring_equals_mirroring_the_picture_first(normalize):
    keypoints = np.random.default_rng(0).uniform(0.2, 0.7, (8, 75, 2)).astype(np.float32)
    picture = keypoints[:, LAYOUT.mirror] * [-1, 1] + [1, 0]  # x right becomes 1 - x
    mirrored = once(augment.Mirror(LAYOUT), normalize(keypoints, LAYOUT))
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
    turned = once(augment.PartAffine(LAYOUT, augment.Affine(degrees=30)), clip())
    angle = np.angle((turned[..., 0] + 1j * turned[..., 1]) / (clip()[..., 0] + 1j * clip()[..., 1]), deg=True)
    per_part = [angle[:, part] for part in LAYOUT.parts.values()]
    assert all(np.ptp(a) < 0.01 for a in per_part)
    assert len({round(float(a[0, 0]), 2) for a in per_part}) == 3


def test_yaw_turns_about_the_vertical_axis_and_needs_depth():
    turned = once(augment.Yaw(degrees=20, coordinates=3), clip())
    np.testing.assert_array_equal(turned[..., 1], clip()[..., 1])
    np.testing.assert_allclose(np.linalg.norm(turned, axis=-1), np.linalg.norm(clip(), axis=-1), rtol=1e-4)
    with pytest.raises(ConfigError, match="coordinates=2"):
        augment.Yaw(degrees=20, coordinates=2)


def test_shift_moves_the_body_alike_and_leaves_hands():
    moved = once(augment.Shift(LAYOUT, size=0.2), clip()) - clip()
    step = moved[0, 1, :2]
    assert (np.abs(step) <= 0.2).all() and (np.abs(step) > 1e-3).all()
    np.testing.assert_allclose(moved[:, LAYOUT.parts["pose"], :2], np.broadcast_to(step, (30, 33, 2)), atol=1e-5)
    assert (moved[:, LEFT] == 0).all() and (moved[:, RIGHT] == 0).all() and (moved[..., 2] == 0).all()


def test_jitter_has_its_deviation():
    noise = once(augment.Jitter(sigma=0.02), clip()) - clip()
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
    assert len(once(change, clip(num_frames=1))) == 1


def test_pose_dropout_leaves_the_hands():
    dropped = once(augment.PoseDropout(LAYOUT), clip())
    assert not dropped[:, LAYOUT.parts["pose"]].any()
    np.testing.assert_array_equal(dropped[:, 33:], clip()[:, 33:])


def test_a_layout_that_cannot_be_mirrored_is_refused_at_once():
    with pytest.raises(ConfigError, match="holistic_543 cannot be mirrored"):
        augment.Mirror(get_layout("holistic_543"))


def test_parts_can_be_named():
    turned = once(augment.PartAffine(LAYOUT, augment.Affine(degrees=30), ("left_hand",)), clip())
    np.testing.assert_array_equal(turned[:, RIGHT], clip()[:, RIGHT])
    assert not np.allclose(turned[:, LEFT], clip()[:, LEFT])
    noisy = once(augment.Jitter(0.1, LAYOUT, ("right_hand",)), clip())
    np.testing.assert_array_equal(noisy[:, LEFT], clip()[:, LEFT])
    assert not np.allclose(noisy[:, RIGHT], clip()[:, RIGHT])
    with pytest.raises(ConfigError, match="face"):
        augment.PartAffine(LAYOUT, augment.Affine(degrees=30), ("face",))


def test_s1_a_time_mask_shows_the_mean_of_the_other_frames():
    shares = []
    for masked in many(augment.TimeMask(share=0.5), clip()):
        hidden = ~(masked == clip()).all(axis=(1, 2))
        assert hidden.sum() <= 15 and (np.diff(np.flatnonzero(hidden)) == 1).all()
        np.testing.assert_allclose(
            masked[hidden], np.broadcast_to(clip()[~hidden].mean(0), masked[hidden].shape), atol=1e-3
        )
        shares.append(hidden.sum())
    assert min(shares) == 0 and max(shares) == 15


def test_a_batch_takes_less_than_the_budget():
    rng = np.random.default_rng(0)
    durations = []
    for _ in range(10):
        clips = augment.Clips(np.repeat(clip()[None], 32, axis=0), np.full(32, 30))
        start = time.thread_time()
        for change in EVERY:
            clips = change(clips, rng)
        durations.append((time.thread_time() - start) / 32)
    assert np.median(durations) < 6e-4  # s a clip for 13 changes, 0.2 ms on an idle machine; the rest is for slow ones
