"""Unlabelled frames are the videos' own, in order, packed once, whatever the videos' length."""

import os
import pickle

import numpy as np
import pytest

from sign_recog.data import video_windows
from sign_recog.data.video_windows import open_windows
from sign_recog.errors import DataError
from sign_recog.video.reader import read_frames
from sign_recog.video.scaling import scaled, to_original
from sign_recog.video.writer import write_video


def video(path, num_frames, width=48, height=32, grey=None):
    """Every frame has a grey of its own, 4 apart, so that frames are told apart after encoding."""
    write_video(path, [np.full((height, width, 3), grey or (4 * i) % 256, np.uint8) for i in range(num_frames)], 25)
    return path


def opened(folder, videos, **changes):
    return open_windows(folder, videos, **({"height": 32, "width": 32, "window": 4, "most_frames": None} | changes))


def numbers(frames):
    return np.round(frames.astype(float).mean(axis=(1, 2, 3)) / 4).astype(int).tolist()


def test_a_window_is_the_videos_own_consecutive_frames_scaled(tmp_path):
    path = video(tmp_path / "a.mp4", 20)
    windows = opened(tmp_path / "cache", [path])
    expected = np.stack([scaled(frame.image, 32, 32).transpose(2, 0, 1) for frame in read_frames(path)])
    for seed in range(20):
        frames, back = windows.draw(np.random.default_rng(seed), 4)
        first = numbers(frames)[0]
        assert np.array_equal(frames, expected[first : first + 4])
        assert np.array_equal(back, to_original(48, 32, 32, 32))


def test_every_place_is_drawn_and_none_crosses_from_video_to_video(tmp_path):
    paths = [video(tmp_path / "a.mp4", 6), video(tmp_path / "b.mp4", 9, width=64, height=64)]
    windows = opened(tmp_path / "cache", paths)
    drawn = {
        (tuple(numbers(frames)), back[0, 0])
        for frames, back in (windows.draw(np.random.default_rng(seed), 4) for seed in range(200))
    }
    of_a = {(tuple(range(first, first + 4)), 1.5) for first in range(3)}
    of_b = {(tuple(range(first, first + 4)), 2.0) for first in range(6)}
    assert drawn == of_a | of_b


def test_the_same_draws_come_from_the_same_generator_and_in_another_process(tmp_path):
    windows = opened(tmp_path / "cache", [video(tmp_path / "a.mp4", 30)])
    one, _ = windows.draw(np.random.default_rng(5), 4)
    other, _ = pickle.loads(pickle.dumps(windows)).draw(np.random.default_rng(5), 4)
    assert np.array_equal(one, other)


def test_long_videos_give_stretches_spread_over_them(tmp_path):
    path, short = video(tmp_path / "long.mp4", 60), video(tmp_path / "short.mp4", 12, grey=251)
    windows = opened(tmp_path / "cache", [path, short], most_frames=24, window=2)
    own = {tuple(numbers(windows.draw(np.random.default_rng(seed), 8)[0])) for seed in range(50)}
    assert own == {tuple(range(0, 8)), tuple(range(52, 60)), (63,) * 8}  # 24 x 60 / 72 = 20 frames, in stretches of 8
    assert windows.num_frames == 8 + 8 + 8


def test_all_frames_are_kept_below_the_bound(tmp_path):
    assert opened(tmp_path / "cache", [video(tmp_path / "a.mp4", 40)], most_frames=40).num_frames == 40


def test_packed_once_and_again_after_a_change(tmp_path, monkeypatch):
    path = video(tmp_path / "a.mp4", 10)
    opened(tmp_path / "cache", [path])
    monkeypatch.setattr(video_windows, "_build", lambda *_: pytest.fail("packed again"))
    assert opened(tmp_path / "cache", [path]).num_frames == 10
    monkeypatch.undo()
    video(path, 12)
    os.utime(path, ns=(1, 1))
    assert opened(tmp_path / "cache", [path]).num_frames == 12
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_a_pack_that_was_not_finished_is_not_believed(tmp_path, monkeypatch):
    path = video(tmp_path / "a.mp4", 10)

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(video_windows.atomic, "write_json", killed)
    with pytest.raises(KeyboardInterrupt):
        opened(tmp_path / "cache", [path])
    monkeypatch.undo()
    assert opened(tmp_path / "cache", [path]).num_frames == 10


def test_a_damaged_video_is_left_out_with_its_reason(tmp_path):
    good, cut = video(tmp_path / "good.mp4", 10), video(tmp_path / "cut.mp4", 60)
    cut.write_bytes(cut.read_bytes()[: len(cut.read_bytes()) * 2 // 3])
    (tmp_path / "none.mp4").write_bytes(b"no video")
    windows = opened(tmp_path / "cache", [tmp_path / "none.mp4", cut, good])
    assert [path.rsplit("/", 1)[1] for path, _ in windows.skipped] == ["none.mp4", "cut.mp4"]
    assert "not a video" in windows.skipped[0][1]
    for seed in range(20):
        frames = numbers(windows.draw(np.random.default_rng(seed), 4)[0])
        assert frames == list(range(frames[0], frames[0] + 4)) and frames[-1] <= 9


def test_too_short_videos_are_refused_in_one_message(tmp_path):
    with pytest.raises(DataError, match=r"None of 1 unlabelled videos has 16 consecutive frames, the longest has 5\."):
        opened(tmp_path / "cache", [video(tmp_path / "a.mp4", 5)], window=16)
    with pytest.raises(DataError, match=r"data\.video_dir"):
        opened(tmp_path / "cache", [])


def test_spans_bound_what_is_taken_of_a_video(tmp_path):
    windows = opened(tmp_path / "cache", [video(tmp_path / "a.mp4", 20)], spans=[(0.2, 0.48)])
    assert windows.num_frames == 7
    assert {tuple(numbers(windows.draw(np.random.default_rng(seed), 7)[0])) for seed in range(5)} == {
        tuple(range(5, 12))
    }
