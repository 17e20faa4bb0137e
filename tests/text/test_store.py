"""Tokenizers on disk and in checkpoints: what is read is what was written, and damage is told."""

import io

import pytest
import torch

from sign_recog.errors import DataError
from sign_recog.text.pieces import SentencePieces
from sign_recog.text.store import FILE, hash_of, open_tokenizer, read_tokenizer, tokenizer_dir, write_tokenizer
from sign_recog.text.words import Words

TEXTS = ["We met Anna in the garden.", "Then Anna left the garden of April."] * 5
TRAINED = {"pieces": SentencePieces(60, "bpe", True, True), "words": Words(1, True, True)}


@pytest.mark.parametrize("kind", TRAINED)
def test_a_tokenizer_survives_disk_and_checkpoint(kind, tmp_path):
    tokenizer = TRAINED[kind].train(TEXTS)
    write_tokenizer(tmp_path / "a", tokenizer, {"sentences": 2})
    buffer = io.BytesIO()
    torch.save({"tokenizer": tokenizer.state()}, buffer)
    buffer.seek(0)
    stored = torch.load(buffer, weights_only=True)["tokenizer"]
    for again in (open_tokenizer(tmp_path / "a"), read_tokenizer(stored)):
        assert again.encode(TEXTS) == tokenizer.encode(TEXTS)
        assert again.decode(again.encode(TEXTS)) == TEXTS
        assert again.vocab_size == tokenizer.vocab_size


@pytest.mark.parametrize("damage", [lambda c: c[:100], lambda c: b"", lambda c: b"x" * 500, lambda c: c[:-40]])
def test_a_damaged_file_is_one_message(damage, tmp_path):
    write_tokenizer(tmp_path, TRAINED["words"].train(TEXTS), {})
    path = tmp_path / FILE
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=r"is damaged .*run=prepare"):
        open_tokenizer(tmp_path)


def test_a_missing_one_says_how_to_make_it(tmp_path):
    with pytest.raises(DataError, match="Run run=prepare"):
        open_tokenizer(tmp_path / "none")


@pytest.mark.parametrize(
    "state", [{}, {"kind": "store"}, {"kind": "../os"}, {"kind": "words"}, None, {"kind": "pieces"}]
)
def test_a_foreign_state_is_refused(state):
    with pytest.raises(DataError, match=r"No kind of tokenizer|damaged"):
        read_tokenizer(state)


def test_settings_files_and_text_each_have_a_folder(tmp_path):
    settings = {"size": 7, "lowercase": True}
    places = {
        tokenizer_dir(tmp_path, settings, None, ["a", "b"]),
        tokenizer_dir(tmp_path, settings | {"size": 8}, None, ["a", "b"]),
        tokenizer_dir(tmp_path, settings, {"spiece.model": "0"}, ["a", "b"]),
        tokenizer_dir(tmp_path, settings, None, ["ab"]),
        tokenizer_dir(tmp_path, settings, None, ["b", "a"]),
    }
    assert len(places) == 5 and {place.parent for place in places} == {tmp_path / "tokenizers"}
    assert tokenizer_dir(tmp_path, dict(reversed(settings.items())), None, ["a", "b"]) in places
    assert hash_of(["a", "b"]) != hash_of(["ab"]) != hash_of(["ab", ""])
