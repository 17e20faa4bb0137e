"""A table and a folder of arrays -> clips with features."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from sign_recog.corpora import feature_files
from sign_recog.errors import ConfigError, DataError

read = partial(feature_files.read, out_dir=Path(), step_ms=None)


def make(tmp_path, rows, files, *, header="clip_id\ttext"):
    table, folder = tmp_path / "sentences.tsv", tmp_path / "features"
    table.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    for number, name in enumerate(files):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, np.full((2, 3), number, np.float32))
    return {"source": str(table), "features_dir": str(folder)}


def first_value(corpus, index):
    return corpus.features(corpus.clips[index]).features[0, 0]


def test_a_file_is_called_as_its_clip(tmp_path):
    corpus = read(**make(tmp_path, ["a\the sleeps", "day 1/b.2\tshe sings"], ["a.npy", "day 1/b.2.npy"]))
    assert [(clip.clip_id, clip.text, clip.video) for clip in corpus.clips] == [
        ("a", "he sleeps", ""), ("day 1/b.2", "she sings", ""),
    ]  # fmt: skip
    assert [first_value(corpus, index) for index in (0, 1)] == [0, 1]
    assert (corpus.video_dir, corpus.left_out, corpus.notes) == (None, [], [])


def test_or_as_the_video_that_it_was_made_of_or_as_the_column_says(tmp_path):
    rows = ["-7E2.mp4\tone\t0.5\t2", "deep/x.npy\ttwo\t1\t2"]
    corpus = read(**make(tmp_path, rows, ["-7E2.npy", "deep/x.npy"], header="video\ttext\tstart_s\tend_s"))
    assert [first_value(corpus, index) for index in (0, 1)] == [0, 1]
    assert corpus.clips[0].clip_id.startswith("x-7E2") and corpus.clips[1].clip_id == "deep/x"
    assert [(clip.start_s, clip.end_s) for clip in corpus.clips] == [(0.0, None)] * 2  # the whole file is the clip


def test_columns_of_other_names_glosses_and_quotes(tmp_path):
    given = make(tmp_path, ['a\t"hi', "b\tbye"], ["a.npy", "b.npy"], header="id\tword")
    corpus = read(**given, columns={"clip_id": "id", "gloss": "word"}, quotes=False)
    assert [clip.gloss for clip in corpus.clips] == ['"hi', "bye"]


def test_clips_without_a_file_are_left_out_and_named(tmp_path):
    corpus = read(**make(tmp_path, ["a\tone", "b\ttwo"], ["a.npy"]))
    assert [clip.clip_id for clip in corpus.clips] == ["a"]
    assert [(one.clip.clip_id, one.reason) for one in corpus.left_out] == [("b", "missing feature file")]
    assert "1 of 2 clips are left out" in corpus.notes[0]


@pytest.mark.parametrize(
    ("rows", "files", "header", "message"),
    [
        (["a\tone"], ["b.npy"], "clip_id\ttext", r"none of its 1 feature files .* data.corpus.features_dir"),
        (["a\tone"], ["a.npy", "a.npz.npy"], "clip_id\tword", "data.corpus.columns.gloss"),
        (["v.mp4\tone\t0\t1", "v.mp4\ttwo\t1\t2"], ["v.npy"], "video\ttext\tstart_s\tend_s", "v.npy.*Divide|Divide.*"),
        (["../a\tone"], ["a.npy"], "clip_id\ttext", "line 2"),
    ],
)
def test_what_cannot_be_read_rightly_is_refused(tmp_path, rows, files, header, message):
    with pytest.raises(DataError, match=message):
        read(**make(tmp_path, rows, files, header=header))


def test_a_clip_with_two_files_is_refused(tmp_path):
    given = make(tmp_path, ["a\tone"], ["a.npy"])
    (tmp_path / "features/a.pt").touch()
    with pytest.raises(DataError, match=r"clip a: a\.npy and a\.pt"):
        read(**given)


def test_a_step_of_nothing_a_folder_as_table_and_no_folder_are_refused(tmp_path):
    given = make(tmp_path, ["a\tone"], ["a.npy"])
    with pytest.raises(ConfigError, match="step_ms=0"):
        read(**{**given, "step_ms": 0})
    with pytest.raises(DataError, match="is a folder"):
        read(str(tmp_path))
    with pytest.raises(DataError, match=r"data\.corpus\.features_dir=nowhere: no such folder"):
        read(**{**given, "features_dir": "nowhere"})


def test_times_count_from_the_clips_start(tmp_path):
    given = make(tmp_path, ["a\tone"], ["a.npy"])
    corpus = feature_files.read(**given, out_dir=Path(), step_ms=160)
    assert corpus.features(corpus.clips[0]).timestamps_ms.tolist() == [0, 160]
