"""Frames of a video as network input."""

import numpy as np
import pytest

from sign_recog.config.modalities.rgb import RgbModality
from sign_recog.data.frames import FrameReader
from sign_recog.errors import DataError
from sign_recog.video.writer import write_video


@pytest.fixture
def video(tmp_path):
    """20 frames of 64 x 48 pixels at 25 frames/s; frame i is gray 10 * i, its left border white."""
    frames = []
    for i in range(20):
        image = np.full((48, 64, 3), 10 * i, np.uint8)
        image[:, :4] = 255
        frames.append(image)
    write_video(tmp_path / "a.mp4", iter(frames), 25)
    return tmp_path / "a.mp4"


def reader(**changes) -> FrameReader:
    settings = {"num_frames": 4, "stride": 3, "image_size": 32, "target_fps": None} | changes
    return FrameReader(RgbModality("unused", None, **settings))


def grays(frames: np.ndarray) -> list[int]:
    """Which of the video's frames these are."""
    return [round(float(frame.mean()) / 10) for frame in frames]


def test_the_middle_of_the_clip_every_stride(video):
    frames = reader().frames(video, "a")
    assert frames.shape == (4, 3, 32, 32) and frames.dtype == np.uint8
    assert grays(frames) == [5, 8, 11, 14]  # 10 frames are spanned, so 10 are spare, 5 on each side


def test_chance_moves_the_beginning_and_keeps_the_stride(video):
    firsts = set()
    for seed in range(30):
        numbers = grays(reader().read(video, 0.0, None, np.random.default_rng(seed)))
        assert np.diff(numbers).tolist() == [3, 3, 3]
        firsts.add(numbers[0])
    assert min(firsts) <= 1 and max(firsts) >= 9 and max(firsts) <= 10


def test_a_short_span_gives_fewer_frames(video):
    assert grays(reader().read(video, 0.0, 0.16, None)) == [0, 3]


def test_the_picture_is_cut_to_its_middle_square(video):
    assert reader().frames(video, "a")[0].max() < 100  # the white border at the left is outside of it


def test_a_damaged_video_is_an_error(tmp_path):
    (tmp_path / "b.mp4").write_bytes(b"no video")
    with pytest.raises(DataError, match=r"b\.mp4"):
        reader().frames(tmp_path / "b.mp4", "b")
