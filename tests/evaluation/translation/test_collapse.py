import json
import random

import numpy as np
import pytest
from sacrebleu.metrics import BLEU, CHRF

from sign_recog.evaluation.translation.collapse import collapse, shuffles, variety

NOUNS = ["sun", "rain", "wind", "snow", "frost", "storm", "fog", "hail", "cloud", "thaw"]
PLACES = ["north", "south", "east", "west", "alps", "coast", "valley", "hills"]
SETTINGS = {"num_permutations": 4, "samples": 200, "seed": 1}


def weather(count: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    return [f"tomorrow the {rng.choice(NOUNS)} comes to the {rng.choice(PLACES)} ." for _ in range(count)]


TRAIN = [*weather(60, seed=9), *["good evening dear viewers ."] * 9]


def test_a_model_that_never_looks_is_told_by_a_red_sentence():
    references, guesses = weather(80, seed=1), weather(80, seed=2)  # fluent, of the same distribution, about nothing
    found = collapse(guesses, references, TRAIN, **SETTINGS)
    assert found["system"]["bleu4"] > 20
    assert found["real"] is False
    assert found["baselines"]["shuffled"]["above"] is False
    assert abs(found["baselines"]["shuffled"]["bleu4_difference"]) < 8
    assert found["sentence"].startswith("This score shows no translation")
    assert "its own sentences shuffled among the clips" in found["sentence"]


def test_a_translator_is_above_both_baselines():
    references = weather(80, seed=1)
    hypotheses = [text.replace("tomorrow", "today") if i % 3 else text for i, text in enumerate(references)]
    found = collapse(hypotheses, references, TRAIN, **SETTINGS)
    assert found["real"] is True
    assert found["sentence"].startswith("The system")
    assert found["margin"]["bleu4"] == min(row["bleu4_difference"] for row in found["baselines"].values())
    assert found["baselines"]["shuffled"]["bleu4_p"] == pytest.approx(1 / 201)


def test_one_score_above_a_baseline_is_not_enough():
    references = weather(60, seed=1)
    cut = [" ".join(word[:-1] for word in text.split()) for text in references]  # alike in letters, never in words
    row = collapse(cut, references, TRAIN, **SETTINGS)
    assert row["baselines"]["shuffled"]["chrf_p"] < 0.05 <= row["baselines"]["shuffled"]["bleu4_p"]
    assert row["real"] is False
    assert "in BLEU-4 against" in row["sentence"]


@pytest.mark.parametrize("num_permutations", [4, 10])  # the mean of ten equal scores need not be that score, to the bit
def test_the_same_sentence_for_every_clip_is_not_above_itself_shuffled(num_permutations):
    references, settings = weather(30, seed=1), SETTINGS | {"num_permutations": num_permutations}
    found = collapse(["tomorrow the sun comes to the north ."] * 30, references, TRAIN, **settings)
    row = found["baselines"]["shuffled"]
    assert (row["bleu4_p"], row["chrf_p"]) == (1, 1)
    assert (row["bleu4_difference"], row["bleu4_std"]) == pytest.approx((0, 0))
    assert found["real"] is False
    assert found["outputs"]["hypotheses"]["repeated"] == 1
    assert found["outputs"]["hypotheses"]["num_distinct"] == 1


def test_baselines_are_sacrebleus_scores_of_those_answers():
    references, hypotheses = weather(20, seed=1), weather(20, seed=2)
    found = collapse(hypotheses, references, TRAIN, **SETTINGS)
    constant = ["good evening dear viewers ."] * 20
    most = found["baselines"]["most_frequent"]
    assert (most["text"], most["count"]) == (constant[0], 9)
    assert most["bleu4"] == BLEU().corpus_score(constant, [references]).score
    assert most["chrf"] == CHRF().corpus_score(constant, [references]).score
    answers = [[hypotheses[i] for i in order] for order in shuffles(20, 4, seed=1)]
    scores = [BLEU().corpus_score(answer, [references]).score for answer in answers]
    assert found["baselines"]["shuffled"]["bleu4"] == pytest.approx(np.mean(scores))
    assert found["baselines"]["shuffled"]["bleu4_std"] == pytest.approx(np.std(scores, ddof=1))
    assert found["system"]["bleu4"] == BLEU().corpus_score(hypotheses, [references]).score


@pytest.mark.parametrize("count", [2, 3, 17])
def test_shuffles_leave_no_sentence_with_its_own_clip(count):
    for order in shuffles(count, 20, seed=3):
        assert sorted(order) == list(range(count))
        assert not np.any(order == np.arange(count))


def test_the_check_false_alarms_about_as_often_as_its_level_says():
    """Of guesses that watch nothing, few may pass as real: both scores must be above at 5 %."""
    passed = sum(
        bool(collapse(weather(40, s), weather(40, s + 100), TRAIN, num_permutations=3, samples=60, seed=s)["real"])
        for s in range(20)
    )
    assert passed <= 3


def test_what_cannot_be_computed_is_named():
    found = collapse(["sun"], ["sun"], None, **SETTINGS)
    assert found["real"] is None
    assert set(found["not_computed"]) == {"most_frequent", "shuffled"}
    assert "not known" in found["sentence"]
    one = collapse(["sun"], ["sun"], TRAIN, **SETTINGS)
    assert one["baselines"]["shuffled"] is None
    assert one["baselines"]["most_frequent"]["bleu4"] == 0
    json.dumps([found, one], allow_nan=False)


def test_nothing_written_at_all_is_no_translation():
    found = collapse([""] * 12, weather(12, seed=1), TRAIN, **SETTINGS)
    assert found["real"] is False
    assert found["outputs"]["hypotheses"]["distinct1"] is None


def test_a_seed_gives_the_same_numbers():
    arguments = weather(20, 1), weather(20, 2), TRAIN
    assert collapse(*arguments, **SETTINGS) == collapse(*arguments, **SETTINGS)


def test_variety_by_hand():
    found = variety(["a b a", "a b a", "c"])
    assert found["repeated"] == pytest.approx(2 / 3)
    assert found["distinct1"] == pytest.approx(3 / 7)  # a b c of 7 words
    assert found["distinct2"] == pytest.approx(2 / 4)  # a-b and b-a of 4 pairs
    assert (found["most_common"], found["most_common_share"], found["num_distinct"]) == (
        "a b a",
        pytest.approx(2 / 3),
        2,
    )
