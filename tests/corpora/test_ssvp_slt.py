"""SSVP-SLT's folder -> clips with sentences, and their features."""

from pathlib import Path

import numpy as np
import pytest
import small_ssvp_slt
import torch

from sign_recog.corpora.base import Corpus
from sign_recog.corpora.ssvp_slt import read
from sign_recog.errors import ConfigError, DataError

SETTINGS = {"kind": None, "splits": None, "token_ms": 160, "window_tokens": 64, "window_ms": 5120}


def read_folder(folder: Path, **settings) -> Corpus:
    return read(str(folder), folder, **SETTINGS | settings)


@pytest.fixture
def videos(tmp_path) -> Path:
    small_ssvp_slt.write_videos(tmp_path / "how2sign")
    return tmp_path / "how2sign"


@pytest.fixture
def features(tmp_path) -> Path:
    small_ssvp_slt.write_features(tmp_path / "features")
    return tmp_path / "features"


def test_videos_are_found_beside_each_other_and_below_their_prefix(videos):
    corpus = read_folder(videos)
    assert [(clip.clip_id, clip.video, clip.split) for clip in corpus.clips] == [
        ("x-7E2sU6zP4_0-5-rgb_front", "-7E2s/-7E2sU6zP4_0-5-rgb_front.mp4", "train"),
        ("00001-cdefgh", "00001-cdefgh.mp4", "train"),
        ("abc", "abc.mp4", "train"),
        ("00002-efghij", "00002/00002-efghij.mp4", "val"),
        ("00003-ghijkl", "00003/00003-ghijkl.mp4", "test"),
    ]
    assert corpus.clips[0].extra == {"video_name": "-7E2sU6zP4_0-5-rgb_front.mp4", "duration": "1.5"}
    assert all((corpus.video_dir / clip.video).is_file() for clip in corpus.clips)


def test_quotes_and_strange_line_ends_are_part_of_a_sentence(videos):
    texts = {clip.clip_id: clip.text for clip in read_folder(videos).clips}
    assert texts["x-7E2sU6zP4_0-5-rgb_front"] == 'He said "go'
    assert texts["00002-efghij"] == "A line\u2028of two\x0blines"


def test_every_bad_row_is_named_by_file_and_line(videos):
    rows = [
        "two\tcolumns", "a.mp4\t1\tb\tc", "a.mp4\tlong\tText", "a.mp4\tnan\tText", "a.mp4\t-1\tText", "a.mp4\t1\t ",
        "../a.mp4\t1\tText", "\t1\tText", f"{'n' * 240}.mp4\t1\tText",
    ]  # fmt: skip
    (videos / "manifests/val.tsv").write_text("\n".join(rows) + "\n")
    with pytest.raises(DataError) as caught:
        read_folder(videos)
    expected = [
        "9 bad rows", "val.tsv, line 1: has 2 columns instead of 3: video_name, duration, caption",
        "val.tsv, line 2: has 4 columns", "val.tsv, line 3: duration 'long' is no number of seconds",
        "val.tsv, line 4: duration 'nan'", "val.tsv, line 5: duration '-1'", "val.tsv, line 6: the caption is empty",
        "val.tsv, line 7: '../a.mp4' leads out of", "val.tsv, line 8: no file is named",
        "val.tsv, line 9: clip_id 'nnn",
    ]  # fmt: skip
    assert [text for text in expected if text not in str(caught.value)] == []
    (videos / "manifests/val.tsv").write_text(f"abc.mp4\t2\tThe name of a train video\n{'n' * 300}.mp4\t1\tText\n")
    with pytest.raises(DataError, match=r'(?s)line 1: clip "abc" is already that of train.tsv, line 3.*line 2: .nnn'):
        read_folder(videos)


def test_a_header_is_named_as_one(videos):
    path = videos / "manifests/train.tsv"
    path.write_text("video_name\tduration\tcaption\n" + path.read_text())
    with pytest.raises(DataError, match=r"train.tsv, line 1: duration 'duration' .* have no header line"):
        read_folder(videos)


@pytest.mark.parametrize("name", ["한국어 수어", "with space", "two..dots", "n" * 196, "dots.in.it", "it's (1)"])
def test_names_of_all_kinds_are_read(videos, name):
    (videos / "videos" / f"{name}.mp4").write_bytes(b"x")
    (videos / "manifests/val.tsv").write_text(f"{name}.mp4\t1\tText\n")
    (clip,) = [clip for clip in read_folder(videos).clips if clip.split == "val"]
    assert clip.extra["video_name"] == f"{name}.mp4" and (videos / "videos" / clip.video).is_file()


def test_missing_videos_are_left_out_and_counted(videos):
    (videos / "videos/abc.mp4").unlink()
    corpus = read_folder(videos)
    assert len(corpus.clips) == 4
    assert [(one.clip.clip_id, one.reason) for one in corpus.left_out] == [("abc", "missing video")]


def test_some_splits_only(videos):
    assert {clip.split for clip in read_folder(videos, splits=["val"]).clips} == {"val"}
    (videos / "manifests/val.tsv").unlink()
    assert {clip.split for clip in read_folder(videos).clips} == {"train", "test"}
    with pytest.raises(DataError, match=r"has no manifests/val.tsv; manifests/ holds test.tsv, train.tsv"):
        read_folder(videos, splits=["val"])


