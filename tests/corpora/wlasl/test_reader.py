"""WLASL's folder -> clips: where files are looked for, which of them decides what, and what is refused."""

import json
import shutil

import numpy as np
import pytest
from small_wlasl import real_splits, square_frames, write_small_wlasl

from sign_recog.corpora.wlasl import read
from sign_recog.errors import ConfigError, DataError
from sign_recog.video.reader import read_frames
from sign_recog.video.writer import write_video


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A small folder; tests copy it before they change anything."""
    return write_small_wlasl(tmp_path_factory.mktemp("made"), 2, (2, 1, 1), boxes=True)


@pytest.fixture
def wlasl(made, tmp_path):
    """The folder's copy: S2's layout, ``splits`` beside the videos, with all annotation files."""
    shutil.copytree(made.splits.parent, tmp_path / "data")
    return tmp_path / "data"


def read_from(folder, source=None, subset=100):
    return read(source, folder / "prepared", video_dir=str(folder / "WLASL2000"), subset=subset)


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def reasons(corpus):
    return {one.clip.clip_id: one.reason for one in corpus.left_out}


def first_of(made):
    return next(iter(made.entries.items()))


def test_clips_are_the_annotated_frames(made, wlasl):
    corpus = read_from(wlasl)
    assert {clip.clip_id for clip in corpus.clips} == set(made.entries)
    for clip in corpus.clips:
        entry = made.entries[clip.clip_id]
        _, first, last = entry["action"]
        assert (clip.split, clip.extra["first_frame"], clip.extra["last_frame"]) == (entry["subset"], "1", str(last))
        path = corpus.video_dir / clip.video
        frames = [f.image for f in read_frames(path, start_s=clip.start_s, end_s=clip.end_s)]
        assert len(frames) == last - first + 1 == corpus.num_frames[clip.clip_id]
        assert np.array_equal(frames, [f.image for f in read_frames(path)][first - 1 : last])


def test_videos_that_stay_the_same_are_opened_once(made, wlasl, monkeypatch):
    from sign_recog.corpora.wlasl import reader

    opened = []
    monkeypatch.setattr(reader, "probe", opened.append)
    first = read_from(wlasl)
    assert len(opened) == len(made.entries)
    assert read_from(wlasl) == first and len(opened) == len(made.entries)
    changed = wlasl / "WLASL2000" / f"{next(iter(made.entries))}.mp4"
    write_video(changed, square_frames(0, 60, (64, 48)), 30)
    assert read_from(wlasl) != first and opened[len(made.entries) :] == [changed]


def test_names_boxes_and_signers_come_from_the_other_file(made, wlasl):
    corpus = read_from(wlasl)
    assert all(clip.extra["box"] == "8 4 88 68" and clip.signer in "0123" for clip in corpus.clips)
    listed = json.loads((wlasl / "splits" / "WLASL_v0.3.json").read_text())
    glosses = {i["video_id"]: item["gloss"] for item in listed for i in item["instances"]}
    assert {clip.clip_id: clip.gloss for clip in corpus.clips} == {name: glosses[name] for name in made.entries}
    assert any("nslt_100.json" in note for note in corpus.notes)
    assert any(
        "WLASL_v0.3.json" in note and f"{len(made.entries)} of {len(made.entries)}" in note for note in corpus.notes
    )


def test_the_other_file_alone_gives_the_same_clips(made, wlasl):
    both = read_from(wlasl).clips
    (wlasl / "splits" / "nslt_100.json").unlink()
    alone = read_from(wlasl)
    assert sorted(alone.clips, key=lambda c: c.clip_id) == sorted(both, key=lambda c: c.clip_id)
    (wlasl / "splits" / "WLASL_v0.3.json").rename(wlasl / "splits" / "asl100.json")
    assert read_from(wlasl).clips == alone.clips


def test_without_the_other_file_names_are_those_of_the_class_list(made, wlasl):
    named = {clip.clip_id: clip.gloss for clip in read_from(wlasl).clips}
    (wlasl / "splits" / "WLASL_v0.3.json").unlink()
    corpus = read_from(wlasl)
    assert {clip.clip_id: clip.gloss for clip in corpus.clips} == named
    assert {clip.signer for clip in corpus.clips} == {""} and "box" not in corpus.clips[0].extra
    (wlasl / "splits" / "wlasl_class_list.txt").unlink()
    corpus = read_from(wlasl)
    assert {clip.gloss for clip in corpus.clips} == {"0", "1"}
    assert any("called by their numbers" in note for note in corpus.notes)


@pytest.mark.parametrize("place", ["WLASL2000", "WLASL2000/splits", ".", "splits"])
def test_s2_any_folder_works(made, wlasl, tmp_path, place):
    """S2 read and wrote ~/Code/SLR only."""
    target = wlasl / place
    target.mkdir(exist_ok=True)
    for path in (wlasl / "splits").glob("*.*"):
        if path.parent != target:
            path.rename(target / path.name)
    anywhere = tmp_path / "some where/else"
    shutil.move(wlasl, anywhere)
    corpus = read_from(anywhere)
    assert len(corpus.clips) == len(made.entries) and corpus.video_dir == anywhere / "WLASL2000"


def test_videos_may_lie_in_a_folder_of_their_own(made, wlasl):
    (wlasl / "WLASL2000").rename(wlasl / "videos")
    corpus = read(None, wlasl, video_dir=str(wlasl), subset=100)
    assert {clip.video for clip in corpus.clips} == {f"videos/{name}.mp4" for name in made.entries}


@pytest.mark.parametrize("name", ["nslt_100.json", "WLASL_v0.3.json", "."])
def test_the_annotation_may_be_named(made, wlasl, tmp_path, name):
    (wlasl / "splits").rename(tmp_path / "elsewhere")
    corpus = read_from(wlasl, source=str(tmp_path / "elsewhere" / name))
    assert len(corpus.clips) == len(made.entries) and corpus.clips[0].extra["box"]


def test_a_larger_subsets_file_holds_the_smaller_one(made, wlasl):
    def add(content):
        content["99999"] = {"subset": "train", "action": [1234, 1, 40]}

    edit(wlasl / "splits" / "nslt_100.json", add)
    (wlasl / "splits" / "nslt_100.json").rename(wlasl / "splits" / "nslt_2000.json")
    corpus = read_from(wlasl)
    assert {clip.clip_id for clip in corpus.clips} == set(made.entries) and reasons(corpus) == {}


def test_the_real_nslt_100_is_a_part_of_the_real_nslt_2000(tmp_path):
    """What the reader relies on where only the larger file is there; and the published 1442 / 338 / 258."""
    splits = real_splits()
    if splits is None:
        pytest.skip("no real data: set SIGN_RECOG_TEST_DATA to the folder of splits_wlasl")
    found = []
    for name in ("nslt_100.json", "nslt_2000.json"):
        folder = tmp_path / name / "videos"
        folder.mkdir(parents=True)
        write_video(folder / "05237.mp4", square_frames(77, 55, (64, 48)), 25)
        shutil.copy(splits / name, folder)
        corpus = read(None, folder, video_dir=str(folder), subset=100)
        clips = corpus.clips + [one.clip for one in corpus.left_out]
        found.append({(clip.clip_id, clip.split, clip.gloss, clip.extra["last_frame"]) for clip in clips})
        counts = [sum(clip.split == split for clip in clips) for split in ("train", "val", "test")]
        assert counts == [1442, 338, 258] and [clip.clip_id for clip in corpus.clips] == ["05237"]
    assert found[0] == found[1]


def test_s2_every_clip_that_is_not_used_has_a_reason(made, wlasl):
    """S2's preprocessing dropped clips, and scores did not say how many."""
    names = list(made.entries)
    videos = wlasl / "WLASL2000"
    (videos / f"{names[0]}.mp4").unlink()
    (videos / f"{names[1]}.mp4").write_bytes(b"no video")
    content = (videos / f"{names[2]}.mp4").read_bytes()
    (videos / f"{names[2]}.mp4").write_bytes(content[: len(content) // 2])
    write_audio(videos / f"{names[3]}.mp4")

    def change(entries):
        entries[names[4]]["action"][1:] = [500, 620]
        entries[names[5]]["action"][1:] = [9, 4]
        entries[names[6]]["action"][2] = 90

    edit(wlasl / "splits" / "nslt_100.json", change)
    corpus = read_from(wlasl)
    assert reasons(corpus) == {
        names[0]: "missing video",
        names[1]: "unreadable video",
        names[2]: "unreadable video",
        names[3]: "unreadable video",
        names[4]: "range past the end",
        names[5]: "bad frame range",
    }
    details = {one.clip.clip_id: one.detail for one in corpus.left_out}
    assert "holds no video" in details[names[3]] and "500 to 620" in details[names[4]]
    kept = {clip.clip_id: clip for clip in corpus.clips}
    assert set(kept) == set(names[6:]) and "early" in kept[names[6]].extra["range_note"]
    assert kept[names[6]].end_s is None and any("1 videos end before" in note for note in corpus.notes)


def write_audio(path):
    import av

    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), format="fltp", layout="mono")
        frame.rate = 16000
        for packet in [*stream.encode(frame), *stream.encode()]:
            container.mux(packet)


