"""A detector on videos: where it finds landmarks, its neighbours at the ends, and how much of a video it holds."""

import gc
import tracemalloc

import numpy as np
import pytest
import torch
from made_videos import write_made
from pose_fakes import LANDMARKS, Centroids, draw, moving

from sign_recog.errors import DataError
from sign_recog.extractors.detection import Detector, _batches, read_all
from sign_recog.video.reader import VideoReader


def detector(context=0, height=32, width=64):
    network = Centroids(num_landmarks=3, height=height, width=width, weights=None, context=context).eval()
    return Detector(network, LANDMARKS, height, width, context, torch.device("cpu"), "32-true")


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """11 frames and their points; H.264 without loss of colour."""
    points = moving(11)
    path = tmp_path_factory.mktemp("video") / "clip.mp4"
    frames = [draw(own) for own in points]
    write_made(path, frames, options={"crf": "0"}, pix_fmt="yuv444p")
    return path, points


@pytest.mark.parametrize("batch_size", [1, 4, 11, 50])
@pytest.mark.parametrize("size", [(32, 64), (64, 96), (96, 160)])
def test_landmarks_are_in_pixels_of_the_video_whatever_the_batch(video, batch_size, size):
    path, points = video
    found = read_all(detector(0, *size), path, batch_size=batch_size)
    np.testing.assert_allclose(found.points, points, atol=0.25)  # colours are not stored exactly
    assert found.confidence.shape == (11, 3)
    assert found.timestamps_ms == [40 * i for i in range(11)]


@pytest.mark.parametrize("batch_size", [1, 3, 11, 13])
def test_neighbours_beyond_the_ends_are_the_frames_at_the_ends(video, batch_size):
    path, _ = video
    alone = read_all(detector(0), path, batch_size=4).points
    padded = np.concatenate([alone[:1], alone[:1], alone, alone[-1:], alone[-1:]])
    expected = np.stack([padded[i : i + 11] for i in range(5)]).mean(0)
    found = read_all(detector(2), path, batch_size=batch_size)
    np.testing.assert_allclose(found.points, expected, atol=1e-5)
    assert len(found.timestamps_ms) == 11


def test_whole_pictures_come_with_their_own_points(video):
    path, _ = video
    parts = list(detector(2).video(VideoReader(path), batch_size=3, keep_images=True))
    images = [image for part in parts for image in part.images]
    assert [len(part.images) for part in parts] == [len(part.points) for part in parts]
    for image, frame in zip(images, VideoReader(path), strict=True):
        np.testing.assert_array_equal(image, frame.image)


class Endless:
    """Frames without a file, and how many of them are alive."""

    def __init__(self, num_frames):
        self.num_frames, self.alive, self.most = num_frames, 0, 0

    def __iter__(self):
        from types import SimpleNamespace
        from weakref import finalize

        for i in range(self.num_frames):
            image = np.full((64, 96, 3), i % 256, np.uint8)
            self.alive += 1
            self.most = max(self.most, self.alive)
            finalize(image, self._gone)
            yield SimpleNamespace(image=image, timestamp_ms=40 * i)
            del image

    def _gone(self):
        self.alive -= 1


@pytest.mark.parametrize("keep_images", [False, True])
def test_memory_does_not_grow_with_the_video(keep_images):
    def peaks(num_frames):
        source = Endless(num_frames)
        tracemalloc.start()
        for part in detector(2).video(source, batch_size=4, keep_images=keep_images):
            del part
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        gc.collect()
        return source.most, peak

    short, long = peaks(60), peaks(600)
    assert long[0] <= 30  # four batches of four at most, each with its neighbours
    assert long[1] < 1.5 * short[1]


def test_large_pictures_make_small_batches_where_they_are_kept(monkeypatch):
    monkeypatch.setattr("sign_recog.extractors.detection._IMAGE_BYTES", 3 * 64 * 96 * 3)
    sizes = [len(batch.images) for batch in _batches(Endless(8), 32, 64, 0, 6, True)]
    assert sizes == [3, 3, 2]
    assert [len(b.timestamps_ms) for b in _batches(Endless(8), 32, 64, 0, 6, False)] == [6, 2]


def test_a_damaged_video_is_one_error(tmp_path, video):
    path, _ = video
    (tmp_path / "cut.mp4").write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match=r"cut\.mp4"):
        read_all(detector(), tmp_path / "cut.mp4", batch_size=4)
