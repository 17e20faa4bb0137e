"""Whole words as tokens."""

import pytest

from sign_recog.errors import ConfigError, DataError
from sign_recog.text.words import Words

TEXTS = ["REGEN NORD REGEN", "SONNE NORD", "REGEN loc-WIND"]


def test_words_come_back_and_the_most_frequent_have_the_first_ids():
    tokenizer = Words(1, False, False).train(TEXTS)
    assert tokenizer.words == ["REGEN", "NORD", "SONNE", "loc-WIND"]
    assert tokenizer.encode(TEXTS) == [[4, 5, 4, 2], [6, 5, 2], [4, 7, 2]]
    assert tokenizer.decode(tokenizer.encode(TEXTS)) == TEXTS
    assert tokenizer.vocab_size == 8 and tokenizer.encode([""]) == [[2]]


def test_the_order_of_sentences_does_not_matter():
    assert Words(1, False, False).train(TEXTS).words == Words(1, False, False).train(TEXTS[::-1]).words


def test_rare_words_are_unknown_which_is_said_and_survives_a_round_trip():
    tokenizer = Words(2, False, False).train(TEXTS)
    ids = tokenizer.encode(["REGEN SONNE NEU NORD"])
    assert ids == [[4, 3, 3, 5, 2]]
    assert tokenizer.decode(ids) == ["REGEN <unk> <unk> NORD"]
    assert tokenizer.encode(tokenizer.decode(ids)) == ids
    assert "2 of 4 words occur fewer than 2 times and are unknown: 28.6 %" in tokenizer.notes[0]


def test_special_ids_and_what_follows_the_end_are_dropped():
    tokenizer = Words(1, False, False).train(TEXTS)
    assert tokenizer.decode([[0, 4, 1, 5, 2, 6], [2], []]) == ["REGEN NORD", "", ""]


def test_lower_case_is_undone():
    tokenizer = Words(1, True, True).train(["We met Anna .", "Then Anna left ."])
    assert tokenizer.decode(tokenizer.encode(["We met Anna ."])) == ["We met Anna ."]
    assert "anna" in tokenizer.words and "Anna" not in tokenizer.words


def test_settings_and_texts_that_cannot_serve_are_refused():
    with pytest.raises(ConfigError, match="min_count=0"):
        Words(0, False, False)
    with pytest.raises(ConfigError, match="truecase"):
        Words(1, False, True)
    with pytest.raises(DataError, match="occurs 9 times"):
        Words(9, False, False).train(TEXTS)
