"""Small files for reading at random: every frame with its time, and cheap to enter anywhere."""

import numpy as np
import pytest

from sign_recog.video.clip_writer import GOP, read_comment, write_clip
from sign_recog.video.frame_index import read_frame_index
from sign_recog.video.reader import read_frames

NUM_FRAMES, STEP = 40, 5
TIMES = {
    "25 fps": [i / 25 for i in range(NUM_FRAMES)],
    "NTSC": [i * 1001 / 30000 for i in range(NUM_FRAMES)],
    "varying": np.cumsum([0, *np.random.default_rng(0).choice([0.004, 0.04, 0.3], NUM_FRAMES - 1)]).tolist(),
}


def frames(times_s):
    for i, time_s in enumerate(times_s):
        yield np.full((48, 64, 3), 16 + STEP * i, np.uint8), time_s


@pytest.mark.parametrize("times_s", TIMES.values(), ids=TIMES.keys())
def test_every_frame_is_there_once_with_its_time(tmp_path, times_s):
    path = tmp_path / "clip.mp4"
    assert write_clip(path, frames(times_s), 25, "") == NUM_FRAMES
    shown = [frame.image for frame in read_frames(path)]
    assert [round((float(image.mean()) - 16) / STEP) for image in shown] == list(range(NUM_FRAMES))
    index = read_frame_index(path)
    assert index.times_s == pytest.approx(times_s, abs=1e-4) and not index.decoded


def test_a_decoder_can_enter_every_few_frames_and_none_waits_for_a_later_one(tmp_path):
    import av

    path = tmp_path / "clip.mp4"
    write_clip(path, frames(TIMES["25 fps"]), 25, "")
    keyframes = np.flatnonzero(read_frame_index(path).keyframes)
    assert keyframes[0] == 0 and np.diff(keyframes).max() <= GOP
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        packets = [packet for packet in container.demux(stream) if packet.size]
    assert [p.pts for p in packets] == sorted(p.pts for p in packets) and all(p.pts == p.dts for p in packets)


def test_the_last_frame_lasts_as_long_as_the_others(tmp_path):
    path = tmp_path / "clip.mp4"
    write_clip(path, frames(TIMES["25 fps"]), 25, "")
    assert read_frame_index(path).duration_s == pytest.approx(NUM_FRAMES / 25, abs=0.041)


def test_the_comment_is_kept_and_a_file_that_is_cut_off_has_none(tmp_path):
    path = tmp_path / "clip.mp4"
    text = '{"box": [1, 2], "name": "ü"}'
    write_clip(path, frames(TIMES["25 fps"]), 25, text)
    assert read_comment(path) == text
    content = path.read_bytes()
    for share in (0.0, 0.3, 0.6, 0.95):
        path.write_bytes(content[: int(len(content) * share)])
        assert read_comment(path) is None


def test_no_frames_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no frames"):
        write_clip(tmp_path / "clip.mp4", iter(()), 25, "")
