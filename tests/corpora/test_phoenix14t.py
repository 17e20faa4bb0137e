"""PHOENIX14T in both forms: glosses and text as they stand, whatever characters they hold."""

from collections import Counter

import pytest
from made_videos import pictures, write_made

from sign_recog.corpora import phoenix14t
from sign_recog.errors import DataError

HEADER = "name|video|start|end|speaker|orth|translation"
ROWS = {
    "train": ['01April_heute-1|01April_heute-1/1/*.png|-1|-1|Signer04|REGEN  "loc"-NORD|am "tag" regnet es'],
    "dev": ["02Mai_heute-7|02Mai_heute-7/1/*.png|-1|-1|Signer01|SONNE|die sonne scheint"],
    "test": ["03Juni-2|03Juni-2/1/*.png|-1|-1|Signer05|WIND KOMMEN|es wird windig"],
}


def write_original(folder, rows=ROWS):
    folder.mkdir(parents=True, exist_ok=True)
    for split, lines in rows.items():
        path = folder / f"PHOENIX-2014-T.{split}.corpus.csv"
        path.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize("below", [".", "annotations/manual", "PHOENIX-2014-T/annotations/manual"])
def test_the_corpus_own_files_are_found_and_read(tmp_path, below):
    write_original(tmp_path / below)
    corpus = phoenix14t.read(str(tmp_path), tmp_path, video_dir=None)
    first, second, third = corpus.clips
    assert (first.clip_id, first.split, first.signer) == ("train/01April_heute-1", "train", "Signer04")
    assert (first.text, first.extra["glosses"]) == ('am "tag" regnet es', 'REGEN "loc"-NORD')
    assert (second.clip_id, second.split, third.split) == ("dev/02Mai_heute-7", "val", "test")
    assert corpus.video_dir is None and not corpus.left_out
    assert all(clip.gloss == "" and clip.video == "" for clip in corpus.clips)


def test_both_forms_give_the_same_clips(tmp_path):
    original = phoenix14t.read(str(write_original(tmp_path / "a")), tmp_path, video_dir=None).clips
    (tmp_path / "b").mkdir()
    for split, lines in ROWS.items():
        cells = [line.split("|") for line in lines]
        table = [f"{split}/{c[0]}\t{c[4]}\t{c[5]}\t{c[6]}\t50" for c in cells]
        path = tmp_path / "b" / f"phoenix14t.{split}.tsv"
        path.write_text("\n".join(["name\tsigner\tgloss\ttext\tnum_frames", *table]) + "\n", encoding="utf-8")
    again = phoenix14t.read(str(tmp_path / "b"), tmp_path, video_dir=None).clips
    assert {clip.extra.pop("num_frames") for clip in again} == {"50"}
    assert again == original


def test_empty_text_is_left_out_and_missing_glosses_are_told(tmp_path):
    rows = ROWS | {"test": [*ROWS["test"], "a|v|-1|-1|S|WIND|  ", "b|v|-1|-1|S||text"]}
    corpus = phoenix14t.read(str(write_original(tmp_path, rows)), tmp_path, video_dir=None)
    assert [(one.clip.clip_id, one.reason) for one in corpus.left_out] == [("test/a", "empty text")]
    assert "test/b" in {clip.clip_id for clip in corpus.clips}
    assert any("1 clips are left out: their text is empty (test/a)" in note for note in corpus.notes)
    assert any("1 clips have no glosses (test/b" in note for note in corpus.notes)


def test_a_bar_too_many_is_no_shorter_sentence(tmp_path):
    rows = ROWS | {"test": ["a|v|-1|-1|S|WIND|es | windig"]}
    with pytest.raises(DataError, match=r"line 2: 8 fields, the header has 7: ...' windig'"):
        phoenix14t.read(str(write_original(tmp_path, rows)), tmp_path, video_dir=None)


def test_videos_are_used_where_they_are_and_pictures_are_explained(tmp_path):
    source, videos = write_original(tmp_path / "text"), tmp_path / "videos"
    (videos / "dev").mkdir(parents=True)
    with pytest.raises(DataError, match=r"none of its 3 videos(.|\n)*ffmpeg"):
        phoenix14t.read(str(source), tmp_path, video_dir=str(videos))
    write_made(videos / "dev" / "02Mai_heute-7.mp4", pictures(3))
    write_made(videos / "03Juni-2.mp4", pictures(3))
    corpus = phoenix14t.read(str(source), tmp_path, video_dir=str(videos))
    assert [clip.video for clip in corpus.clips] == ["dev/02Mai_heute-7.mp4", "03Juni-2.mp4"]
    assert [one.reason for one in corpus.left_out] == ["missing video"]


def test_no_annotation_says_what_was_looked_for(tmp_path):
    with pytest.raises(DataError, match=r"PHOENIX-2014-T\.train\.corpus\.csv, phoenix14t\.train\.tsv in: "):
        phoenix14t.read(str(tmp_path), tmp_path, video_dir=None)
    other = tmp_path / "corpus.csv"
    other.write_text(f"{HEADER}\n{ROWS['dev'][0]}\n")
    with pytest.raises(DataError, match="does not say which split"):
        phoenix14t.read(str(other), tmp_path, video_dir=None)


def test_the_official_split_is_read_whole(test_data):
    corpus = phoenix14t.read(str(test_data / "text_phoenix14t"), test_data, video_dir=None)
    assert Counter(clip.split for clip in corpus.clips) == {"train": 7096, "val": 519, "test": 642}
    lines = (test_data / "text_phoenix14t" / "phoenix14t.dev.tsv").read_text(encoding="utf-8").splitlines()[1:]
    expected = [tuple(line.split("\t")[:4]) for line in lines]
    found = [(c.clip_id, c.signer, c.extra["glosses"], c.text) for c in corpus.clips if c.split == "val"]
    assert found == expected


def test_a_row_of_the_official_file_is_read(test_data):
    path = test_data / "pose_files" / "tfds_dummy" / "PHOENIX-2014-T.test.corpus.csv"
    (clip,) = phoenix14t.read(str(path), test_data, video_dir=None).clips
    assert (clip.clip_id, clip.split) == ("test/25October_2010_Monday_tagesschau-17", "test")
    assert clip.extra["glosses"].startswith("REGEN SCHNEE REGION") and clip.text.endswith("ist das klar")
