"""Videos come back as they were written."""

import numpy as np
import pytest

from sign_recog.video.reader import probe, read_frames
from sign_recog.video.writer import write_video


def smooth_image(height, width, shift):
    y, x = np.mgrid[:height, :width]
    waves = [127 + 90 * np.sin((x + shift) / 15), 127 + 90 * np.cos(y / 15), 127 + 60 * np.sin((x + y) / 25)]
    return np.stack(waves, -1).astype(np.uint8)


@pytest.mark.parametrize("fps", [25, 29.97, 12.5])
def test_pictures_count_and_rate_survive(tmp_path, fps):
    path = tmp_path / "clip.mp4"
    images = [smooth_image(120, 160, 3 * i) for i in range(12)]
    assert write_video(path, iter(images), fps) == 12
    back = [frame.image for frame in read_frames(path)]
    assert probe(path).fps == pytest.approx(fps, rel=1e-4)
    for image, other in zip(images, back, strict=True):
        assert np.abs(image.astype(int) - other).mean() < 3


def test_odd_sizes_are_extended_by_their_edge(tmp_path):
    path = tmp_path / "odd.mp4"
    write_video(path, [smooth_image(47, 63, 0)] * 3, 25)
    image = next(read_frames(path)).image
    assert image.shape == (48, 64, 3)
    assert np.abs(image[:, 62].astype(int) - image[:, 63]).mean() < 5


def test_a_video_without_frames_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no frames"):
        write_video(tmp_path / "none.mp4", [], 25)
