"""Decoding ahead: order, bounds, ends; and windows of a real file."""

import threading
import time

import numpy as np
import pytest

from sign_recog.errors import DataError
from sign_recog.extractors.decoding import End, Window, decode_clip, decoded_ahead
from sign_recog.extractors.jobs import Job
from sign_recog.storage.fingerprint import fingerprint
from sign_recog.video.writer import write_video

SETTINGS = {"window": 2, "stride": 1, "target_fps": None, "image_size": 16}


@pytest.fixture
def gray_video(tmp_path):
    """Frame k is of gray 20 k; 48 x 32 pixels, 10 frames/s."""
    write_video(tmp_path / "gray.mp4", [np.full((32, 48, 3), 20 * k, np.uint8) for k in range(6)], 10)
    return tmp_path / "gray.mp4"


def of_gray(items):
    """Each window's times and the gray values of its frames, rounded to the steps the video was made of."""
    return [(i.timestamp_ms, *np.round(i.frames.mean((1, 2, 3)) / 20).astype(int)) for i in items]


def test_a_clip_s_windows_are_squashed_and_know_their_times(gray_video):
    *windows, end = decode_clip(Job("a", gray_video), **SETTINGS)
    assert of_gray(windows) == [(100 * k, k, k + 1) for k in range(5)]
    assert {(w.frames.shape, w.frames.dtype.name) for w in windows} == {((2, 16, 16, 3), "uint8")}
    assert isinstance(end, End) and end.error is None and end.num_frames == 6
    expected = {"width": 48, "height": 32, "fps": 10, "num_source_frames": 6, "fingerprint": fingerprint(gray_video)}
    assert expected.items() <= end.meta.items()


def test_target_fps_repeats_and_drops_frames(gray_video):
    settings = SETTINGS | {"window": 1}
    *up, end = decode_clip(Job("a", gray_video), **settings | {"target_fps": 20})
    assert of_gray(up) == [(50 * k, k // 2) for k in range(12)]
    assert (end.num_frames, end.meta["num_source_frames"], end.meta["fps"]) == (12, 6, 20)
    *down, _ = decode_clip(Job("a", gray_video), **settings | {"target_fps": 5})
    assert of_gray(down) == [(0, 0), (200, 2), (400, 4)]


def test_squashing_keeps_the_whole_width_and_height(tmp_path):
    image = np.zeros((32, 96, 3), np.uint8)
    image[:16, :48] = 200  # the top left quarter
    write_video(tmp_path / "a.mp4", [image], 10)
    (window, _) = decode_clip(Job("a", tmp_path / "a.mp4"), **SETTINGS | {"window": 1})
    bright = window.frames[0, ..., 0] > 100
    assert bright[:7, :7].all() and not bright[9:].any() and not bright[:, 9:].any()


def test_errors_end_a_clip_and_are_handed_on(tmp_path):
    (end,) = decode_clip(Job("a", tmp_path / "gone.mp4"), **SETTINGS)
    assert isinstance(end.error, DataError) and "no such video" in str(end.error)


def ten(job):
    yield from range(10)


@pytest.mark.parametrize("num_threads", [0, 1, 3])
def test_every_item_comes_once_and_a_job_s_in_order(num_threads):
    found = {}
    for job, item in decoded_ahead("abcdefg", ten, num_threads=num_threads, most_ahead=4):
        found.setdefault(job, []).append(item)
    assert found == {job: list(range(10)) for job in "abcdefg"}


def test_several_jobs_are_decoded_at_once():
    together = threading.Barrier(3, timeout=10)

    def meet(job):
        together.wait()
        yield job

    assert sorted(job for job, _ in decoded_ahead("abc", meet, num_threads=3, most_ahead=1)) == ["a", "b", "c"]


def test_no_more_is_decoded_ahead_than_asked_for_and_threads_end_with_the_taker():
    made = []

    def endless(job):
        while True:
            made.append(job)
            yield job

    before = threading.active_count()
    items = decoded_ahead("ab", endless, num_threads=2, most_ahead=5)
    for _ in range(3):
        next(items)
    time.sleep(0.3)
    assert len(made) <= 3 + 5 + 2  # taken, waiting, and one in each thread's hand
    items.close()
    assert threading.active_count() == before


def test_without_threads_nothing_is_decoded_before_it_is_asked_for():
    made = []

    def noted(job):
        made.append(job)
        yield Window(np.zeros((1, 1, 1, 3), np.uint8), 0)

    items = decoded_ahead("ab", noted, num_threads=0, most_ahead=5)
    next(items)
    assert made == ["a"]
