"""run=prepare on labelled frames: divided, taken out of their videos exactly, written beside the manifest."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from conftest import load_config
from made_videos import pictures

from sign_recog.errors import ConfigError, DataError
from sign_recog.stages import prepare as preparation
from sign_recog.stages import prepare_frames
from sign_recog.stages.run_folder import corpus_dir
from sign_recog.storage.corpus import open_corpus
from sign_recog.storage.labelled_frames import open_frames
from sign_recog.storage.landmark_csv import LandmarkTable, write_landmark_csv
from sign_recog.video.pictures import png, read_picture
from sign_recog.video.reader import read_frames
from sign_recog.video.writer import write_video

NAMES = ("nose", "ear")


@pytest.fixture
def originals(tmp_path) -> Path:
    """Five videos of 12 frames; of each, frames 0, 5 and 11 are labelled; and five pictures."""
    folder = tmp_path / "originals"
    (folder / "videos").mkdir(parents=True)
    index = []
    for number in range(5):
        write_video(folder / "videos" / f"v{number}.mp4", [np.roll(p, number, 0) for p in pictures(12)], 25)
        index += [f"v{number}.mp4:{frame}" for frame in (0, 5, 11)]
    for number in range(5):
        (folder / f"img{number}.png").write_bytes(png(pictures(1)[0]))
        index.append(f"img{number}.png")
    label(folder, index)
    return folder


def label(folder, index, **columns):
    points = np.random.default_rng(0).uniform(0, 47, (len(index), 2, 2))
    write_landmark_csv(folder / "labels.csv", LandmarkTable(NAMES, index, points, **columns))


def prepare(originals, tmp_path, *overrides):
    config = load_config(
        "run=prepare", "data=pose_csv", f"data.source={originals / 'labels.csv'}",
        f"data.video_dir={originals / 'videos'}", f"paths.data_root={tmp_path / 'data'}",
        f"paths.output_root={tmp_path / 'out'}", *overrides,
    )  # fmt: skip
    result = preparation.run(config)
    return corpus_dir(config), result


def test_frames_are_taken_out_of_their_videos_bit_for_bit(originals, tmp_path):
    folder, result = prepare(originals, tmp_path)
    frames = open_frames(folder)
    assert len(frames.frames) == 20 and len(open_corpus(folder).clips) == 5
    for video in range(5):
        shown = [frame.image for frame in read_frames(originals / "videos" / f"v{video}.mp4")]
        for frame in frames.frames[3 * video : 3 * video + 3]:
            around = [min(max(frame.number + step, 0), 11) for step in range(-2, 3)]
            for path, number in zip(frame.context, around, strict=True):
                assert np.array_equal(read_picture(path), shown[number])
            assert np.array_equal(read_picture(frame.image), shown[frame.number])
    assert result.summary["train labelled frames"] == 16


def test_a_second_setting_shares_what_was_taken_out_and_a_repeated_one_decodes_nothing(
    originals, tmp_path, monkeypatch
):
    prepare(originals, tmp_path)
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "data").rglob("*.png")}
    assert len(times) == 5 * 13  # 0 1 2, 3 4 5 6 7, 9 10 11, and twice the last for what is beyond the end
    monkeypatch.setattr(prepare_frames, "read_chosen", lambda *_: pytest.fail("decoded again"))
    prepare(originals, tmp_path, "data.split.seed=7")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "data").rglob("*.png")} == times


def test_a_killed_preparation_goes_on_where_it_was(originals, tmp_path, monkeypatch):
    written, whole = [], prepare_frames.atomic.write_bytes

    def dies(path, content):
        if len(written) == 20:
            raise KeyboardInterrupt
        written.append(path)
        whole(path, content)

    monkeypatch.setattr(prepare_frames.atomic, "write_bytes", dies)
    with pytest.raises(KeyboardInterrupt):
        prepare(originals, tmp_path)
    assert not list((tmp_path / "data").rglob("corpus.json"))
    monkeypatch.setattr(prepare_frames.atomic, "write_bytes", whole)
    folder, _ = prepare(originals, tmp_path)
    assert all(path.is_file() for frame in open_frames(folder).frames for path in (frame.image, *frame.context))


def test_a_frame_beyond_its_videos_end_is_left_out_by_name(originals, tmp_path):
    label(originals, ["v0.mp4:12", "v0.mp4:3", "v1.mp4:3", "v2.mp4:3", *(f"img{i}.png" for i in range(5))])
    folder, _ = prepare(originals, tmp_path, "data.split.val_share=0.4")
    assert [frame.frame_id for frame in open_frames(folder).frames][:3] == ["v0.mp4:3", "v1.mp4:3", "v2.mp4:3"]
    left_out = (folder / "frames_left_out.tsv").read_text().splitlines()
    assert left_out[1] == "v0.mp4:12\tv0.mp4 has 12 frames, counted from 0, so there is no frame 12."
    assert json.loads((folder / "corpus.json").read_text())["frames"]["left_out"] == 1


def test_shares_are_of_frames_and_follow_from_the_seed(originals, tmp_path):
    def split_of(seed):
        folder, _ = prepare(originals, tmp_path, "data.split.val_share=0.25", f"data.split.seed={seed}")
        return {frame.frame_id: frame.split for frame in open_frames(folder).frames}

    first = split_of(1)
    assert Counter(first.values()) == {"train": 13, "val": 5, "test": 2}
    assert first == split_of(1) != split_of(2)


def test_videos_can_be_kept_apart(originals, tmp_path):
    label(originals, [f"v{number}.mp4:{frame}" for number in range(5) for frame in (0, 5, 11)])
    folder, _ = prepare(originals, tmp_path, "data.split.strategy=video_disjoint", "data.split.val_share=0.2")
    videos = {
        split: {f.video for f in open_frames(folder).of_split(split).frames} for split in ("train", "val", "test")
    }
    assert all(videos.values()) and sum(map(len, videos.values())) == len(set().union(*videos.values()))
    assert "more than one split" not in (folder / "corpus.json").read_text()


def test_a_given_list_divides_and_a_frame_without_a_split_is_named(originals, tmp_path):
    listed = tmp_path / "split.csv"
    names = ["v0.mp4:0", "v1.mp4:5", "img0.png"]
    label(originals, names)
    listed.write_text(
        "frame,split\n" + "".join(f"{n},{s}\n" for n, s in zip(names, ("train", "val", "test"), strict=True))
    )
    given = ("data.split.strategy=given", f"data.split_list={listed}")
    folder, _ = prepare(originals, tmp_path, *given)
    assert [frame.split for frame in open_frames(folder).frames] == ["train", "val", "test"]
    label(originals, [*names, "img1.png"])
    with pytest.raises(DataError, match=r"1 of 4 labelled frames have no split \(the first: img1\.png\)"):
        prepare(originals, tmp_path, *given, "data.split.seed=2")


def test_newly_labelled_frames_are_not_divided(originals, tmp_path):
    new = originals / "new.csv"
    write_landmark_csv(new, LandmarkTable(NAMES, ["v4.mp4:7"], np.full((1, 2, 2), 5.0)))
    folder, result = prepare(originals, tmp_path, f"data.new_source={new}")
    assert [frame.frame_id for frame in open_frames(folder).of_split("new").frames] == ["v4.mp4:7"]
    assert result.summary["new labelled frames"] == 1


def test_one_labelled_frame_is_refused_in_one_message(originals, tmp_path):
    label(originals, ["img0.png"])
    with pytest.raises(DataError, match=r"val has none of the 1 labelled frames: train 1\. Label more"):
        prepare(originals, tmp_path)


def test_a_landmark_that_train_lacks_is_told(originals, tmp_path):
    points = np.full((3, 2, 2), 5.0)
    points[0, 1] = np.nan
    table = LandmarkTable(NAMES, [f"img{i}.png" for i in range(3)], points, sets=["train", "val", "test"])
    write_landmark_csv(originals / "labels.csv", table)
    folder, _ = prepare(originals, tmp_path, "data.split.strategy=given")
    warnings = json.loads((folder / "corpus.json").read_text())["warnings"]
    assert "train has no label of ear, so it cannot be learned." in warnings


def test_frames_need_no_videos(originals, tmp_path):
    label(originals, [f"img{i}.png" for i in range(5)])
    folder, _ = prepare(originals, tmp_path, "data.video_dir=null", "data.split.val_share=0.2")
    assert open_corpus(folder).clips == [] and open_corpus(folder).video_dir is None
    assert len(open_frames(folder).frames) == 5


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.split.strategy=signer_disjoint", "labelled frames know no signers"),
        ("data.split_list=x.csv", "has no effect with data.split.strategy=random"),
        ("data.swap_pairs=[[a]]", "which is no pair"),
        ("data.clip_size=64", "data.clip_size=64 has no effect on labelled frames. Use data.clip_size=null"),
        ("data.split.drop_partial_glosses=true", "has no effect on labelled frames"),
    ],
)
def test_settings_without_effect_are_refused(originals, tmp_path, override, message):
    with pytest.raises(ConfigError, match=message):
        prepare(originals, tmp_path, override)


def test_the_real_example_is_prepared(test_data, tmp_path):
    """Lightning Pose's own figures for its example: 72, 9 and 9 frames; the two views show seven points each."""
    source = test_data / "mirror_mouse_example"
    parts = ["paw1LH", "paw2LF", "paw3RF", "paw4RH", "tailBase", "tailMid", "nose"]
    views = [f"[{','.join(f'{part}_{view}' for part in parts)}]" for view in ("top", "bot")]
    config = load_config(
        "run=prepare", "data=pose_csv", f"data.source={source / 'CollectedData.csv'}",
        f"data.video_dir={source / 'videos'}", f"data.views=[{','.join(views)}]", f"paths.data_root={tmp_path}",
    )  # fmt: skip
    preparation.run(config)
    frames = open_frames(corpus_dir(config))
    assert Counter(frame.split for frame in frames.frames) == {"train": 72, "val": 9, "test": 9}
    assert frames.landmarks.view_index.shape == (2, 7)
    assert not list((tmp_path / "my_landmarks").rglob("*.png"))  # originals are only read
