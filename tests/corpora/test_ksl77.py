"""labels.csv and clips/ of KSL-77 -> clips."""

import pytest

from sign_recog.corpora.ksl77 import read
from sign_recog.errors import DataError


def test_the_real_clips_are_read(test_data, tmp_path):
    corpus = read(str(test_data / "video_ksl77_koala"), tmp_path)
    assert len(corpus.clips) == 61
    assert len({clip.gloss for clip in corpus.clips}) == 41
    assert {clip.signer for clip in corpus.clips} == {f"K{i:02d}" for i in range(1, 15)}
    assert {clip.split for clip in corpus.clips} == {""}
    assert corpus.clips[0].clip_id == "Seoul_example1"
    assert corpus.clips[0].extra["fps"] == "29.23"
    assert all((corpus.video_dir / clip.video).is_file() for clip in corpus.clips)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_column_is_named(tmp_path):
    (tmp_path / "labels.csv").write_text("file,gloss\nclips/a.mp4,A\n")
    with pytest.raises(DataError, match="lacks the column signer"):
        read(str(tmp_path), tmp_path)
