"""train.csv and parquet files -> clips."""

import pytest

from sign_recog.corpora.kaggle_islr import read
from sign_recog.errors import DataError

CAMERA = {"width": 512, "height": 512, "fps": 30}
HEADER = "path,participant_id,sequence_id,sign\n"


def make_corpus(folder, *lines, files=()):
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    (folder / "train.csv").write_text(HEADER + "\n".join(lines) + "\n")
    return str(folder)


def test_columns_get_their_meaning(tmp_path):
    files = ["train_landmark_files/26734/1000035562.parquet", "train_landmark_files/28656/1000106739.parquet"]
    source = make_corpus(
        tmp_path, f"{files[0]},26734,1000035562,blow", f"{files[1]},28656,1000106739,wait", "gone,1,2,x", files=files
    )
    corpus = read(source, tmp_path, **CAMERA)
    assert [(c.clip_id, c.signer, c.gloss, c.split, c.video) for c in corpus.clips] == [
        ("26734_1000035562", "26734", "blow", "", ""), ("28656_1000106739", "28656", "wait", "", ""),
    ]  # fmt: skip
    assert "1 of 3 clips are left out" in corpus.notes[0] and "512x512 pixels and 30 fps" in corpus.notes[1]
    assert read(f"{source}/train.csv", tmp_path, **CAMERA).clips == corpus.clips


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["../../etc/passwd,1,2,x"], "line 2: .*leads out of"),
        (["a.parquet,1,2,x", "a.parquet,1,2,y"], 'line 3: clip "1_2" is already'),
        (["gone.parquet,1,2,x"], "none of its 1 files"),
    ],
)
def test_wrong_tables_are_refused(tmp_path, lines, message):
    with pytest.raises(DataError, match=message):
        read(make_corpus(tmp_path, *lines, files=["a.parquet"]), tmp_path, **CAMERA)
    with pytest.raises(DataError, match=r"neither train.csv nor .parquet"):
        (tmp_path / "train.csv").unlink()
        (tmp_path / "a.parquet").unlink()
        read(str(tmp_path), tmp_path, **CAMERA)


def test_files_without_a_table_are_unlabelled(test_data, tmp_path):
    pytest.importorskip("pyarrow", reason="pyarrow is not installed; see the extra formats")
    corpus = read(str(test_data / "kaggle_islr_sample"), tmp_path, **CAMERA)
    assert {(c.gloss, c.split) for c in corpus.clips} == {("", "test")}
    assert [len(corpus.keypoints(clip).keypoints) for clip in corpus.clips] == [105, 33, 6, 28]
    assert "no train.csv" in corpus.notes[0]
