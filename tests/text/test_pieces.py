"""SentencePiece: fixed special ids, training text only, the same model every time, and text that comes back."""

import pytest
import sentencepiece

from sign_recog.errors import ConfigError, DataError
from sign_recog.text.pieces import SentencePieces

TEXTS = [
    f"The {who} {what} the {thing} in {place}."
    for who in ("woman", "farmer", "Doctor Who") for what in ("bought", "found", "painted")
    for thing in ("books", "houses", "knife") for place in ("Paris", "the garden", "April")
]  # fmt: skip


def train(texts=TEXTS, size=120, model_type="unigram", lowercase=True, truecase=True):
    return SentencePieces(size, model_type, lowercase, truecase).train(texts)


@pytest.mark.parametrize("model_type", ["unigram", "bpe"])
def test_text_comes_back_with_its_case(model_type):
    tokenizer = train(model_type=model_type)
    assert tokenizer.decode(tokenizer.encode(TEXTS)) == TEXTS


def test_special_ids_are_those_of_s3_and_a_sentence_ends_without_having_begun():
    tokenizer = train()
    assert (tokenizer.bos_id, tokenizer.pad_id, tokenizer.eos_id, tokenizer.unk_id) == (0, 1, 2, 3)
    for ids in tokenizer.encode([*TEXTS, "", "  "]):
        assert ids[-1] == 2 and not {0, 1, 2} & set(ids[:-1]) and max(ids) < tokenizer.vocab_size
    assert tokenizer.encode([""]) == [[2]]


def test_what_follows_the_first_end_and_padding_are_dropped():
    tokenizer = train()
    ids = tokenizer.encode(["the woman"])[0]
    assert tokenizer.decode([[0, *ids, 7, 9, 2, 1], [1, 1], []]) == ["The woman", "", ""]


def test_the_same_text_gives_the_same_model_to_the_byte():
    assert train().model == train().model != train(TEXTS[:-9]).model


def test_the_model_is_sentencepieces_own():
    """Its own library reads it, and gives the same ids."""
    tokenizer = train()
    own = sentencepiece.SentencePieceProcessor(model_proto=tokenizer.model)
    assert [[*own.encode(text.lower()), 2] for text in TEXTS] == tokenizer.encode(TEXTS)


def test_what_training_has_not_seen_is_unknown_and_marked():
    tokenizer = train()
    (ids,) = tokenizer.encode(["the ☃ knife"])
    assert ids.count(tokenizer.unk_id) == 1
    assert tokenizer.decode([ids]) == ["The ⁇ knife"]


def test_too_few_sentences_shrink_the_vocabulary_and_say_so():
    tokenizer = train(size=7000)
    assert tokenizer.vocab_size < 7000
    (note,) = tokenizer.notes
    assert "tokenizer.size=7000" in note and f"give {tokenizer.vocab_size} pieces" in note
    assert train(size=36).notes == () and train(size=36).vocab_size == 36


def test_a_size_below_the_number_of_characters_is_refused():
    with pytest.raises(ConfigError, match=r"tokenizer\.size=10: (.|\n)*Raise it"):
        train(size=10)


@pytest.mark.parametrize("texts", [[], ["", "  "]])
def test_no_text_is_refused(texts):
    with pytest.raises(DataError, match="no text"):
        train(texts)


def test_long_sentences_are_learned_from_too():
    """SentencePiece skips those beyond 4192 bytes unless told otherwise."""
    tokenizer = train([*TEXTS, "ж " * 6000])
    assert tokenizer.unk_id not in tokenizer.encode(["ж"])[0]


def test_lower_case_keeps_letters_that_folding_would_change():
    tokenizer = train(["Die große Straße"] * 30, size=30, truecase=False)
    assert tokenizer.decode(tokenizer.encode(["Die große Straße"])) == ["die große straße"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"size": 4}, "tokenizer.size=4"),
        ({"model_type": "wordpiece"}, "unigram, bpe"),
        ({"lowercase": False}, "tokenizer.truecase=true"),
    ],
)
def test_settings_that_cannot_be_met_are_refused(settings, words):
    with pytest.raises(ConfigError, match=words):
        train(**settings)


def test_quotes_are_kept_and_tabs_are_spaces():
    tokenizer = train([*TEXTS, 'He said "no"\tand left.'], truecase=False)
    assert tokenizer.decode(tokenizer.encode(['he said "no"\tand left.'])) == ['he said "no" and left.']
