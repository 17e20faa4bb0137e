"""Both window rules against whole lists and the formulas, and what of a stream they hold."""

import gc
import math
import weakref
from itertools import pairwise

import numpy as np
import pytest

from sign_recog.video.resampling import resampled
from sign_recog.video.windows import even_windows, ssvp_slt_windows

SIGN_HIERA = {"num_frames": 128, "sampling_rate": 2, "target_fps": 25}


def clip(num_frames, fps):
    return ((number, number / fps) for number in range(num_frames))


def slow_even(num_frames, *, n, sampling_rate, stride):
    """Item numbers and padding of each window, from the list of all items."""
    taken = list(range(num_frames))[::sampling_rate]
    if not taken:
        return []
    if len(taken) < n:
        return [([taken[min(i, len(taken) - 1)] for i in range(n)], n - len(taken))]
    starts = [start for start in range(len(taken)) if start * sampling_rate % stride == 0 and start + n <= len(taken)]
    if starts[-1] + n < len(taken):
        starts.append(len(taken) - n)
    return [(taken[start : start + n], 0) for start in starts]


def slow_ssvp_slt(num_frames, *, n, sampling_rate, fps, target_fps):
    """The formula as it is written down, window by window."""
    width, found, start = sampling_rate * n * fps / target_fps, [], 0
    while num_frames:
        places = np.linspace(start + 0.5, start + width - 0.5, n)
        numbers = np.floor(np.clip(places, 0, num_frames - 1)).astype(int).tolist()
        unique = len(set(numbers))
        if target_fps > fps * sampling_rate:
            unique = math.floor(unique * target_fps / (fps * sampling_rate))
        found.append((numbers, max(0, n - unique)))
        if start + width - 1 >= num_frames:
            break
        start += int(n / 2 * sampling_rate)
    return found


def test_both_rules_agree_with_a_direct_version_on_500_random_clips():
    rng, seen = np.random.default_rng(5), {"padded": 0, "many": 0, "repeated": 0}
    for _ in range(500):
        n, sampling_rate = int(rng.integers(1, 20)), int(rng.integers(1, 5))
        num_frames, fps = int(rng.integers(0, 300)), float(rng.choice([5, 12.5, 23.976, 25, 29.97, 30, 50, 60]))
        stride = sampling_rate * int(rng.integers(1, n + 1))
        rule = {"sampling_rate": sampling_rate, "stride": stride}
        windows = list(even_windows(clip(num_frames, fps), int, num_frames=n, **rule))
        assert [(w.frames, w.num_padding) for w in windows] == slow_even(num_frames, n=n, **rule)
        assert all(w.times_s == [number / fps for number in w.frames] for w in windows)
        rule = {"sampling_rate": sampling_rate, "fps": fps, "target_fps": float(rng.choice([8, 15, 25, 30, 100]))}
        n += n % 2
        while sampling_rate * n * fps < rule["target_fps"]:  # a window is at least one frame long
            n += 2
        windows = list(ssvp_slt_windows(clip(num_frames, fps), int, num_frames=n, **rule))
        assert [(w.frames, w.num_padding) for w in windows] == slow_ssvp_slt(num_frames, n=n, **rule)
        assert all(w.times_s == [number / fps for number in w.frames] for w in windows)
        seen["padded"] += any(w.num_padding > 0 for w in windows)
        seen["many"] += len(windows) > 3
        seen["repeated"] += rule["target_fps"] > fps * sampling_rate
    assert min(seen.values()) > 50, f"the clips drawn prove little: {seen}"


