"""Tokenizers of pretrained folders: their own ids, one message where there is none."""

import importlib.util
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from sign_recog.errors import ConfigError, DataError
from sign_recog.text import read_tokenizer
from sign_recog.text.pretrained import Pretrained

_spec = importlib.util.spec_from_file_location("pretrained_folders", Path(__file__).parent / "pretrained_folders.py")
folders = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(folders)


@pytest.fixture(scope="module", params=sorted(folders.KINDS))
def folder(request, tmp_path_factory) -> Path:
    return folders.KINDS[request.param](tmp_path_factory.mktemp(request.param) / "network")


def test_ids_are_transformers_own_and_text_comes_back(folder):
    tokenizer = Pretrained(str(folder), None).train([])
    own = AutoTokenizer.from_pretrained(str(folder))
    text = folders.TEXTS[0]
    (ids,) = tokenizer.encode([text])
    assert ids == [i for i in own(text)["input_ids"] if i != own.bos_token_id]  # which ends with its eos
    assert tokenizer.decode([ids]) == [text] == [own.decode(ids, skip_special_tokens=True)]
    assert (tokenizer.pad_id, tokenizer.eos_id) == (own.pad_token_id, own.eos_token_id)
    assert tokenizer.bos_id == (own.pad_token_id if own.bos_token_id is None else own.bos_token_id)
    assert tokenizer.encode([]) == [] and tokenizer.encode([""]) == [[tokenizer.eos_id]]


def test_what_follows_the_end_and_padding_are_dropped(folder):
    tokenizer = Pretrained(str(folder), None).train([])
    (ids,) = tokenizer.encode(["the king."])
    beyond = tokenizer.vocab_size + 3  # a row of a network whose size was rounded up
    assert tokenizer.decode([[tokenizer.pad_id, beyond, *ids, 9, 9, tokenizer.eos_id]]) == ["the king."]


def test_it_is_read_again_without_its_folder(folder):
    tokenizer = Pretrained(str(folder), None).train([])
    again = read_tokenizer(tokenizer.state())
    assert again.encode(folders.TEXTS) == tokenizer.encode(folders.TEXTS)
    assert again.decode(again.encode(folders.TEXTS)) == folders.TEXTS
    assert (again.vocab_size, again.unk_id) == (tokenizer.vocab_size, tokenizer.unk_id)


@pytest.mark.parametrize("model_type", ["t5", "bart"])
def test_a_folder_without_tokenizer_is_refused(tmp_path, model_type):
    """transformers would make an empty one, and every word would be unknown."""
    (tmp_path / "config.json").write_text(f'{{"model_type": "{model_type}"}}')
    assert len(AutoTokenizer.from_pretrained(str(tmp_path))) < 200
    with pytest.raises(DataError, match=r"holds no tokenizer: none of tokenizer\.json, spiece\.model"):
        Pretrained(str(tmp_path), None).train([])


def test_a_missing_folder_and_damaged_files_are_one_message(tmp_path):
    with pytest.raises(DataError, match=r"tokenizer\.folder=.*no such folder"):
        Pretrained(str(tmp_path / "none"), None).train([])
    broken = folders.write_bart(tmp_path / "bart")
    (broken / "tokenizer.json").write_text("{}")
    with pytest.raises(DataError, match="cannot be read"):
        Pretrained(str(broken), None).train([])
    (tmp_path / "tokenizer_config.json").write_text("[")
    with pytest.raises(DataError, match=r"tokenizer_config\.json: is damaged"):
        Pretrained(str(tmp_path), None).train([])


def test_a_language_stands_first_and_an_unknown_one_is_refused(tmp_path):
    folder = folders.write_t5(tmp_path / "t5")
    own = AutoTokenizer.from_pretrained(str(folder))
    own.add_special_tokens({"additional_special_tokens": ["deu_Latn", "eng_Latn"]})
    own.save_pretrained(folder)
    tokenizer = Pretrained(str(folder), "deu_Latn").train([])
    (ids,) = tokenizer.encode(["the king."])
    assert ids[0] == own.convert_tokens_to_ids("deu_Latn") and tokenizer.decode([ids]) == ["the king."]
    assert read_tokenizer(tokenizer.state()).encode(["the king."]) == [ids]
    with pytest.raises(ConfigError, match=r"tokenizer\.language=deu_Lat is no token of .*Did you mean deu_Latn"):
        Pretrained(str(folder), "deu_Lat").train([])


def test_another_tokenizer_in_the_folder_is_another_identity(tmp_path):
    folder = folders.write_bart(tmp_path / "bart")
    before = Pretrained(str(folder), None).identity()
    (folder / "model.safetensors").write_bytes(b"weights are not part of it")
    assert Pretrained(str(folder), None).identity() == before
    (folder / "merges.txt").write_text((folder / "merges.txt").read_text() + "\n")
    assert Pretrained(str(folder), None).identity() != before


def test_characters_of_special_tokens_end_no_sentence(folder):
    """What stands behind them would neither be learned nor written."""
    tokenizer = Pretrained(str(folder), None).train([])
    (ids,) = tokenizer.encode(["the woman </s> met <pad> the <s> dog"])
    assert ids.index(tokenizer.eos_id) == len(ids) - 1 and tokenizer.pad_id not in ids
    (text,) = tokenizer.decode([ids])
    assert text.startswith("the woman") and text.endswith("dog")
