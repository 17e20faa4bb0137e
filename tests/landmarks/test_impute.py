"""Gaps are filled by the two systems' rules, compared with slow versions written frame by frame."""

import itertools

import numpy as np
import pytest

from sign_recog.landmarks.impute import impute_gaps, impute_parts
from sign_recog.landmarks.layout import get_layout


def clip_with_holes(seed: int, layout_name: str = "signon_67", channels: int = 3) -> np.ndarray:
    """Smooth points whose parts, single points and single values are missing at random."""
    rng = np.random.default_rng(seed)
    layout = get_layout(layout_name)
    keypoints = rng.normal(size=(rng.integers(1, 25), len(layout), channels)).astype(np.float32)
    for part in layout.parts.values():
        keypoints[rng.random(len(keypoints)) < rng.choice([0, 0.3, 0.8, 1]), part] = np.nan
    keypoints[rng.random(keypoints.shape[:2]) < 0.003] = np.nan
    keypoints[rng.random(keypoints.shape) < 0.001] = np.nan
    return keypoints


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("layout_name", ["holistic_75", "fslr_78"])
def test_parts_match_interpolation_of_each_value_by_itself(seed, layout_name):
    keypoints, layout = clip_with_holes(seed, layout_name), get_layout(layout_name)
    filled = impute_parts(keypoints, layout)
    frames = np.arange(len(keypoints))
    for part in layout.parts.values():
        there = [t for t in frames if not np.isnan(keypoints[t, part]).any()]
        for v in range(part.start, part.stop):
            for c in range(3):
                expected = np.interp(frames, there, keypoints[there, v, c]) if there else np.zeros(len(frames))
                np.testing.assert_allclose(filled[:, v, c], expected, atol=1e-6)
    assert filled.dtype == np.float32


def test_one_missing_value_makes_the_whole_part_missing():
    layout = get_layout("signon_67")
    keypoints = np.zeros((3, 67, 2), np.float32)
    keypoints[1] = 5
    keypoints[2] = 2
    hand = layout.parts["left_hand"]
    keypoints[1, hand.start + 3, 0] = np.nan
    filled = impute_parts(keypoints, layout)
    assert (filled[1, hand] == 1).all()
    assert (filled[1, layout.parts["right_hand"]] == 5).all() and (filled[1, layout.parts["pose"]] == 5).all()


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("max_gap", [0, 1, 5])
def test_gaps_match_a_walk_along_each_keypoint(seed, max_gap):
    keypoints = clip_with_holes(seed)
    filled = impute_gaps(keypoints, max_gap)
    expected = keypoints.copy()
    for v in range(keypoints.shape[1]):
        there = [t for t in range(len(keypoints)) if not np.isnan(keypoints[t, v]).any()]
        for a, b in itertools.pairwise(there):
            if b - a - 1 <= max_gap:
                for t in range(a + 1, b):
                    expected[t, v] = keypoints[a, v] + (t - a) / (b - a) * (keypoints[b, v] - keypoints[a, v])
    np.testing.assert_allclose(filled, expected, atol=1e-5)


def test_gaps_longer_than_the_limit_and_ends_stay():
    keypoints = np.full((12, 1, 2), np.nan, np.float32)
    keypoints[[1, 7, 10], 0] = [[0, 0], [6, 12], [9, 9]]
    assert np.isnan(impute_gaps(keypoints, 4)[2:7]).all()
    filled = impute_gaps(keypoints, 5)
    np.testing.assert_allclose(filled[1:8, 0], [[t, 2 * t] for t in range(7)], atol=1e-6)
    assert np.isnan(filled[[0, 11]]).all()
    assert filled[8:10, 0, 0].tolist() == [7, 8]


@pytest.mark.parametrize("fill", [lambda k: impute_parts(k, get_layout("signon_67")), lambda k: impute_gaps(k, 5)])
def test_filling_changes_nothing_that_is_there_nor_its_input(fill):
    keypoints = clip_with_holes(seed=3)
    before = keypoints.copy()
    filled = fill(keypoints)
    np.testing.assert_array_equal(keypoints, before)
    complete = np.random.default_rng(0).normal(size=(9, 67, 3)).astype(np.float32)
    np.testing.assert_array_equal(fill(complete), complete)
    assert filled.dtype == np.float32 and filled.shape == before.shape
