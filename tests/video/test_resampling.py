"""Resampling by times; test_reader.py compares whole videos with a direct version."""

import numpy as np
import pytest

from sign_recog.video.resampling import resampled


def test_resampling_to_the_own_rate_changes_nothing_where_times_are_rounded():
    rng = np.random.default_rng(0)
    times = [0.0, *(i / 30 + rng.uniform(-0.005, 0.005) for i in range(1, 100))]
    assert [i for i, _ in resampled(enumerate(times), 30, 1 / 30)] == list(range(100))


def test_resampling_holds_a_frame_through_a_gap():
    shown = [i for i, _ in resampled(enumerate([0.0, 0.1, 0.5]), 10, 0.1)]
    assert shown == [0, 1, 1, 1, 1, 2]


@pytest.mark.parametrize("target_fps", [1, 7.5, 24, 30, 59.94, 120])
def test_the_number_of_outputs_is_the_length_times_the_rate(target_fps):
    times = np.arange(50) / 25
    out = list(resampled(enumerate(times), target_fps, 1 / 25))
    assert len(out) == pytest.approx(2 * target_fps, abs=1)
    assert [t for _, t in out] == pytest.approx([k / target_fps for k in range(len(out))])
    shown = [i for i, _ in out]
    assert shown == sorted(shown)


def test_items_may_be_none():
    assert list(resampled([(None, 0.0)], 2, 1.0)) == [(None, 0.0), (None, 0.5)]
