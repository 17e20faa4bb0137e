"""Chosen frames, against decoding everything."""

import numpy as np
import pytest
from made_videos import KINDS, pictures, sound_only, write_made, x264

from sign_recog.errors import DataError
from sign_recog.video import chosen
from sign_recog.video.chosen import read_chosen
from sign_recog.video.reader import VideoReader


def same(image):
    return image


def orders(num_frames: int) -> list[np.ndarray]:
    """A single late frame, a few far apart, all, and some at random, repeated and backwards."""
    rng = np.random.default_rng(0)
    return [
        np.array([num_frames - 1]), np.array([num_frames // 2]), np.arange(0, num_frames, 9), np.arange(num_frames),
        rng.integers(0, num_frames, 7), np.arange(num_frames)[::-3], np.repeat(num_frames // 3, 3),
    ]  # fmt: skip


def agree(path, **span):
    whole = [frame.image for frame in VideoReader(path, **span)]
    for order in orders(len(whole)):
        found = read_chosen(path, lambda times_s, interval_s, order=order: order, same, **span)
        assert all(np.array_equal(image, whole[i]) for image, i in zip(found, order, strict=True))


@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_chosen_frames_are_bit_for_bit_those_of_full_decoding(kind, held, tmp_path, monkeypatch):
    if not held:  # as if the file were large
        monkeypatch.setattr(chosen, "HELD_BYTES", 0)
    path = KINDS[kind](tmp_path / kind)
    agree(path)
    if kind != "one.mp4":
        agree(path, start_s=0.3, end_s=0.6)


def test_every_real_clip_gives_the_frames_of_full_decoding(test_data):
    folder = test_data / "video_ksl77_koala/clips"
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent")
    for path in sorted(folder.glob("*.mp4")):
        whole = [frame.image for frame in VideoReader(path)]
        for order in orders(len(whole))[:6:2]:
            found = read_chosen(path, lambda times_s, interval_s, order=order: order, same)
            assert all(np.array_equal(image, whole[i]) for image, i in zip(found, order, strict=True))


@pytest.mark.parametrize("kind", ["b_frames.mp4", "short_gop.mp4", "open_gop.mp4", "uneven.mkv", "hevc.mp4"])
def test_what_is_not_wanted_is_not_decoded(kind, tmp_path, monkeypatch):
    """Nothing falls back to full decoding, and a frame in the middle costs its group of pictures at most."""
    path = KINDS[kind](tmp_path / kind)
    num_frames = len(list(VideoReader(path)))
    monkeypatch.setattr(chosen, "VideoReader", None)
    decoded = []
    from_packets = chosen._from
    monkeypatch.setattr(chosen, "_from", lambda *a: (decoded.append(pair[0]) or pair for pair in from_packets(*a)))
    read_chosen(path, lambda times_s, interval_s: np.array([num_frames // 2]), same)
    assert len(decoded) < {"b_frames.mp4": num_frames}.get(kind, num_frames // 2)


def test_a_frame_asked_for_twice_is_converted_once(tmp_path):
    path, shown = write_made(tmp_path / "a.mp4", pictures(20)), []
    found = read_chosen(
        path, lambda times_s, interval_s: np.array([5, 5, 9, 5]), lambda image: shown.append(0) or image
    )
    assert len(shown) == 2 and found[0] is found[1] is found[3]


def test_the_times_are_those_of_the_span(tmp_path):
    path, seen = KINDS["uneven.mkv"](tmp_path / "uneven.mkv"), []
    read_chosen(path, lambda *known: seen.append(known) or np.array([0]), same, start_s=0.4, end_s=1.2)
    expected = [time_s for _, time_s in VideoReader(path, start_s=0.4, end_s=1.2).timed_frames()]
    assert seen[0][0] == pytest.approx(expected) and seen[0][0][0] == 0


def middle(times_s, interval_s):
    return np.array([len(times_s) - 2, len(times_s) // 2])


def broken(path, damage):
    write_made(path, pictures(60), options=x264("keyint=60:bframes=0:crf=10"))
    data = bytearray(path.read_bytes())
    path.write_bytes(damage(data))
    return path


def zeros_in_the_middle(data):
    data[len(data) // 3 : len(data) // 3 + 3000] = bytes(3000)
    return data


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("damage", [zeros_in_the_middle, lambda data: data[: len(data) // 2]])
def test_damage_is_an_error_that_names_file_and_frame(damage, suffix, tmp_path):
    try:
        path = broken(tmp_path / f"bad{suffix}", damage)
        list(VideoReader(path))
    except DataError as error:
        expected = str(error)
    with pytest.raises(DataError, match=r"bad\.\w+: ") as raised:
        read_chosen(path, middle, same)
    assert str(raised.value) == expected


def test_damage_behind_the_span_does_not_matter(tmp_path):
    path = broken(tmp_path / "bad.mkv", lambda data: data[: len(data) // 2])
    assert len(read_chosen(path, lambda times_s, interval_s: np.arange(len(times_s)), same, end_s=0.2)) == 5


def test_sound_a_missing_file_and_a_span_past_the_end_are_named(tmp_path):
    with pytest.raises(DataError, match=r"s\.mp4: holds no video"):
        read_chosen(sound_only(tmp_path / "s.mp4"), middle, same)
    with pytest.raises(DataError, match=r"no\.mp4: no such video"):
        read_chosen(tmp_path / "no.mp4", middle, same)
    path = write_made(tmp_path / "a.mp4", pictures(10))
    with pytest.raises(DataError, match=r"a\.mp4: no frame lies in \[7, 8\) s; the video is 0\.40 s long"):
        read_chosen(path, middle, same, start_s=7, end_s=8)


def test_a_range_that_ends_past_the_end_ends_with_the_video(tmp_path):
    path = write_made(tmp_path / "a.mp4", pictures(10))
    found = read_chosen(path, lambda times_s, interval_s: np.arange(len(times_s)), same, start_s=0.2, end_s=99)
    assert len(found) == 5