@pytest.mark.parametrize(("num_frames", "num_windows", "tokens"), [(250, 1, 63), (256, 2, 97), (1000, 7, 442)])
def test_ssvp_slt_s_documented_counts(num_frames, num_windows, tokens):
    windows = list(ssvp_slt_windows(clip(num_frames, 25), int, fps=25, **SIGN_HIERA))
    assert len(windows) == num_windows
    assert sum(64 - w.num_padding // 2 for w in windows) == tokens


def seconds_between_windows(windows):
    return [b.times_s[0] - a.times_s[0] for a, b in pairwise(windows)]


def test_s3_the_stride_is_the_same_time_at_any_fps():
    rule = {"num_frames": 128, "sampling_rate": 2, "stride": 128}
    steady = resampled(clip(1536, 30), 25, 1 / 30)  # 51.2 s: a whole number of strides
    ours = list(even_windows(steady, int, **rule))
    assert seconds_between_windows(ours) == pytest.approx([128 / 25] * (len(ours) - 1))
    theirs = list(ssvp_slt_windows(clip(1536, 30), int, fps=30, **SIGN_HIERA))
    assert seconds_between_windows(theirs) == pytest.approx([128 / 30] * (len(theirs) - 1))  # 58 % overlap


@pytest.mark.parametrize("windows_long", [1, 2])
def test_s3_a_clip_of_exactly_its_windows_gains_no_padded_one(windows_long):
    rule = {"num_frames": 128, "sampling_rate": 2, "stride": 256}
    ours = list(even_windows(clip(256 * windows_long, 25), int, **rule))
    assert [w.num_padding for w in ours] == [0] * windows_long
    theirs = list(ssvp_slt_windows(clip(256 * windows_long, 25), int, fps=25, **SIGN_HIERA))
    assert theirs[-1].num_padding > 60


PICTURES = weakref.WeakSet()


class Picture:
    def __init__(self, number):
        PICTURES.add(self)


@pytest.mark.parametrize("rule", ["even", "ssvp_slt"])
def test_s3_what_is_held_of_a_video_does_not_grow_with_its_length(rule):
    frames = clip(20_000, 30)
    if rule == "even":
        windows = even_windows(frames, Picture, num_frames=16, sampling_rate=2, stride=16)
    else:
        windows = ssvp_slt_windows(frames, Picture, num_frames=16, sampling_rate=2, fps=30, target_fps=25)
    most = 0
    for window in windows:
        assert len(window.frames) == 16
        del window
        gc.collect(0)
        most = max(most, len(PICTURES))
    assert most <= 3 * 16


def test_a_picture_is_made_of_the_frames_that_windows_take_and_of_no_other():
    made = []

    def keep(number):
        made.append(number)
        return number

    list(even_windows(clip(100, 25), keep, num_frames=4, sampling_rate=5, stride=10))
    assert made == list(range(0, 100, 5))
    made.clear()
    windows = list(ssvp_slt_windows(clip(100, 25), keep, num_frames=4, sampling_rate=5, fps=25, target_fps=25))
    assert set(made) == {number for window in windows for number in window.frames} and len(made) == len(set(made)) < 50


@pytest.mark.parametrize("num_frames", [0, 1, 2, 3])
def test_a_clip_shorter_than_a_window_is_filled_with_its_last_frame(num_frames):
    windows = list(even_windows(clip(num_frames, 25), int, num_frames=4, sampling_rate=1, stride=2))
    expected = [[min(i, num_frames - 1) for i in range(4)]] if num_frames else []
    assert [w.frames for w in windows] == expected
    assert [w.num_padding for w in windows] == [4 - num_frames] * (num_frames > 0)


def test_windows_of_one_frame_are_the_frames():
    windows = even_windows(zip("abc", [0, 1, 2], strict=True), str, num_frames=1, sampling_rate=1, stride=1)
    assert [(w.frames, w.times_s) for w in windows] == [(["a"], [0]), (["b"], [1]), (["c"], [2])]


def test_frames_are_taken_when_they_are_needed():
    frames = clip(100, 25)
    next(even_windows(frames, int, num_frames=4, sampling_rate=1, stride=2))
    assert next(frames)[0] == 4


@pytest.mark.parametrize("stride", [0, 3, 10])
def test_a_stride_that_leaves_frames_out_is_refused(stride):
    with pytest.raises(ValueError, match=f"stride {stride} must be 1 to 4 times 2"):
        list(even_windows(clip(9, 25), int, num_frames=4, sampling_rate=2, stride=stride))


def test_ssvp_slt_windows_shorter_than_a_frame_are_refused():
    with pytest.raises(ValueError, match="shorter than one frame at 5 frames/s"):
        list(ssvp_slt_windows(clip(9, 5), int, num_frames=2, sampling_rate=1, fps=5, target_fps=25))
