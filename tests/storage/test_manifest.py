"""The manifest: a round trip, and every bad line named at once."""

import pytest

from sign_recog.errors import DataError
from sign_recog.storage.manifest import Clip, check_clip_id, inside, read_manifest, read_table, write_manifest


def test_round_trip_keeps_extra_columns_and_awkward_text(tmp_path):
    clips = [
        Clip("a/1", "v/a 1.mp4", 0.5, 2.25, "train", "S1", 'quote"d', "cat", "tab\there\nand line", {"occluded": "1"}),
        Clip("clip_0089_how are you", split="val", gloss="안녕"),
    ]
    write_manifest(tmp_path / "manifest.tsv", clips)
    back = read_manifest(tmp_path / "manifest.tsv")
    clips[1].extra = {"occluded": ""}
    assert back == clips


def test_all_bad_lines_are_named(tmp_path):
    path = tmp_path / "manifest.tsv"
    path.write_text(
        "clip_id\tsplit\tstart_s\tend_s\n"
        "a\ttrain\t0\t1\n"
        "../b\ttrain\t0\t1\n"
        "c\tdev\t0\t1\n"
        "d\tval\t2\t1\n"
        "e\tval\tx\t1\n"
        "a\ttest\t0\t1\n"
    )
    with pytest.raises(DataError) as caught:
        read_manifest(path)
    text = str(caught.value)
    assert "5 bad lines" in text
    for words in ("line 3: clip_id '../b'", "line 4: split 'dev'", "line 5: end_s=1", "line 6: start_s='x'"):
        assert words in text
    assert 'line 7: clip "a" stands already in line 2' in text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("clip_id\tgloss\na\tb\n", "lacks the column split"),
        ("", "lacks the column clip_id, split"),
        ("clip_id\tsplit\n", "has a header but no rows"),
    ],
)
def test_a_table_that_cannot_serve_says_why(tmp_path, content, words):
    path = tmp_path / "manifest.tsv"
    path.write_text(content)
    with pytest.raises(DataError, match=words):
        read_manifest(path)


def test_a_missing_table_says_so(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_table(tmp_path / "none.csv", ())


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_bytes("\ufefffile,gloss\r\na,1\r\n".encode())
    assert read_table(path, ("file", "gloss")) == [{"file": "a", "gloss": "1"}]


@pytest.mark.parametrize("name", ["", "..", "../a", "a/../b", "/etc/passwd", "a//b", ".hidden", "a/.b", "a\\b", "a\nb"])
def test_names_that_could_leave_the_folder_are_refused(name):
    with pytest.raises(ValueError, match="not a plain name"):
        check_clip_id(name)


def test_a_video_outside_its_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match="leads out of"):
        inside(tmp_path, "../../etc/passwd")
    with pytest.raises(DataError, match="leads out of"):
        inside(tmp_path, "/etc/passwd")


def test_links_that_the_user_laid_are_followed(tmp_path):
    (tmp_path / "archive").mkdir()
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "videos").symlink_to(tmp_path / "archive")
    assert inside(tmp_path / "corpus", "videos/a.mp4") == tmp_path / "corpus/videos/a.mp4"


@pytest.mark.parametrize("name", ["नमस्ते", "안녕 1", "a.b-c_d/e f", "clip_0089_how are you"])
def test_letters_of_any_script_are_plain_names(name):
    check_clip_id(name)


def test_a_folder_may_be_given_by_a_way_around(tmp_path):
    (tmp_path / "corpus").mkdir()
    (tmp_path / "here").mkdir()
    folder = tmp_path / "here" / ".." / "corpus"
    assert inside(folder, "a/b.mp4") == folder / "a/b.mp4"
    assert inside(folder, str(tmp_path / "corpus/b.mp4")) == folder / "b.mp4"


def test_times_late_in_a_long_video_keep_their_milliseconds(tmp_path):
    """Written with six digits, clips of a recording of hours moved by frames, or ended before they began."""
    clips = [Clip("a", start_s=12345.621, end_s=12345.648, split="train"), Clip("b", start_s=1 / 3, split="train")]
    write_manifest(tmp_path / "manifest.tsv", clips)
    first, second = read_manifest(tmp_path / "manifest.tsv")
    assert (first.start_s, first.end_s) == (12345.621, 12345.648)
    assert second.start_s == pytest.approx(1 / 3, abs=1e-9)


def test_quotes_in_sentences_lose_nothing_or_are_refused(tmp_path):
    """Python's csv module silently drops the quotes of a field that goes on behind them, or swallows the next rows."""
    path = tmp_path / "sentences.tsv"
    for text, lines in (('"Hi," he said.', "line 2"), ('"never closed', "lines 2 to 3")):
        path.write_text(f"name\ttext\na\t{text}\nb\tnext\n")
        assert [row["text"] for row in read_table(path, ("text",), quotes=False)] == [text, "next"]
        with pytest.raises(DataError, match=rf"{lines}: (.|\n)*data\.corpus\.quotes=false"):
            read_table(path, ("text",))
    path.write_text('name\ttext\na\tit is 5" wide\nb\t"a ""b""\tc"\n')
    assert [row["text"] for row in read_table(path, ("text",))] == ['it is 5" wide', 'a "b"\tc']


@pytest.mark.parametrize("quotes", [True, False])
def test_a_tab_in_a_sentence_does_not_shorten_it(tmp_path, quotes):
    path = tmp_path / "sentences.tsv"
    path.write_text("name\ttext\na\tone\nb\ttwo\tthree\nc\tfour\t\t\n")
    with pytest.raises(
        DataError, match=r"1 rows have a tab too many(.|\n)*line 3: 3 fields, the header has 2: ...'three'"
    ):
        read_table(path, ("text",), quotes=quotes)
    path.write_text("name\ttext\na\tone\nc\tfour\t\t\n")  # spreadsheets leave empty cells behind
    assert [row["text"] for row in read_table(path, ("text",), quotes=quotes)] == ["one", "four"]


def test_the_delimiter_can_be_given(tmp_path):
    path = tmp_path / "corpus.csv"
    path.write_text("name|text\na|one, two\n")
    assert read_table(path, ("text",), delimiter="|", quotes=False) == [{"name": "a", "text": "one, two"}]
