"""The table of what is used and what is not."""

import csv

import pytest
from small_wlasl import square_frames

from sign_recog.corpora.base import Corpus, LeftOut
from sign_recog.corpora.coverage import coverage, coverage_lines, leave_out_short, without_train_clips, write_left_out
from sign_recog.errors import DataError
from sign_recog.storage.manifest import Clip
from sign_recog.video.writer import write_video


def clip(name, split="train", gloss="a", **more):
    return Clip(name, f"{name}.mp4", split=split, gloss=gloss, **more)


def test_every_annotated_clip_is_kept_or_has_one_reason():
    kept = [clip("1"), clip("2"), clip("3", "val")]
    lost = [LeftOut(clip("4"), "missing video"), LeftOut(clip("5"), "too short"), LeftOut(clip("6"), "missing video")]
    table = coverage(kept, lost)
    assert table == {
        "train": {"annotated": 5, "kept": 2, "left_out": {"missing video": 2, "too short": 1}},
        "val": {"annotated": 1, "kept": 1, "left_out": {}},
        "test": {"annotated": 0, "kept": 0, "left_out": {}},
    }
    assert coverage_lines(table) == {"train": "5 -> 2 clips (missing video 2, too short 1)"}


def test_a_corpus_that_does_not_look_has_no_table():
    assert coverage([clip("1")], None) is None


def test_clips_left_out_before_the_division_stand_apart():
    table = coverage([clip("1")], [LeftOut(clip("2", split=""), "missing video")])
    assert table["undivided"] == {"annotated": 1, "kept": 0, "left_out": {"missing video": 1}}
    assert table["train"]["annotated"] == 1


def test_glosses_that_lost_all_train_clips_are_not_asked_for():
    clips = [clip("1"), clip("2", "val", "b"), clip("3", "test", "c"), clip("4", "test")]
    lost = without_train_clips(clips, [LeftOut(clip("5", gloss="b"), "missing video")])
    assert [one.clip.clip_id for one in lost] == ["2"]  # c never had a train clip: an error of the annotation


def test_the_list_can_be_read_by_any_program(tmp_path):
    write_left_out(
        tmp_path / "left_out.tsv", [LeftOut(clip("b"), "x", "two\nlines\tand a tab"), LeftOut(clip("a"), "y")]
    )
    with (tmp_path / "left_out.tsv").open(newline="") as file:
        rows = list(csv.reader(file, delimiter="\t"))
    assert rows == [
        ["clip_id", "split", "reason", "detail"],
        ["a", "train", "y", ""],
        ["b", "train", "x", "two lines and a tab"],
    ]


@pytest.fixture
def videos(tmp_path):
    for name, length in {"long": 30, "short": 5}.items():
        write_video(tmp_path / f"{name}.mp4", square_frames(0, length, (64, 48)), 25)
    (tmp_path / "broken.mp4").write_bytes(b"x")
    return tmp_path


def test_short_and_unreadable_clips_are_left_out_of_any_corpus_with_videos(videos):
    part = Clip("part", "long.mp4", start_s=0.4, end_s=0.6, split="train")
    corpus = Corpus([clip("long"), clip("short"), clip("broken"), clip("gone"), part], videos)
    leave_out_short(corpus, videos, 6)
    assert [c.clip_id for c in corpus.clips] == ["long"]
    found = {one.clip.clip_id: (one.reason, one.detail) for one in corpus.left_out}
    assert found["short"] == ("too short", "5 of 6 frames") and found["part"] == ("too short", "5 of 6 frames")
    assert found["broken"][0] == found["gone"][0] == "unreadable video" and "broken.mp4" in found["broken"][1]


def test_frames_that_a_reader_has_counted_are_not_counted_again(tmp_path):
    corpus = Corpus([clip("1"), clip("2")], tmp_path, num_frames={"1": 9, "2": 10})  # there are no videos at all
    leave_out_short(corpus, tmp_path, 10)
    assert [c.clip_id for c in corpus.clips] == ["2"]


def test_a_corpus_of_short_clips_only_is_refused(videos):
    with pytest.raises(DataError, match=r"No clip has data.min_frames=100 frames"):
        leave_out_short(Corpus([clip("long")], videos), videos, 100)