def test_settings_without_effect_and_unknown_ones_are_refused(videos, features):
    wrong = [
        (videos, {"kind": "frames"}, "kind=frames is none of features, videos"),
        (videos, {"splits": ["dev"]}, r"splits=\['dev'\] may name train, val, test"),
        (videos, {"token_ms": 0}, "token_ms=0"),
        (features, {"boxes": "x.tsv"}, "data.corpus.boxes=x.tsv has no effect"),
        (features, {"video_dir": "x"}, "data.video_dir=x has no effect"),
    ]
    for folder, settings, message in wrong:
        with pytest.raises(ConfigError, match=message):
            read_folder(folder, **settings)


def test_a_folder_of_both_needs_a_choice(videos):
    small_ssvp_slt.write_features(videos / "more")
    (videos / "more/features").rename(videos / "features")
    for path in (videos / "more/manifests").iterdir():
        path.rename(videos / "manifests" / path.name)
    with pytest.raises(ConfigError, match="has manifests of videos and of features"):
        read_folder(videos)
    assert read_folder(videos, kind="videos").features is None
    assert read_folder(videos, kind="features").video_dir is None


def test_a_folder_without_manifests_says_what_is_wanted(tmp_path):
    with pytest.raises(DataError, match=r"has no manifests/train.tsv, .*manifests/ holds nothing"):
        read_folder(tmp_path)


def test_boxes_come_from_a_table(videos, tmp_path):
    (tmp_path / "boxes.csv").write_text("video_name,x0,y0,x1,y1,score\nabc.mp4,1,2,30,40,0.9\nother.mp4,1,2,3,4,1\n")
    corpus = read_folder(videos, boxes=str(tmp_path / "boxes.csv"))
    extra = {clip.clip_id: clip.extra for clip in corpus.clips}
    assert {name: extra["abc"][name] for name in ("x0", "y0", "x1", "y1")} == dict(x0="1", y0="2", x1="30", y1="40")
    assert "x0" not in extra["00001-cdefgh"]
    assert corpus.notes == ["4 of 5 videos have no box in boxes.csv."]
    for text, message in (
        ("video_name,box\nother.mp4,1 2 3 4\n", "names none of the 5 videos"),
        ("video_name,left\nabc.mp4,1\n", "has no column box"),
        ("video_name,box\nabc.mp4,1 2 3 4\nabc.mp4,1 2 3 4\n", "1 videos stand more than once"),
    ):
        (tmp_path / "bad.csv").write_text(text)
        with pytest.raises(DataError, match=message):
            read_folder(videos, boxes=str(tmp_path / "bad.csv"))


def test_features_are_read_from_where_ssvp_slt_looks_for_them(tmp_path):
    tensors = small_ssvp_slt.write_features(tmp_path / "features", copies=3)
    corpus = read_folder(tmp_path / "features")
    assert corpus.video_dir is None and sorted(corpus.augmented) == [1, 2] and len(corpus.clips) == 5
    for clip in corpus.clips:
        for copy, load in {0: corpus.features, **corpus.augmented}.items():
            expected = tensors[clip.extra["video_name"], copy].numpy()
            assert np.array_equal(load(clip).features, expected)
        assert clip.video == "" and int(clip.extra["length"]) == len(expected)
    assert corpus.noticed() == []


def test_a_short_name_is_found_below_the_prefix_of_its_stem_too(features):
    """SSVP-SLT's extraction takes the prefix of the stem, and its data set that of the name with the suffix."""
    path = features / "features/0/abc.m/abc.pt"
    (features / "features/0/abc").mkdir()
    path.rename(features / "features/0/abc/abc.pt")
    assert len(read_folder(features).clips) == 5


def test_s3_other_lengths_than_the_manifest_s_are_reported(features):
    path = features / "manifests/train_features.tsv"
    path.write_text(path.read_text(encoding="utf-8").replace("\t4\t", "\t9.0\t"), encoding="utf-8")
    corpus = read_folder(features)
    for clip in corpus.clips:
        corpus.features(clip)
    (message,) = corpus.noticed()
    assert message.startswith("1 of 5 clips have another length") and "00001-cdefgh 9.0 and 4" in message


def test_s3_unreadable_features_are_no_other_clip_s(features):
    """S3 answers for a file that cannot be read with that of a clip drawn at random, in validation too."""
    (features / "features/0/00002/00002-efghij.pt").write_bytes(b"PK\x03\x04 cut")
    (features / "features/0/00001/00001-cdefgh.pt").unlink()
    corpus = read_folder(features)
    assert [(one.clip.clip_id, one.reason) for one in corpus.left_out] == [("00001-cdefgh", "missing feature file")]
    (clip,) = [clip for clip in corpus.clips if clip.clip_id == "00002-efghij"]
    with pytest.raises(DataError, match=r"00002-efghij.pt: cannot be read"):
        corpus.features(clip)


def test_a_vector_counts_as_one_token(features):
    torch.save(torch.ones(4), features / "features/0/00002/00002-efghij.pt")
    corpus = read_folder(features)
    (clip,) = [clip for clip in corpus.clips if clip.clip_id == "00002-efghij"]
    assert corpus.features(clip).features.shape == (1, 4)
