"""Arrays that a corpus comes with: written once, renewed when they change, and one bad clip costs one clip."""

import numpy as np
import pytest

from sign_recog.corpora.base import Corpus
from sign_recog.errors import DataError
from sign_recog.stages.given import write_given
from sign_recog.storage.corpus import PreparedCorpus
from sign_recog.storage.features import FeatureSequence, read_features
from sign_recog.storage.manifest import Clip

CLIPS = [Clip("a", split="train"), Clip("b/c", split="train"), Clip("d", split="val")]


@pytest.fixture
def prepared(tmp_path) -> PreparedCorpus:
    return PreparedCorpus(tmp_path / "corpus/manifests/x", CLIPS, None, {"given": ["features"]})


def corpus(value: float = 1.0, bad: tuple[str, ...] = ()) -> Corpus:
    def features(clip: Clip) -> FeatureSequence:
        if clip.clip_id in bad:
            raise DataError(f"{clip.clip_id}: is torn.")
        return FeatureSequence(np.full((3, 2), value, np.float32), np.arange(3), {"clip_id": clip.clip_id})

    return Corpus(CLIPS, features=features)


def test_each_clip_gets_its_file_once(prepared):
    assert write_given(corpus(), prepared) == {"feature files written": 3}
    path = prepared.features_dir("any") / "b/c.npz"
    before = path.stat().st_mtime_ns
    assert read_features(path).meta["clip_id"] == "b/c"
    assert write_given(corpus(), prepared) == {"feature files written": 0}
    assert path.stat().st_mtime_ns == before


def test_changed_sources_and_damaged_files_are_written_again(prepared):
    write_given(corpus(), prepared)
    assert write_given(corpus(2.0), prepared) == {"feature files written": 3}
    path = prepared.features_dir("any") / "a.npz"
    path.write_bytes(path.read_bytes()[:99])
    assert write_given(corpus(2.0), prepared) == {"feature files written": 1}
    assert (read_features(path).features == 2).all()


def test_one_bad_clip_is_recorded_and_the_others_are_written(prepared):
    counts = write_given(corpus(bad=("b/c",)), prepared)
    assert counts == {"feature files written": 2, "clips without features": 1}
    assert "b/c\tb/c: is torn." in (prepared.features_dir("any") / "failed.tsv").read_text()


def test_a_source_that_is_bad_now_leaves_no_file_of_before(prepared):
    """The file stayed, and was trained on as if it were the source's."""
    write_given(corpus(), prepared)
    write_given(corpus(bad=("b/c",)), prepared)
    folder = prepared.features_dir("any")
    assert not (folder / "b/c.npz").exists() and (folder / "a.npz").exists()


def test_nothing_readable_is_an_error(prepared):
    with pytest.raises(DataError, match="None of 3 clips has readable features"):
        write_given(corpus(bad=("a", "b/c", "d")), prepared)
