"""Glosses as network input: ids of the training clips' glosses."""

import numpy as np
import pytest

from sign_recog.config.modalities.gloss import GlossModality
from sign_recog.data.glosses import GlossReader
from sign_recog.errors import ConfigError, DataError
from sign_recog.storage.corpus import PreparedCorpus
from sign_recog.storage.manifest import Clip
from sign_recog.text import read_tokenizer

CLIPS = [
    Clip("a", split="train", text="x", extra={"glosses": "REGEN NORD REGEN"}),
    Clip("b", split="train", text="x", extra={"glosses": "SONNE"}),
    Clip("c", split="val", text="x", extra={"glosses": "SONNE NEU NORD NORD"}),
    Clip("d", split="val", text="x"),
]


def a_reader(min_count=1):
    return GlossReader(GlossModality("sign_recog.data.glosses.GlossReader", None, min_count))


@pytest.fixture
def corpus(tmp_path):
    return PreparedCorpus(tmp_path, CLIPS, None, {"given": []})


def test_ids_are_those_of_train_and_batches_are_padded(corpus):
    reader = a_reader()
    sequences = reader.open(corpus, CLIPS[:3], "none")
    assert reader.vocabulary.words == ["REGEN", "NORD", "SONNE"] and reader.num_source_tokens == 7
    assert sequences.lengths.tolist() == [3, 1, 4]
    padded, lengths = reader.batch(sequences, [0, 2, 1], [], None)
    unknown, padding = reader.vocabulary.unk_id, reader.vocabulary.pad_id
    assert padded.dtype == np.int64 and lengths.tolist() == [3, 4, 1]
    assert padded.tolist() == [[4, 5, 4, padding], [6, unknown, 5, 5], [6, padding, padding, padding]]
    assert [reader.vocabulary.decode([sequences.read(i, None)])[0] for i in (0, 1)] == ["REGEN NORD REGEN", "SONNE"]


def test_validation_adds_nothing_to_the_vocabulary(corpus):
    reader = a_reader()
    reader.open(corpus, CLIPS[2:3], "none")  # opened first
    assert "NEU" not in reader.vocabulary.words


def test_a_checkpoints_vocabulary_is_used_as_it_is(corpus):
    reader = a_reader()
    reader.fit(CLIPS[:2])
    again = GlossReader(reader.modality, read_tokenizer(reader.vocabulary.state()))
    other = PreparedCorpus(corpus.folder, [Clip("z", split="train", extra={"glosses": "NEU"})], None, {"given": []})
    assert again.open(other, CLIPS[:1], "none").read(0, None).tolist() == [4, 5, 4]


def test_rare_glosses_are_unknown():
    reader = a_reader(min_count=2)
    assert reader.fit(CLIPS[:2]).words == ["REGEN"]


def test_clips_without_glosses_are_named(corpus):
    reader = a_reader()
    there, missing = reader.readable(CLIPS)
    assert [clip.clip_id for clip in there] == ["a", "b", "c"] and [clip.clip_id for clip in missing] == ["d"]
    with pytest.raises(DataError, match="d: has no glosses"):
        reader.open(corpus, CLIPS, "none")
    with pytest.raises(DataError, match="No train clip has glosses"):
        a_reader().fit([CLIPS[3]])


def test_a_file_of_glosses_is_read(tmp_path):
    path = tmp_path / "one.txt"
    path.write_text("\ufeffREGEN  NORD\n", encoding="utf-8")
    reader = a_reader()
    reader.fit(CLIPS[:2])
    assert reader.frames(reader.stored(path), str(path)).tolist() == [4, 5]
    path.write_text(" \n")
    with pytest.raises(DataError, match="holds no gloss"):
        reader.stored(path)
    with pytest.raises(DataError, match="cannot be read"):
        reader.stored(tmp_path / "none.txt")


def test_augmentations_are_refused(corpus):
    reader = a_reader()
    sequences = reader.open(corpus, CLIPS[:2], "none")
    with pytest.raises(ConfigError, match="augment=none"):
        reader.batch(sequences, [0], [object()], np.random.default_rng(0))
