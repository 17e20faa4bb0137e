"""Sliding windows; the doctest shows the two special cases."""

import pytest

from sign_recog.video.windows import sliding_windows


@pytest.mark.parametrize("num_frames", range(16, 60))
@pytest.mark.parametrize("stride", [1, 5, 8, 16])
def test_windows_cover_every_frame_and_start_at_multiples_of_the_stride(num_frames, stride):
    windows = list(sliding_windows(range(num_frames), window=16, stride=stride))
    assert all(w == list(range(w[0], w[0] + 16)) for w in windows)
    assert {frame for w in windows for frame in w} == set(range(num_frames))
    starts = [w[0] for w in windows]
    regular = list(range(0, num_frames - 15, stride))
    assert starts == regular if regular[-1] == num_frames - 16 else starts == [*regular, num_frames - 16]


@pytest.mark.parametrize("num_frames", [0, 1, 2, 3])
def test_a_clip_shorter_than_a_window_is_filled_with_its_last_frame(num_frames):
    expected = [[min(i, num_frames - 1) for i in range(4)]] if num_frames else []
    assert list(sliding_windows(range(num_frames), window=4, stride=2)) == expected


def test_windows_of_one_frame_are_the_frames():
    assert list(sliding_windows("abc", window=1, stride=1)) == [["a"], ["b"], ["c"]]


def test_frames_are_taken_when_they_are_needed():
    frames = iter(range(100))
    next(sliding_windows(frames, window=4, stride=2))
    assert next(frames) == 4


@pytest.mark.parametrize("stride", [0, 5])
def test_a_stride_that_leaves_frames_out_is_refused(stride):
    with pytest.raises(ValueError, match=f"stride {stride} must be in 1..4"):
        list(sliding_windows(range(9), window=4, stride=stride))
