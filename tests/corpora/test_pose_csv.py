"""Labelled frames of DeepLabCut's and Lightning Pose's table, and everything such a table can get wrong."""

from pathlib import Path

import numpy as np
import pytest

from sign_recog.corpora import pose_csv
from sign_recog.errors import DataError
from sign_recog.storage.landmark_csv import LandmarkTable, write_landmark_csv
from sign_recog.video.pictures import png
from sign_recog.video.writer import write_video

NAMES = ("nose", "ear", "tail")
DEFAULTS = {
    "image_dir": None, "video_dir": None, "new_source": None, "split_list": None, "numbered": False, "swap_pairs": [],
    "views": [], "limbs": [],
}  # fmt: skip


def picture(path: Path, width=64, height=48):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png(np.zeros((height, width, 3), np.uint8)))


def made(folder: Path, index, points=None, **columns) -> Path:
    """A table of ``index``, and a picture for each of its rows that has none."""
    if points is None:
        points = np.random.default_rng(0).uniform(0, 47, (len(index), len(NAMES), 2))
    for name in index:
        if ":" not in name and not (folder / name).exists():
            picture(folder / name)
    path = folder / "CollectedData.csv"
    write_landmark_csv(path, LandmarkTable(NAMES, list(index), points, **columns))
    return path


def read(path, tmp_path, **changes):
    return pose_csv.read(str(path), tmp_path / "out", **(DEFAULTS | changes))


IMAGES = [f"labeled-data/v{i // 2}/img{i}.png" for i in range(5)]


def test_pictures_are_found_beside_the_table_with_their_size_and_video(tmp_path):
    path = made(tmp_path / "in", IMAGES)
    corpus = read(path, tmp_path)
    frames = corpus.frames
    assert [frame.frame_id for frame in frames.frames] == IMAGES
    assert [frame.image for frame in frames.frames] == [tmp_path / "in" / name for name in IMAGES]
    assert {(frame.width, frame.height) for frame in frames.frames} == {(64, 48)}
    assert [frame.video for frame in frames.frames] == [f"labeled-data/v{i // 2}" for i in range(5)]
    assert frames.landmarks.names == NAMES and frames.points.shape == (5, 3, 2)
    assert corpus.clips == [] and corpus.image_dir == tmp_path / "in" and not corpus.frames_left_out


def test_the_real_example_is_read_whole(test_data, tmp_path):
    folder = test_data / "mirror_mouse_example"
    corpus = read(folder / "CollectedData.csv", tmp_path, video_dir=str(folder / "videos"))
    assert len(corpus.frames.frames) == 90 and len(corpus.frames.landmarks) == 17
    assert {(frame.width, frame.height) for frame in corpus.frames.frames} == {(396, 406)}
    assert [clip.video for clip in corpus.clips] == ["test_vid.mp4"] and corpus.left_out == []
    assert not corpus.frames_left_out and not corpus.notes
    first = corpus.frames.points[0]
    assert first[0].tolist() == [77.25, 36.25] and np.isnan(first[4]).all()


def test_s4_frames_of_different_sizes_keep_their_own(tmp_path):
    picture(tmp_path / "in" / IMAGES[1], width=128, height=96)
    frames = read(made(tmp_path / "in", IMAGES), tmp_path).frames.frames
    assert [(frame.width, frame.height) for frame in frames[:3]] == [(64, 48), (128, 96), (64, 48)]


def test_missing_and_damaged_pictures_are_left_out_by_name(tmp_path):
    path = made(tmp_path / "in", IMAGES)
    (tmp_path / "in" / IMAGES[0]).unlink()
    (tmp_path / "in" / IMAGES[3]).write_bytes(b"no picture")
    corpus = read(path, tmp_path)
    assert [frame.frame_id for frame in corpus.frames.frames] == [IMAGES[i] for i in (1, 2, 4)]
    reasons = dict(corpus.frames_left_out)
    assert reasons.keys() == {IMAGES[0], IMAGES[3]}
    assert "No such file" in reasons[IMAGES[0]] and "no picture that can be decoded" in reasons[IMAGES[3]]
    assert corpus.notes == ["2 of 5 labelled frames are left out; frames_left_out.tsv says why."]


def test_if_no_picture_is_there_the_message_says_where_they_are(tmp_path):
    """DeepLabCut's tables lie beside the pictures, and name them from the project's folder."""
    path = made(tmp_path / "project", IMAGES)
    inner = path.rename(tmp_path / "project" / "labeled-data" / "CollectedData.csv")
    with pytest.raises(DataError, match=rf"Set data\.image_dir={tmp_path / 'project'}\."):
        read(inner, tmp_path)
    assert len(read(inner, tmp_path, image_dir=str(tmp_path / "project")).frames.frames) == 5


