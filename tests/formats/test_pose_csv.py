"""Keypoints leave as tables of pixels and come back; frames to label are the very pictures that the points are of."""

import numpy as np
import pytest
from made_videos import pictures

from sign_recog.errors import DataError
from sign_recog.formats import pose_csv
from sign_recog.landmarks.layout import get_layout
from sign_recog.landmarks.named import NamedLandmarks
from sign_recog.landmarks.named_layout import NamedLayout
from sign_recog.storage.landmark_csv import LandmarkTable, read_landmark_csv, write_landmark_csv
from sign_recog.storage.manifest import Clip
from sign_recog.storage.sequences import KeypointSequence
from sign_recog.video.pictures import read_picture
from sign_recog.video.reader import read_frames
from sign_recog.video.writer import write_video


def sequence(layout, frames=6, width=64, height=48, step_ms=40, **meta):
    rng = np.random.default_rng(0)
    keypoints = (rng.random((frames, len(layout), 3)) * (1, 0.75, 0)).astype(np.float32)
    keypoints[2, 1] = np.nan
    confidence = np.where(np.isnan(keypoints[..., 0]), 0, rng.random((frames, len(layout)))).astype(np.float32)
    meta = {"clip_id": "a", "width": width, "height": height, "fps": 25.0} | meta
    return KeypointSequence(keypoints, confidence, np.arange(frames) * step_ms, layout, meta)


@pytest.mark.parametrize(
    "layout", [get_layout("holistic_75"), get_layout("fslr_78"), NamedLayout.of(NamedLandmarks(("nose", "tail, tip")))]
)
def test_written_and_read_again_it_is_the_same(tmp_path, layout):
    given = sequence(layout)
    pose_csv.write(tmp_path / "a.csv", given, None)
    again = pose_csv.read(tmp_path / "a.csv", clip_id="a", width=64, height=48, fps=25.0)
    assert again.layout == layout
    assert np.allclose(again.keypoints, given.keypoints, atol=1e-6, equal_nan=True)
    assert np.allclose(again.confidence, given.confidence, atol=1e-4)
    assert np.array_equal(again.timestamps_ms, given.timestamps_ms)


def test_the_corner_of_the_picture_is_half_a_pixel_before_the_first(tmp_path):
    given = sequence(NamedLayout.of(NamedLandmarks(("a", "b"))), frames=3)
    given.keypoints[0, :, :2] = (0, 0), (1, 0.75)
    pose_csv.write(tmp_path / "a.csv", given, None)
    assert read_landmark_csv(tmp_path / "a.csv").points[0].tolist() == [[-0.5, -0.5], [63.5, 47.5]]


def test_a_table_of_labelled_frames_is_no_clip(tmp_path):
    write_landmark_csv(tmp_path / "a.csv", LandmarkTable(("nose",), ["0", "2"], np.zeros((2, 1, 2))))
    with pytest.raises(DataError, match="are not the frames 0, 1, 2"):
        pose_csv.read(tmp_path / "a.csv", clip_id="a", width=64, height=48, fps=25.0)


def test_frames_to_label_are_the_pictures_of_their_points(tmp_path):
    """The clip is a span of its video, extracted at half its frame rate."""
    video = tmp_path / "v.mp4"
    write_video(video, pictures(40), 25)
    shown = [frame.image for frame in read_frames(video)]
    clip = Clip("day/one", "v.mp4", start_s=0.2, end_s=1.2, split="train")
    given = sequence(get_layout("signon_67"), frames=12, step_ms=80)
    table, failed = pose_csv.write_labels(tmp_path / "out", [clip], lambda _: given, lambda _: video, every=5)
    read = read_landmark_csv(table)
    assert not failed
    assert read.index == [f"labeled-data/day/one/img{number:08d}.png" for number in (0, 5, 10)]
    for name, number in zip(read.index, (0, 5, 10), strict=True):
        assert np.array_equal(read_picture(tmp_path / "out" / name), shown[5 + 2 * number])
    assert np.allclose(read.points, given.keypoints[::5, :, :2] * 64 - 0.5, atol=0.006, equal_nan=True)


def test_a_clip_without_its_video_is_named_and_the_others_go_on(tmp_path):
    video = tmp_path / "v.mp4"
    write_video(video, pictures(10), 25)
    clips = [Clip("a", "v.mp4"), Clip("b", "gone.mp4"), Clip("c", "v.mp4")]
    other_size = sequence(get_layout("signon_67"), width=128, height=96)
    table, failed = pose_csv.write_labels(
        tmp_path / "out",
        clips,
        lambda clip: other_size if clip.clip_id == "c" else sequence(get_layout("signon_67")),
        lambda clip: tmp_path / clip.video,
        every=3,
    )
    assert failed.keys() == {"b", "c"} and "no such video" in failed["b"] and "128 x 96" in failed["c"]
    assert len(read_landmark_csv(table).index) == 2
    with pytest.raises(DataError, match="No clip gives pictures to label"):
        pose_csv.write_labels(tmp_path, clips[1:2], lambda _: other_size, lambda clip: tmp_path / clip.video, every=3)
