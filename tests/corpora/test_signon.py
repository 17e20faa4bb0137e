"""samples.csv and clips/ -> clips."""

import pytest

from sign_recog.corpora.signon import read
from sign_recog.errors import DataError

HEADER = "Id,Label,Participant,Video,Subset"


def make_corpus(folder, *lines, header=HEADER, videos=("v1.mp4", "v2.mp4")):
    (folder / "clips").mkdir(parents=True)
    for video in videos:
        (folder / "clips" / video).touch()
    (folder / "samples.csv").write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return str(folder)


def test_columns_get_their_meaning(tmp_path):
    corpus = read(make_corpus(tmp_path, "0,AUTO-A,S023,v1.mp4,train", "1,HUIS,S001,v2.mp4,val"), tmp_path)
    first, second = corpus.clips
    assert (first.clip_id, first.video, first.gloss, first.signer, first.split) == (
        "v1", "v1.mp4", "AUTO-A", "S023", "train",
    )  # fmt: skip
    assert first.extra == {"Id": "0"}
    assert second.split == "val"
    assert corpus.video_dir == tmp_path / "clips"
    assert read(str(tmp_path / "samples.csv"), tmp_path).clips == corpus.clips


@pytest.mark.parametrize(
    ("header", "line", "message"),
    [
        ("id,label,participant,video,subset", "0,A,S,v1.mp4,train", "lacks the column Id, Label"),
        (HEADER, "0,A,S,v1.mp4,all", "line 2: split 'all'"),
        (HEADER, "0,A,S,../../etc/passwd,train", "line 2: .*leads out of"),
        (HEADER, "0,A,S,gone.mp4,train", "none of its 1 videos"),
    ],
)
def test_wrong_tables_are_refused(tmp_path, header, line, message):
    with pytest.raises(DataError, match=message):
        read(make_corpus(tmp_path, line, header=header), tmp_path)


def test_a_folder_without_clips_is_named(tmp_path):
    make_corpus(tmp_path, "0,A,S,v1.mp4,train", videos=())
    (tmp_path / "clips").rmdir()
    with pytest.raises(DataError, match="clips: no such folder"):
        read(str(tmp_path), tmp_path)
