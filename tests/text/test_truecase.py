"""Case is restored from what the training text has most often, and sentences begin as they do there."""

import pytest

from sign_recog.text.truecase import Truecaser

TEXTS = ["Yesterday I met Anna in New York.", "Is NASA there? Anna's dog isn't.", "Now Anna works for NASA, I think."]


def test_words_get_the_form_they_have_within_sentences():
    caser = Truecaser.train(TEXTS)
    assert caser.restore("anna and i met nasa. is anna's dog now in new york?") == (
        "Anna and I met NASA. Is Anna's dog now in New York?"
    )


def test_words_that_only_begin_sentences_are_not_taken_for_names():
    assert "yesterday" not in Truecaser.train(TEXTS).forms


def test_text_without_capitals_stays_without():
    caser = Truecaser.train(["am tag regnet es .", "im norden regen ."])
    assert caser.restore("es regnet . am tag") == "es regnet . am tag"


def test_the_training_text_comes_back_from_lower_case():
    caser = Truecaser.train(TEXTS)
    assert [caser.restore(text.lower()) for text in TEXTS] != [text.lower() for text in TEXTS]
    assert caser.restore(TEXTS[2].lower()) == TEXTS[2]


@pytest.mark.parametrize("text", ["", "   ", "\t\"'", "3.5 km", "«…»"])
def test_text_without_words_is_left_as_it_is(text):
    assert Truecaser({"km": "km"}, True).restore(text) == text


def test_ties_are_decided_alike_whatever_the_order():
    texts = ["a Foo b foo", "a FOO b"]
    assert Truecaser.train(texts) == Truecaser.train(texts[::-1])
    assert "foo" not in Truecaser.train(texts).forms  # the lower case wins


def test_nearly_all_words_of_how2sign_get_their_case_back(test_data):
    def sentences(name):
        lines = (test_data / "text_how2sign" / name).read_text(encoding="utf-8").splitlines()[1:]
        return [line.split("\t")[1] for line in lines]

    caser, texts = Truecaser.train(sentences("how2sign.train.tsv")[:8000]), sentences("how2sign.test.tsv")
    pairs = [(a, b) for text in texts for a, b in zip(text.split(), caser.restore(text.lower()).split(), strict=True)]
    lower = sum(a == a.lower() for a, _ in pairs) / len(pairs)
    assert sum(a == b for a, b in pairs) / len(pairs) > 0.98 > 0.93 > lower
