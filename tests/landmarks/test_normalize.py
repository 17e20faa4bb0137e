"""Normalised coordinates do not move with the signer and are measured from the points they should be."""

import numpy as np
import pytest

from sign_recog.errors import ConfigError
from sign_recog.landmarks.impute import impute_parts
from sign_recog.landmarks.layout import Layout, get_layout
from sign_recog.landmarks.normalize import normalize_chest, normalize_image, normalize_neck

BODY = [normalize_neck, normalize_chest]
LAYOUT_NAMES = ["holistic_75", "signon_67", "fslr_78"]


def random_clip(layout_name: str, channels: int = 2, num_frames: int = 6) -> np.ndarray:
    return np.random.default_rng(1).uniform(0, 1, (num_frames, len(get_layout(layout_name)), channels)).astype("f4")


def at(keypoints: np.ndarray, layout: Layout, holistic_id: int) -> np.ndarray:
    return keypoints[:, layout.ids.index(holistic_id)]


@pytest.mark.parametrize("normalize", BODY)
@pytest.mark.parametrize("layout_name", LAYOUT_NAMES)
@pytest.mark.parametrize("channels", [2, 3])
def test_another_place_and_size_in_every_frame_gives_the_same_coordinates(normalize, layout_name, channels):
    keypoints, layout = random_clip(layout_name, channels), get_layout(layout_name)
    rng = np.random.default_rng(2)
    moved = keypoints * rng.uniform(0.5, 2, (6, 1, 1)) + rng.uniform(-1, 1, (6, 1, channels))
    expected = normalize(keypoints, layout)
    np.testing.assert_allclose(normalize(moved.astype("f4"), layout), expected, rtol=1e-3, atol=1e-4)
    assert expected.dtype == np.float32


@pytest.mark.parametrize("layout_name", LAYOUT_NAMES)
def test_neck_is_zero_and_shoulders_are_one_apart(layout_name):
    layout = get_layout(layout_name)
    normalized = normalize_neck(random_clip(layout_name), layout)
    left, right = at(normalized, layout, 11), at(normalized, layout, 12)
    np.testing.assert_allclose(left + right, 0, atol=1e-5)
    np.testing.assert_allclose(np.hypot(*(left - right).T), 1, atol=1e-5)


def test_chest_is_halfway_between_neck_and_pelvis():
    layout = get_layout("signon_67")
    normalized = normalize_chest(random_clip("signon_67"), layout)
    neck = (at(normalized, layout, 11) + at(normalized, layout, 12)) / 2
    pelvis = (at(normalized, layout, 23) + at(normalized, layout, 24)) / 2
    np.testing.assert_allclose(neck, -pelvis, atol=1e-5)
    np.testing.assert_allclose(np.hypot(*(at(normalized, layout, 11) - at(normalized, layout, 12)).T), 1, atol=1e-5)


@pytest.mark.parametrize("normalize", BODY)
@pytest.mark.parametrize("wrist", [33, 54])
def test_hands_are_measured_from_the_wrist_in_palm_lengths(normalize, wrist):
    layout = get_layout("holistic_75")
    keypoints = random_clip("holistic_75")
    normalized = normalize(keypoints, layout)
    assert (at(normalized, layout, wrist) == 0).all()
    palm = np.hypot(*(keypoints[:, wrist + 9] - keypoints[:, wrist]).T)
    tip = (keypoints[:, wrist + 8] - keypoints[:, wrist]) / palm[:, None]
    np.testing.assert_allclose(normalized[:, wrist + 8], tip, rtol=1e-4)


def test_the_face_follows_the_body():
    layout = get_layout("fslr_78")
    keypoints = random_clip("fslr_78")
    keypoints[:, layout.parts["face"].start] = at(keypoints, layout, 11)
    normalized = normalize_neck(keypoints, layout)
    np.testing.assert_array_equal(normalized[:, layout.parts["face"].start], at(normalized, layout, 11))


@pytest.mark.parametrize("normalize", BODY)
def test_parts_that_were_never_seen_stay_zero(normalize):
    layout = get_layout("fslr_78")
    keypoints = random_clip("fslr_78")
    keypoints[:, layout.parts["left_hand"]] = np.nan
    assert (normalize(impute_parts(keypoints, layout), layout)[:, layout.parts["left_hand"]] == 0).all()
    assert (normalize(np.zeros_like(keypoints), layout) == 0).all()


@pytest.mark.parametrize("normalize", BODY)
def test_missing_points_stay_missing_and_harm_no_other_part(normalize):
    layout = get_layout("signon_67")
    complete = random_clip("signon_67")
    holes = complete.copy()
    holes[2, layout.parts["left_hand"]] = np.nan
    holes[3, 11] = np.nan
    normalized = normalize(holes, layout)
    assert np.isnan(normalized[2, layout.parts["left_hand"]]).all()
    assert np.isnan(normalized[3, layout.parts["pose"]]).all()
    there = ~np.isnan(normalized)
    np.testing.assert_array_equal(normalized[there], normalize(complete, layout)[there])
    assert (~there).sum() == 2 * (21 + 25)


def test_a_layout_without_the_points_to_measure_from_is_refused():
    layout = Layout("hips", (23, 24), "test")
    with pytest.raises(ConfigError, match=r"Layout hips lacks the points \[11, 12\]"):
        normalize_neck(np.zeros((1, 2, 2), "f4"), layout)


def test_image_coordinates_are_shares_of_both_sides_and_clamped():
    # In image widths the bottom edge of a 640x480 picture is at y = 0.75.
    keypoints = np.array([[[0.5, 0.375, 7], [1.2, 0.9, 8], [-0.1, np.nan, 9]]], np.float32)
    before = keypoints.copy()
    normalized = normalize_image(keypoints, width=640, height=480)
    np.testing.assert_allclose(normalized, [[[0.5, 0.5, 7], [1, 1, 8], [0, np.nan, 9]]], rtol=1e-6)
    np.testing.assert_array_equal(keypoints, before)
