"""Drawn pictures show their true landmarks, the same every time, with signers of one split each."""

import numpy as np
import pytest

from sign_recog.corpora.synthetic import labelled_frames
from sign_recog.corpora.synthetic.labelled_frames import LAYOUT, read
from sign_recog.errors import ConfigError
from sign_recog.video.pictures import read_picture

SETTINGS = {
    "num_signers": {"train": 3, "val": 1, "test": 1},
    "num_frames": {"train": 7, "val": 2, "test": 2},
    "num_clips": {"train": 3, "val": 1, "test": 1},
    "num_glosses": 5,
    "neighbours": False,
    "image_size": 128,
    "seed": 3,
    "num_workers": 0,
}


def corpus(folder, **changes):
    return read(None, folder, **(SETTINGS | changes))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    return folder, corpus(folder)


def test_every_split_has_its_frames_and_clips_of_its_own_signers(drawn):
    _, made = drawn
    frames = made.frames.frames
    assert [frame.split for frame in frames] == ["train"] * 7 + ["val"] * 2 + ["test"] * 2
    signers = {
        split: {f.frame_id.split("_")[0] for f in frames if f.split == split} for split in SETTINGS["num_frames"]
    }
    assert signers == {"train": {"train01", "train02", "train03"}, "val": {"val01"}, "test": {"test01"}}
    assert sorted((clip.split, clip.signer) for clip in made.clips) == [
        ("test", "test01"), ("train", "train01"), ("train", "train02"), ("train", "train03"), ("val", "val01")
    ]  # fmt: skip
    assert not {frame.video for frame in frames} & {clip.video for clip in made.clips}
    assert len({frame.video for frame in frames}) == 11  # each of a take of its own


def test_the_landmarks_are_holistics_above_the_hips_and_of_the_hands(drawn):
    names = drawn[1].frames.landmarks.names
    assert len(names) == 23 + 42 == len(LAYOUT)
    assert names[0] == "pose.nose" and names[-1] == "right_hand.pinky_tip" and not any("hip" in name for name in names)
    assert ("left_hand.wrist", "right_hand.wrist") in drawn[1].frames.landmarks.swap_pairs


def test_points_are_where_the_drawing_shows_them(drawn):
    """The middles of the eyes are drawn nearly black on the face: the darkest place near the point is the pupil's."""
    frames = corpus(drawn[0], image_size=256, num_frames={"train": 6, "val": 1, "test": 1}).frames
    eyes = frames.landmarks.index(["pose.left_eye", "pose.right_eye"])
    off = []
    for frame, points in zip(frames.frames, frames.points, strict=True):
        grey = read_picture(frame.image).astype(float).mean(axis=-1)
        for x, y in points[eyes]:
            left, top = round(x) - 2, round(y) - 2
            dark = 255 - grey[top : top + 5, left : left + 5]
            dark = np.maximum(dark - dark.mean(), 0)
            rows, columns = np.mgrid[top : top + 5, left : left + 5]
            off.append([(dark * columns).sum() / dark.sum() - x, (dark * rows).sum() / dark.sum() - y])
    right, down = np.mean(off, axis=0)
    assert abs(right) < 0.2 and abs(down - 0.25) < 0.2  # pupils are drawn 0.01 of the face's half height lower
    assert np.abs(off).max() < 1.6


def test_points_outside_the_picture_are_not_labelled(drawn):
    points = corpus(drawn[0], num_frames={"train": 15, "val": 1, "test": 1}).frames.points
    known = points[~np.isnan(points)]
    assert np.isnan(points).any() and known.min() >= -0.5 and known.max() <= 127.5


def test_what_is_there_is_not_drawn_again_and_what_is_missing_is(drawn, monkeypatch):
    folder, made = drawn
    image = made.frames.frames[4].image
    before = image.read_bytes()
    image.unlink()
    drawings = []
    monkeypatch.setattr(
        labelled_frames, "png", lambda picture, png=labelled_frames.png: drawings.append(1) or png(picture)
    )
    corpus(folder)
    assert image.read_bytes() == before and len(drawings) == 1


def test_more_frames_leave_the_first_ones_as_they_are(drawn):
    folder, made = drawn
    more = corpus(folder, num_frames={"train": 9, "val": 2, "test": 3}).frames
    assert more.frames[:7] == made.frames.frames[:7]
    assert np.array_equal(more.points[:7], made.frames.points[:7], equal_nan=True)


def test_neighbours_are_the_takes_own_frames(drawn):
    folder, made = drawn
    with_neighbours = corpus(folder, neighbours=True).frames
    for alone, frame in zip(made.frames.frames, with_neighbours.frames, strict=True):
        assert frame.context[2] == frame.image == alone.image and len(frame.context) == 5
        assert all(path.is_file() for path in frame.context)
    shown = [read_picture(path).astype(int) for path in with_neighbours.frames[0].context]
    assert 0 < np.abs(shown[2] - shown[1]).mean() < 12  # little moves between two frames


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_frames": {"train": 0, "val": 1, "test": 1}}, r"num_frames\.train=0 must be 1 or more"),
        ({"num_clips": {"train": -1}}, r"num_clips\.train must be 0 or more"),
        ({"num_signers": {"train": 2, "val": 1}}, r"clips of test need signers"),
        ({"image_size": 64}, "image_size=64"),
        ({"num_glosses": 0}, "num_glosses=0 must be 1 or more"),
    ],
)
def test_settings_out_of_range_are_refused(tmp_path, change, message):
    with pytest.raises(ConfigError, match=message):
        corpus(tmp_path, **change)
