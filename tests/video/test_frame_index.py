"""When frames are shown, found without decoding, against decoding them."""

import pytest
from made_videos import FPS, KINDS, pictures, sound_only, write_made, x264

from sign_recog.errors import DataError
from sign_recog.video import frame_index
from sign_recog.video.frame_index import decoded_index, read_frame_index
from sign_recog.video.reader import VideoReader


@pytest.mark.parametrize("kind", KINDS)
def test_the_frames_are_those_that_decoding_gives(kind, tmp_path):
    path = KINDS[kind](tmp_path / kind)
    index = read_frame_index(path)
    times_s = [time_s for _, time_s in VideoReader(path).timed_frames()]
    assert index.times_s.tolist() == times_s and index.num_frames == len(times_s)


def test_every_real_clip_is_indexed_without_decoding(test_data, monkeypatch):
    folder = test_data / "video_ksl77_koala/clips"
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent")
    expected = {path: decoded_index(path) for path in sorted(folder.glob("*.mp4"))[::4]}
    monkeypatch.setattr(frame_index, "decoded_index", None)
    for path, index in expected.items():
        found = read_frame_index(path)
        assert found.times_s.tolist() == index.times_s.tolist()
        assert found.keyframes.tolist() == index.keyframes.tolist()


def test_keyframes_are_where_the_encoder_was_told_to_put_them(tmp_path):
    path = write_made(tmp_path / "a.mp4", pictures(30), options=x264("keyint=7:min-keyint=7:bframes=2:open-gop=0"))
    index = read_frame_index(path)
    assert not index.decoded and index.interval_s == 1 / FPS
    assert [i for i, key in enumerate(index.keyframes) if key] == [0, 7, 14, 21, 28]


@pytest.mark.parametrize(("start_s", "end_s"), [(0.0, None), (0.2, 0.6), (0.0, 0.04), (1.0, 9.0), (0.333, 0.777)])
@pytest.mark.parametrize("kind", ["uneven.mp4", "late_start.mkv", "short_gop.mp4"])
def test_a_span_holds_the_frames_that_the_reader_gives(kind, start_s, end_s, tmp_path):
    path = KINDS[kind](tmp_path / kind)
    span = read_frame_index(path).span(start_s, end_s)
    whole = [frame.image for frame in VideoReader(path)]
    part = [frame.image for frame in VideoReader(path, start_s=start_s, end_s=end_s)]
    assert len(part) == len(span)
    assert all((whole[i] == image).all() for i, image in zip(span, part, strict=True))


def test_a_span_beyond_the_end_is_empty(tmp_path):
    index = read_frame_index(write_made(tmp_path / "a.mp4", pictures(10)))
    assert len(index.span(7.0, 8.0)) == 0 and len(index.span(0.3, 0.1)) == 0


def test_frames_that_the_container_says_are_not_shown_do_not_count(tmp_path):
    index = read_frame_index(KINDS["edited.mp4"](tmp_path / "edited.mp4"))
    assert index.num_frames == 20 and not index.decoded


def test_a_truncated_file_and_one_without_video_are_named(tmp_path):
    path = write_made(tmp_path / "a.mkv", pictures(60))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=r"a\.mkv: truncated after frame \d+"):
        read_frame_index(path)
    with pytest.raises(DataError, match=r"s\.mp4: holds no video"):
        read_frame_index(sound_only(tmp_path / "s.mp4"))
