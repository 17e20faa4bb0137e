import pytest
from sacrebleu.metrics import BLEU

from sign_recog.errors import ConfigError, DataError
from sign_recog.evaluation.translation.reduced import Blacklist, find_blacklist, frequent_words, reduce, reduced_bleu

OWN = Blacklist(frozenset({"the", "The", "and", "is", "it's"}), "own")


def test_reduced_bleu_is_bleu_of_what_is_left_by_hand():
    hypotheses = ["The knot, and the rope is here!", "It's it's the dog"]
    references = ["The knot and rope is over here.", "the dog ran and ran"]
    score, about = reduced_bleu(hypotheses, references, OWN)
    theirs = BLEU().corpus_score(["knot rope here", "It's dog"], [["knot rope over here", "dog ran ran"]]).score
    assert score == theirs
    assert about["num_sentences"] == 2
    assert about["signature"].endswith(f"|blacklist:own,5 words,{OWN.signature[-8:]}")


def test_function_words_alone_earn_bleu_and_no_reduced_bleu():
    blacklist = find_blacklist("en", [], 0)
    hypotheses, references = (
        ["and then we are going to do it with the dog"],
        ["and then we are going to do it with the cat"],
    )
    assert BLEU().corpus_score(hypotheses, [references]).score > 80
    assert reduced_bleu(hypotheses, references, blacklist)[0] < 60
    assert reduced_bleu(["it is what it is"], ["It is the knot"], blacklist)[0] == 0


def test_sentences_of_whose_reference_nothing_is_left_are_not_scored():
    score, about = reduced_bleu(["a b c d", "x"], ["a b c d", "the and"], OWN)
    assert score == pytest.approx(100)
    assert about["num_left_out"] == 1
    assert reduced_bleu(["x"], ["the"], OWN)[0] is None


def test_apostrophes_stay_and_words_are_compared_as_they_are_written():
    assert reduce("It's THE dog's well-known «knot»", OWN.words) == "It's THE dog's wellknown «knot»"


def test_without_a_list_the_most_frequent_words_are_taken_in_either_case():
    texts = ["The dog, the cat", "the DOG and the hen"]
    assert frequent_words(texts, 2) == ["the", "dog"]
    found = find_blacklist(None, texts, 2)
    assert found.words == {"the", "The", "dog", "Dog"}
    assert found.signature.startswith("2 most frequent,4 words,")


def test_a_file_is_taken_exactly_as_it_is(tmp_path):
    path = tmp_path / "blacklisted_words.txt"
    path.write_text("the\nCas\nit's", encoding="utf-8")
    found = find_blacklist(str(path), [], 0)
    assert found.words == {"the", "Cas", "it's"}
    assert found.source == "blacklisted_words.txt"


@pytest.mark.parametrize(("language", "some"), [("en", {"the", "You", "don't"}), ("de", {"der", "Für", "während"})])
def test_own_lists_hold_no_word_twice_and_only_lower_case(language, some):
    found = find_blacklist(language, [], 0)
    assert some <= found.words
    lower = [word for word in found.words if word == word.lower()]
    assert len(found.words) == 2 * len(lower)


def test_an_unknown_language_or_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"'klingon' is neither one of de, en nor a readable file"):
        find_blacklist("klingon", [], 0)
    (tmp_path / "empty.txt").write_text(" \n")
    with pytest.raises(DataError, match="holds no word"):
        find_blacklist(str(tmp_path / "empty.txt"), [], 0)
    (tmp_path / "latin.txt").write_bytes("für".encode("latin-1"))
    with pytest.raises(DataError, match="not UTF-8"):
        find_blacklist(str(tmp_path / "latin.txt"), [], 0)