def test_a_picture_outside_the_folder_is_refused(tmp_path):
    picture(tmp_path / "secret.png")
    path = made(tmp_path / "in", [*IMAGES, "../secret.png"])
    with pytest.raises(DataError, match=r"'\.\./secret\.png' leads out of"):
        read(path, tmp_path)


def test_labels_outside_their_picture_are_left_out_and_named(tmp_path):
    points = np.full((5, 3, 2), 20.0)
    points[1, 2] = 64.2, 10  # the last pixel reaches to 63.5
    points[2, 0] = 63.4, -0.4
    corpus = read(made(tmp_path / "in", IMAGES, points), tmp_path)
    assert np.isnan(corpus.frames.points[1, 2]).all() and np.isnan(corpus.frames.points).sum() == 2
    assert corpus.notes == [
        "1 of 15 labels are left out: they lie outside their picture "
        f"(tail at (64.2, 10) in {IMAGES[1]}, 64 x 48 pixels)."
    ]


def test_labels_of_pictures_of_another_size_are_refused(tmp_path):
    points = np.random.default_rng(0).uniform(50, 400, (5, 3, 2))
    with pytest.raises(DataError, match=r"15 of 15 labels lie outside their pictures .* of another size"):
        read(made(tmp_path / "in", IMAGES, points), tmp_path)


def test_a_landmark_without_a_label_is_left_out_by_name_unless_a_setting_names_it(tmp_path):
    points = np.full((5, 3, 2), 20.0)
    points[:, 1] = np.nan
    path = made(tmp_path / "in", IMAGES, points)
    corpus = read(path, tmp_path, limbs=[["nose", "tail"]])
    assert corpus.frames.landmarks.names == ("nose", "tail") and corpus.frames.points.shape == (5, 2, 2)
    assert corpus.notes == ["1 landmarks are left out, since no frame has a label of them: ear."]
    with pytest.raises(DataError, match=r"ear has no label in any frame, and data\.swap_pairs"):
        read(path, tmp_path, swap_pairs=[["nose", "ear"]])


def test_frames_without_a_label_are_left_out(tmp_path):
    points = np.full((5, 3, 2), 20.0)
    points[3] = np.nan
    corpus = read(made(tmp_path / "in", IMAGES, points), tmp_path)
    assert len(corpus.frames.frames) == len(corpus.frames.points) == 4
    assert corpus.frames_left_out == [(IMAGES[3], "no landmark is labelled")]


def test_what_is_marked_as_not_labelled_has_no_point(tmp_path):
    visible = np.full((5, 3), 2, np.int8)
    visible[0, 1], visible[4, 2] = 0, 1
    corpus = read(made(tmp_path / "in", IMAGES, np.full((5, 3, 2), 20.0), visible=visible), tmp_path)
    assert np.isnan(corpus.frames.points[0, 1]).all() and not np.isnan(corpus.frames.points[4, 2]).any()
    assert np.array_equal(corpus.frames.visible, visible)


def test_a_likelihood_says_nothing_of_a_label(tmp_path):
    path = made(tmp_path / "in", IMAGES, np.full((5, 3, 2), 20.0), likelihood=np.zeros((5, 3)))
    assert not np.isnan(read(path, tmp_path).frames.points).any()


def test_names_in_settings_must_be_landmarks(tmp_path):
    with pytest.raises(DataError, match=r"data\.views names Nose"):
        read(made(tmp_path / "in", IMAGES), tmp_path, views=[["Nose"], ["ear"]])


def test_frames_of_videos_are_planned_with_their_neighbours(tmp_path):
    (tmp_path / "videos" / "day 1").mkdir(parents=True)
    write_video(tmp_path / "videos" / "day 1" / "a.mp4", [np.zeros((48, 64, 3), np.uint8)] * 10, 25)
    path = made(tmp_path / "in", ["day 1/a.mp4:7", "day 1/a.mp4:1", *IMAGES, "gone.mp4:3"])
    with pytest.raises(DataError, match=r"day 1/a\.mp4:7: is a frame of a video.*data\.video_dir"):
        read(path, tmp_path)
    corpus = read(path, tmp_path, video_dir=str(tmp_path / "videos"))
    frame = corpus.frames.frames[0]
    assert (frame.video, frame.number, frame.width, frame.height) == ("day 1/a.mp4", 7, 64, 48)
    assert [path.name for path in frame.context] == [f"img0000000{i}.png" for i in (5, 6, 7, 8, 9)]
    assert frame.image == frame.context[2] == tmp_path / "out" / "frames" / "day 1" / "a.mp4" / "img00000007.png"
    assert [path.name for path in corpus.frames.frames[1].context][:3] == [f"img0000000{i}.png" for i in (0, 0, 1)]
    assert [name for name, _ in corpus.frames_left_out] == ["gone.mp4:3"]


