"""A steady rate, whatever the camera's."""

import numpy as np
import pytest

from sign_recog.landmarks.resample import resample


def movement(seconds: np.ndarray) -> np.ndarray:
    """Two values that change at a steady speed, so that they tell the time."""
    return np.stack([seconds, 3 - 2 * seconds], axis=1).astype(np.float32)


@pytest.mark.parametrize("fps", [7.5, 15, 25, 30, 60])
@pytest.mark.parametrize("camera", [15, 29.97, 30, 50])
def test_every_rate_shows_the_same_movement(fps, camera):
    seconds = np.round(np.arange(40) / camera, 3)
    drawn = resample(movement(seconds), (1000 * seconds).astype(np.int64), fps)
    assert len(drawn) == int(seconds[-1] * fps + 1e-6) + 1
    np.testing.assert_allclose(drawn, movement(np.arange(len(drawn)) / fps), atol=2e-3)  # timestamps are whole ms


def test_uneven_times_are_made_even():
    seconds = np.array([0, 0.1, 0.15, 0.4, 0.8])
    drawn = resample(movement(seconds), (1000 * seconds).astype(np.int64), 10)
    np.testing.assert_allclose(drawn, movement(np.arange(9) / 10), atol=1e-6)


def test_the_own_rate_changes_nothing():
    values = np.random.default_rng(0).random((5, 3)).astype(np.float32)
    values[2] = np.nan
    np.testing.assert_array_equal(resample(values, np.arange(5) * 40, 25), values)


def test_beside_a_gap_nothing_is_invented():
    values = np.array([[0.0], [np.nan], [2.0]], np.float32)
    drawn = resample(values, np.array([0, 40, 80]), 50)[:, 0]
    assert np.isnan(drawn[1:4]).all() and drawn[0] == 0 and drawn[4] == 2


def test_one_frame_stays_one():
    assert len(resample(np.ones((1, 2), np.float32), np.array([0]), 30)) == 1
