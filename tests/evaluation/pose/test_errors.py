"""Errors of landmarks against tables made by hand."""

import numpy as np
import pytest

from sign_recog.evaluation.pose.errors import (
    error_by_confidence,
    interval,
    mean_pose,
    pixel_error,
    summary,
    table_by_landmark,
    temporal_norm,
)

NAN = float("nan")
LABELS = np.array([[[10, 10], [20, 20]], [[0, 0], [NAN, NAN]], [[5, 5], [5, 5]]])
FOUND = np.array([[[13, 14], [20, 20]], [[0, 12], [7, 7]], [[5, 6], [11, 13]]])
BY_HAND = np.array([[5, 0], [12, NAN], [1, 10]])


def test_s4_pixel_error_is_the_distance_and_not_a_root_mean_square():
    np.testing.assert_array_equal(pixel_error(FOUND, LABELS), BY_HAND)


def test_temporal_norm_by_hand():
    points = np.array([[[0, 0], [1, 1]], [[3, 4], [1, 1]], [[3, 4], [NAN, NAN]], [[3, 5], [2, 2]]])
    np.testing.assert_array_equal(temporal_norm(points), [[NAN, NAN], [5, 0], [0, NAN], [1, NAN]])


def test_summary_by_hand():
    found = summary(BY_HAND)
    assert found == {
        "count": 5,
        "mean": 5.6,
        "median": 5,
        "p90": pytest.approx(11.2),
        "within_5": 0.6,
        "within_10": 0.8,
    }
    assert summary(np.full((2, 2), NAN))["count"] == 0
    assert summary(np.full((2, 2), NAN))["mean"] is None


def test_rows_of_landmarks_by_hand():
    first, second = table_by_landmark(BY_HAND, ["nose", "ear"])
    assert (first["landmark"], first["count"], first["mean"], first["median"]) == ("nose", 3, 6, 5)
    assert (second["landmark"], second["count"], second["mean"], second["within_5"]) == ("ear", 2, 5, 0.5)


def test_confidence_is_binned_with_both_ends():
    confidence = np.array([[0.0, 0.05], [1.0, 0.5], [0.95, 0.99]])
    rows = error_by_confidence(BY_HAND, confidence)
    assert [(row["low"], row["count"], row["mean"]) for row in rows] == [
        (0.0, 2, 2.5),  # 5 and 0
        (0.9, 3, pytest.approx(23 / 3)),  # 12, 1 and 10; what is not labelled is nowhere
    ]


def test_the_interval_draws_frames_whole():
    rng = np.random.default_rng(0)
    per_frame = rng.exponential(5, 60)
    errors = np.repeat(per_frame[:, None], 4, axis=1)  # landmarks of a frame are wrong together
    found = interval(errors, samples=2000, seed=1)
    means, medians = [], []
    for _ in range(2000):  # directly, with whole arrays
        drawn = errors[rng.integers(0, 60, 60)]
        means.append(drawn.mean())
        medians.append(np.median(drawn))
    assert found["mean"] == pytest.approx(np.quantile(means, (0.025, 0.975)), rel=0.05)
    assert found["median"] == pytest.approx(np.quantile(medians, (0.025, 0.975)), rel=0.12)
    assert interval(errors, samples=50, seed=1) == interval(errors, samples=50, seed=1)


def test_of_one_frame_no_interval_is_known():
    assert interval(BY_HAND[:1], samples=100, seed=0) == {"mean": None, "median": None}
    assert interval(BY_HAND, samples=100, seed=0)["mean"] is not None


def test_a_median_of_drawn_frames_is_that_of_their_landmarks():
    errors = np.array([[1.0, 9.0], [4.0, NAN]])
    found = interval(errors, samples=400, seed=0)
    # Samples: both first (median of 1 1 9 9), both second (4), one each (median of 1 4 9).
    assert found["median"] == [4.0, 5.0]


def test_the_mean_pose_is_of_shares_of_the_picture():
    points = np.array([[[9.5, 9.5]], [[59.5, 9.5]], [[NAN, NAN]]])
    sizes = np.array([[100, 50], [200, 50], [10, 10]])
    # Corner to point: 10 of 100 and 60 of 200 wide, mean a fifth; 10 of 50 high, both.
    guessed = mean_pose(points, sizes, np.array([[100, 100], [50, 10]]))
    np.testing.assert_allclose(guessed, [[[19.5, 19.5]], [[9.5, 1.5]]])
