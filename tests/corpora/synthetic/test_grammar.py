"""The invented language: another order than English, and nothing to be guessed."""

from collections import Counter

import numpy as np
import pytest
import sacrebleu

from sign_recog.corpora.synthetic.grammar import (
    ACTIONS,
    GLOSSES,
    PEOPLE,
    THINGS,
    TIMES,
    Sentence,
    all_sentences,
    draw_sentences,
)


def test_sentences_read_as_english():
    assert [s.text for s in (
        Sentence("YESTERDAY", "BOOK", True, "WOMAN", "BUY", True),
        Sentence("YESTERDAY", "KNIFE", True, "CHILD", "FIND", False),
        Sentence("NOW", "BOX", False, "DOCTOR", "SELL", False),
        Sentence("TOMORROW", "PICTURE", False, "TEACHER", "PAINT", False),
    )] == [
        "The woman did not buy the books yesterday.",
        "The child found the knives yesterday.",
        "The doctor sells the box now.",
        "The teacher will paint the picture tomorrow.",
    ]  # fmt: skip


def test_text_and_glosses_tell_the_same_sentences_apart():
    known = all_sentences()
    assert len(known) == len({s.text for s in known}) == len({tuple(s.glosses) for s in known}) == 1500
    assert {gloss for s in known for gloss in s.glosses} == set(GLOSSES)


def test_signs_come_in_another_order_than_words():
    """English names who acts before what is acted on, and signs after it; the time moves from first to last."""
    for sentence in draw_sentences(50, np.random.default_rng(0)):
        words, glosses = sentence.text.lower().rstrip(".").split(), sentence.glosses
        person, thing = PEOPLE[sentence.person], THINGS[sentence.thing][sentence.many]
        assert words.index(person) < words.index(thing) and words[-1] == TIMES[sentence.time]
        assert glosses.index(sentence.thing) < glosses.index(sentence.person) < glosses.index(sentence.action)
        assert glosses[0] == sentence.time


def test_function_words_and_inflections_are_not_signed():
    for sentence in all_sentences():
        assert sentence.text.startswith("The ") and " the " in sentence.text
        assert not {"THE", "DID", "DOES", "WILL"} & set(sentence.glosses)
        plain, third, past = ACTIONS[sentence.action]
        words = sentence.text.split()
        form = plain if sentence.negated or sentence.time == "TOMORROW" else third if sentence.time == "NOW" else past
        assert form in words


def test_choices_are_uniform_and_independent():
    known = all_sentences()
    for name in ("time", "thing", "many", "person", "action", "negated"):
        counts = Counter(getattr(s, name) for s in known)
        assert len(set(counts.values())) == 1
    pairs = Counter((s.person, s.action, s.many) for s in known)
    assert set(pairs.values()) == {30}


def test_without_watching_scores_stay_low():
    """The best single sentence, chosen on the references themselves, and real sentences in another order."""
    drawn = draw_sentences(300, np.random.default_rng(1))
    train, references = [s.text for s in drawn[:240]], [s.text for s in drawn[240:]]
    constant = max(sacrebleu.corpus_bleu([t] * len(references), [references]).score for t in train)
    shuffled = sacrebleu.corpus_bleu(references[1:] + references[:1], [references]).score
    assert constant < 20 and shuffled < 20


def test_a_longer_draw_begins_with_the_shorter_one():
    short, long = (draw_sentences(n, np.random.default_rng(3)) for n in (5, 20))
    assert long[:5] == short and len(set(long)) == 20
    with pytest.raises(ValueError, match="1500"):
        draw_sentences(1501, np.random.default_rng(0))
