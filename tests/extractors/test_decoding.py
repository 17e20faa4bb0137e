"""Windows of a real file: which frames, which pixels, and what is told of a clip that breaks."""

import pickle

import numpy as np
import pytest

from sign_recog.errors import DataError
from sign_recog.extractors import decoding
from sign_recog.extractors.decoding import End, decode_clip
from sign_recog.extractors.jobs import Job
from sign_recog.extractors.reading import Augmentation, Reading
from sign_recog.storage.fingerprint import fingerprint
from sign_recog.video.reader import read_frames
from sign_recog.video.transforms import Grayscale, HorizontalFlip
from sign_recog.video.writer import write_video

SETTINGS = {
    "num_frames": 2, "sampling_rate": 1, "stride": 1, "window_rule": "even", "target_fps": None, "image_size": 16,
    "resize": None, "framing": "squash",
}  # fmt: skip


@pytest.fixture
def gray_video(tmp_path):
    """Frame k is of gray 20 k; 48 x 32 pixels, 10 frames/s."""
    write_video(tmp_path / "gray.mp4", [np.full((32, 48, 3), 20 * k, np.uint8) for k in range(6)], 10)
    return tmp_path / "gray.mp4"


def decoded(job, augmentation=None, **changes):
    return list(decode_clip(job, Reading(**SETTINGS | changes, augmentation=augmentation)))


def of_gray(items):
    """Each window's first time and the gray values of its frames, rounded to the steps the video was made of."""
    return [(i.timestamps_ms[0], *np.round(np.mean(i.frames, (1, 2, 3)) / 20).astype(int)) for i in items]


def test_a_clip_s_windows_are_squashed_and_know_their_times(gray_video):
    *windows, end = decoded(Job("a", gray_video))
    assert of_gray(windows) == [(100 * k, k, k + 1) for k in range(5)]
    assert {(np.shape(w.frames), w.frames[0].dtype.name) for w in windows} == {((2, 16, 16, 3), "uint8")}
    assert [w.timestamps_ms for w in windows] == [[100 * k, 100 * k + 100] for k in range(5)]
    assert isinstance(end, End) and end.error is None and end.num_frames == 6
    expected = {"width": 48, "height": 32, "fps": 10, "num_source_frames": 6, "fingerprint": fingerprint(gray_video)}
    assert expected.items() <= end.meta.items()


def test_target_fps_repeats_and_drops_frames(gray_video):
    *up, end = decoded(Job("a", gray_video), num_frames=1, target_fps=20)
    assert of_gray(up) == [(50 * k, k // 2) for k in range(12)]
    assert (end.num_frames, end.meta["num_source_frames"], end.meta["fps"]) == (12, 6, 20)
    *down, _ = decoded(Job("a", gray_video), num_frames=1, target_fps=5)
    assert of_gray(down) == [(0, 0), (200, 2), (400, 4)]


def test_sampling_takes_every_second_frame_and_padding_is_told(gray_video):
    *windows, end = decoded(Job("a", gray_video), num_frames=4, sampling_rate=2, stride=4)
    assert of_gray(windows) == [(0, 0, 2, 4, 4)]
    assert (windows[0].num_padding, windows[0].timestamps_ms, end.num_frames) == (1, [0, 200, 400, 400], 6)


def test_ssvp_slt_s_rule_works_on_the_video_s_own_frames(gray_video):
    rule = {"window_rule": "ssvp_slt", "num_frames": 4, "sampling_rate": 1, "stride": 2, "target_fps": 20}
    *windows, end = decoded(Job("a", gray_video), **rule)
    # W = 1 * 4 * 10 / 20 = 2 of the video's frames, from 0, 2, 4 and 6, where nothing is left.
    assert of_gray(windows)[:3] == [(0, 0, 0, 1, 1), (200, 2, 2, 3, 3), (400, 4, 4, 5, 5)]
    assert [w.num_padding for w in windows[:3]] == [0, 0, 0]  # repeated frames are no padding where there are too few
    assert (end.meta["fps"], end.num_frames) == (10, 6)


def test_only_frames_that_windows_take_become_pictures(gray_video, monkeypatch):
    made = []
    monkeypatch.setattr(
        decoding.Framing, "square", lambda self, image: made.append(1) or np.zeros((16, 16, 3), np.uint8)
    )
    decoded(Job("a", gray_video), sampling_rate=3, stride=3)
    assert len(made) == 2
    made.clear()
    decoded(Job("a", gray_video), num_frames=1, target_fps=40)
    assert len(made) == 6  # 24 windows


def test_squashing_keeps_the_whole_width_and_height(tmp_path):
    image = np.zeros((32, 96, 3), np.uint8)
    image[:16, :48] = 200  # the top left quarter
    write_video(tmp_path / "a.mp4", [image], 10)
    (window, _) = decoded(Job("a", tmp_path / "a.mp4"), num_frames=1)
    bright = window.frames[0][..., 0] > 100
    assert bright[:7, :7].all() and not bright[9:].any() and not bright[:, 9:].any()


def test_augmented_pictures_are_the_plain_ones_changed(tmp_path):
    rng = np.random.default_rng(0)
    write_video(tmp_path / "a.mp4", rng.integers(0, 256, (5, 4, 4, 3), np.uint8).repeat(8, 1).repeat(8, 2), 10)
    job, changes = Job("a", tmp_path / "a.mp4"), (HorizontalFlip(p=1.0), Grayscale(p=1.0))
    *plain, _ = decoded(job)
    *changed, end = decoded(job, Augmentation(1, changes, 0))
    assert end.error is None and len(plain) == len(changed) == 4
    for before, after in zip(plain, changed, strict=True):
        flipped = np.stack(before.frames)[:, :, ::-1].astype(float)
        luma = flipped @ [0.2989, 0.587, 0.114]
        np.testing.assert_allclose(after.frames, luma[..., None].repeat(3, -1), atol=1.01)


def test_errors_end_a_clip_and_are_handed_on(tmp_path):
    (end,) = decoded(Job("a", tmp_path / "gone.mp4"))
    assert isinstance(end.error, DataError) and "no such video" in str(end.error)


def test_what_nobody_expected_costs_the_clip_and_can_be_sent(gray_video, monkeypatch):
    class UnsendableError(Exception):
        def __init__(self, one, two):
            super().__init__("odd")

    def fail(self, image):
        raise UnsendableError(1, 2)

    monkeypatch.setattr(decoding.Framing, "square", fail)
    (end,) = decoded(Job("a", gray_video))
    assert isinstance(pickle.loads(pickle.dumps(end)).error, DataError)
    assert "gray.mp4: cannot be decoded (UnsendableError: odd)" in str(end.error)


def test_s3_a_video_that_stops_half_way_says_so_after_its_first_windows(tmp_path):
    rng = np.random.default_rng(0)
    write_video(tmp_path / "a.mp4", rng.integers(0, 256, (60, 48, 64, 3), np.uint8), 25)
    half = tmp_path / "half.mp4"
    half.write_bytes((tmp_path / "a.mp4").read_bytes()[: (tmp_path / "a.mp4").stat().st_size // 2])
    assert len(list(read_frames(tmp_path / "a.mp4"))) == 60
    *windows, end = decoded(Job("half", half), num_frames=4, stride=4)
    assert windows and isinstance(end.error, DataError) and end.meta == {}
    assert str(half) in str(end.error)
