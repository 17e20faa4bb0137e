"""Names in annotations -> names the manifest accepts."""

import pytest

from sign_recog.corpora.annotation import rows_to_clips, to_clip_id, to_relative, to_seconds, to_split
from sign_recog.errors import DataError
from sign_recog.storage.manifest import Clip, check_clip_id


@pytest.mark.parametrize(
    ("name", "split"),
    [("train", "train"), ("Training", "train"), ("DEV", "val"), ("validation", "val"), ("Testing", "test"), ("", "")],
)
def test_split_names_in_use_are_understood(name, split):
    assert to_split(name) == split


def test_other_split_names_are_refused():
    with pytest.raises(ValueError, match="'trial' is none of train"):
        to_split("trial")


@pytest.mark.parametrize(("text", "seconds"), [("0", 0), ("1.25", 1.25), ("2:03", 123), ("1:02:03.5", 3723.5)])
def test_times_are_read_as_seconds(text, seconds):
    assert to_seconds(text) == seconds


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "1e3", "1,5", "1:2:3:4", "", "soon"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match="is not a time"):
        to_seconds(text)


@pytest.mark.parametrize(
    "name",
    [
        "clip_0089_how are you",
        "don't know",
        "_background",
        "a..b/../c",
        ".hidden",
        "../../etc/passwd",
        "안녕/하세요",
        "नमस्ते",
        "tab\there",
        "",
        "/",
        "~root",
        "-rf",
    ],
)
def test_any_name_becomes_a_clip_id(name):
    check_clip_id(to_clip_id(name))


@pytest.mark.parametrize("name", ["clip_0089_how are you", "안녕하세요/01", "a.b-c_d"])
def test_good_names_stay_as_they_are(name):
    assert to_clip_id(name) == name


def test_paths_of_windows_and_absolute_paths_become_relative(tmp_path):
    assert to_relative(tmp_path, "a\\b.mp4") == "a/b.mp4"
    assert to_relative(tmp_path, "./a/../b.mp4") == "b.mp4"
    assert to_relative(tmp_path, str(tmp_path / "a" / "b.mp4")) == "a/b.mp4"


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "..\\..\\etc\\passwd", "a/../../x.mp4"])
def test_no_name_leads_out_of_the_folder(tmp_path, name):
    with pytest.raises(DataError, match="leads out of"):
        to_relative(tmp_path, name)


def test_all_bad_rows_are_reported_together(tmp_path):
    rows = [{"id": "a"}, {"id": ".b"}, {"id": "a"}, {"id": "c" * 300}]
    with pytest.raises(DataError) as caught:
        rows_to_clips(tmp_path / "t.csv", rows, lambda row: Clip(row["id"]))
    message = str(caught.value)
    assert "3 bad rows" in message
    assert "line 3: clip_id '.b'" in message
    assert 'line 4: clip "a" is already that of line 2' in message
    assert "line 5: clip_id 'ccc" in message and "300 bytes" in message