def test_odd_sizes_and_single_frames_are_read(made, wlasl):
    """One odd-sized video, one as it was, one of one frame."""
    names = list(made.entries)[:3]
    videos = wlasl / "WLASL2000"
    write_odd(videos / f"{names[0]}.mp4")
    write_video(videos / f"{names[2]}.mp4", square_frames(0, 1, (64, 48)), 25)

    def change(entries):
        for name, last in zip(names, (20, 30, 1), strict=True):
            entries[name]["action"][1:] = [1, last]

    edit(wlasl / "splits" / "nslt_100.json", change)
    corpus = read_from(wlasl)
    assert [corpus.num_frames[name] for name in names] == [20, 30, 1] and corpus.left_out == []


def write_odd(path):
    """A video of 65 x 49 pixels, which MJPEG can hold."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 65, 49, "yuvj444p"
        for image in square_frames(0, 20, (65, 49)):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def test_where_nothing_is_found_every_place_is_named(wlasl):
    shutil.rmtree(wlasl / "splits")
    with pytest.raises(DataError, match="No annotation of WLASL100") as error:
        read_from(wlasl)
    for place in ("WLASL2000", "WLASL2000/splits", "", "splits"):
        assert str(wlasl / place) in str(error.value)
    assert "data.source" in str(error.value) and "nslt_100.json" in str(error.value)


def test_an_unknown_subset_is_named(wlasl):
    for name in ("WLASL_v0.3.json", "nslt_100.json"):
        (wlasl / "splits" / name).rename(wlasl / "splits" / f"other_{name}")
    with pytest.raises(DataError, match=r"No annotation of WLASL150(.|\n)*nslt_150.json"):
        read_from(wlasl, subset=150)
    with pytest.raises(ConfigError, match=r"subset=0 must be a number of glosses: 100, 300"):
        read_from(wlasl, subset=0)


def test_no_folder_of_videos_or_one_without_them_is_said(wlasl, tmp_path):
    with pytest.raises(ConfigError, match=r"data.video_dir=FOLDER"):
        read(None, tmp_path, video_dir=None, subset=100)
    for path in (wlasl / "WLASL2000").iterdir():
        path.unlink()
    with pytest.raises(DataError, match=r"None of the \d+ videos of WLASL100 is in .*WLASL2000"):
        read_from(wlasl)


@pytest.mark.parametrize("name", ["nslt_100.json", "WLASL_v0.3.json"])
def test_damaged_json_is_located(wlasl, name):
    path = wlasl / "splits" / name
    path.write_text(path.read_text()[:200].replace(",", ",\n", 3))
    with pytest.raises(DataError, match=rf"{name}, line \d+, column \d+: is no JSON"):
        read_from(wlasl)


@pytest.mark.parametrize(
    ("name", "entry", "words"),
    [
        ("../../etc/passwd", {"subset": "train", "action": [0, 1, 40]}, "plain name"),
        ("a/b", {"subset": "train", "action": [0, 1, 40]}, "is a path"),
        ("5", {"subset": "practice", "action": [0, 1, 40]}, "'practice' is none of"),
        ("5", {"subset": "train", "action": [0, 1]}, "first frame, last frame"),
        ("5", {"subset": "train", "action": [0, "1", 40]}, "first frame, last frame"),
        ("5", {"action": [0, 1, 40]}, "split None"),
        ("5", {"subset": "train", "action": [-1, 1, 40]}, "class -1"),
        ("5", [], "action=None"),
    ],
)
def test_bad_entries_are_named(wlasl, name, entry, words):
    edit(wlasl / "splits" / "nslt_100.json", lambda content: content.update({name: entry}))
    with pytest.raises(DataError, match=r"nslt_100.json: 1 bad entries") as error:
        read_from(wlasl)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"bbox": [1, 2, 3]}, "bbox"),
        ({"frame_start": "1"}, "frame_start='1'"),
        ({"video_id": "../x"}, "plain name"),
        ({"split": "practice"}, "practice"),
    ],
)
def test_bad_instances_are_named(wlasl, change, words):
    edit(wlasl / "splits" / "WLASL_v0.3.json", lambda content: content[1]["instances"][0].update(change))
    with pytest.raises(DataError, match=r"WLASL_v0.3.json: 1 bad entries") as error:
        read_from(wlasl)
    assert words in str(error.value) and "instance 0" in str(error.value)


@pytest.mark.parametrize("content", ["[]", "{}", '{"a": 1}', '["x"]', "3"])
def test_a_file_of_another_form_is_refused(wlasl, content):
    (wlasl / "splits" / "nslt_100.json").write_text(content)
    with pytest.raises(DataError, match=r"nslt_100.json: (is not of the form|1 bad entries)"):
        read_from(wlasl)


def test_a_class_list_that_is_too_short_is_refused(wlasl):
    (wlasl / "splits" / "WLASL_v0.3.json").unlink()
    (wlasl / "splits" / "wlasl_class_list.txt").write_text("0\tbook\n")
    with pytest.raises(DataError, match=r"names 1 glosses, and the annotation has 1 classes beyond them \(1\)"):
        read_from(wlasl)
    (wlasl / "splits" / "wlasl_class_list.txt").write_text("book\n")
    with pytest.raises(DataError, match="line 1: 'book' is not a number, a tab and a gloss"):
        read_from(wlasl)


def test_a_made_up_annotation_needs_no_other_data(tmp_path):
    """The smallest corpus that can be read: one file of our own."""
    entries = {f"clip{i}": {"subset": s, "action": [0, 1, 12]} for i, s in enumerate(["train", "validation", "dev"])}
    (tmp_path / "nslt_7.json").write_text(json.dumps(entries))
    for name in entries:
        write_video(tmp_path / f"{name}.mp4", square_frames(0, 14, (64, 48)), 25)
    corpus = read(None, tmp_path, video_dir=str(tmp_path), subset=7)
    assert [clip.split for clip in corpus.clips] == ["train", "val", "val"]
    assert set(corpus.num_frames.values()) == {12} and any("1 of the 7 glosses" in note for note in corpus.notes)