def test_s4_a_video_of_another_resolution_is_not_learned_from(tmp_path):
    videos = tmp_path / "videos"
    videos.mkdir()
    write_video(videos / "same.mp4", [np.zeros((48, 64, 3), np.uint8)] * 3, 25)
    write_video(videos / "other.mp4", [np.zeros((96, 128, 3), np.uint8)] * 3, 25)
    (videos / "broken.mp4").write_bytes(b"no video")
    corpus = read(made(tmp_path / "in", IMAGES), tmp_path, video_dir=str(videos))
    assert [(clip.clip_id, clip.split) for clip in corpus.clips] == [("same", "train")]
    reasons = {one.clip.video: (one.reason, one.detail) for one in corpus.left_out}
    assert reasons["other.mp4"] == (
        "other size than the labelled pictures", "128 x 96 pixels; the labelled pictures have 64 x 48"
    )  # fmt: skip
    assert reasons["broken.mp4"][0] == "damaged video"


def test_splits_come_from_the_column_or_the_list(tmp_path):
    sets = ["train", "validation", "test", "new", ""]
    path = made(tmp_path / "in", IMAGES, sets=sets)
    splits = [frame.split for frame in read(path, tmp_path).frames.frames]
    assert splits == ["train", "val", "test", "new", ""]
    listed = tmp_path / "list.tsv"
    listed.write_text("frame\tsplit\n" + "".join(f"{name}\tval\n" for name in IMAGES[:2]) + "other.png\ttrain\n")
    corpus = read(path, tmp_path, split_list=str(listed))
    assert [frame.split for frame in corpus.frames.frames] == ["val", "val", "", "", ""]
    assert corpus.notes == ["list.tsv names 1 frames that are not labelled (other.png)."]
    listed.write_text(f"frame\tsplit\n{IMAGES[0]}\ttraining set\n")
    with pytest.raises(DataError, match=r"'training set'"):
        read(path, tmp_path, split_list=str(listed))
    listed.write_text(f"frame\tsplit\n{IMAGES[0]}\ttrain\n{IMAGES[0]}\ttest\n")
    with pytest.raises(DataError, match="more than once"):
        read(path, tmp_path, split_list=str(listed))


def test_newly_labelled_frames_stand_by_themselves_with_the_landmarks_in_order(tmp_path):
    path = made(tmp_path / "in", IMAGES)
    points = np.arange(6.0).reshape(1, 3, 2)
    picture(tmp_path / "in" / "later.png")
    new = tmp_path / "in" / "new.csv"
    write_landmark_csv(new, LandmarkTable(("tail", "nose", "ear"), ["later.png"], points))
    frames = read(path, tmp_path, new_source=str(new)).frames
    assert [frame.split for frame in frames.frames] == [""] * 5 + ["new"]
    assert frames.points[5].tolist() == points[0][[1, 2, 0]].tolist()
    write_landmark_csv(new, LandmarkTable(NAMES, [IMAGES[2]], points))
    with pytest.raises(DataError, match=r"img2\.png' is labelled in .*CollectedData\.csv too"):
        read(path, tmp_path, new_source=str(new))
    write_landmark_csv(new, LandmarkTable(("nose", "ear", "fin"), ["later.png"], points))
    with pytest.raises(DataError, match="fin, tail stands in one of them only"):
        read(path, tmp_path, new_source=str(new))


def test_numbered_pictures_have_the_neighbours_that_are_there(tmp_path):
    folder = tmp_path / "in"
    for number in (7, 8, 9, 10, 12):
        picture(folder / f"img{number:02d}.png")
    path = made(folder, ["img09.png", "img12.png", "img07.png"])
    assert all(not frame.context for frame in read(path, tmp_path).frames.frames)
    frames = read(path, tmp_path, numbered=True).frames.frames
    names = [[path.stem for path in frame.context] for frame in frames]
    assert names[0] == ["img07", "img08", "img09", "img10", "img10"]  # there is no 11
    assert names[1] == ["img10", "img12", "img12", "img12", "img12"]
    assert names[2] == ["img07", "img07", "img07", "img08", "img09"]
