import json
import random
import re
import subprocess
import sys

import pytest

from sign_recog.errors import DataError
from sign_recog.evaluation.translation.reduced import find_blacklist
from sign_recog.evaluation.translation.scores import NAMES, ROUGE, score, sentence_scores
from sign_recog.evaluation.translation.tables import Outputs, write_outputs

WORDS = [
    "the",
    "sun",
    "shines",
    "over",
    "green",
    "hills,",
    "and",
    '"we"',
    "tie",
    "a",
    "knot",
    "–",
    "don't",
    "cut",
    "it!",
]
WORDS += ["nächste", "straße", "größer", "3.5", "&amp;", "well-known"]


def sentences(count: int, seed: int) -> tuple[list[str], list[str]]:
    """References of 1 to 14 words, and hypotheses that keep most of them; some hypotheses are empty."""
    rng = random.Random(seed)
    references = [" ".join(rng.choices(WORDS, k=rng.randint(1, 14))).capitalize() for _ in range(count)]
    hypotheses = [" ".join(w for w in text.split() if rng.random() < 0.75) for text in references]
    return hypotheses, references


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A folder with the files of an evaluation, and its hypotheses and references, with odd white space."""
    hypotheses, references = sentences(40, seed=1)
    hypotheses[0], hypotheses[1], references[2] = "", " a\ttab \n and\u2028a line\r\nend ", references[2] + " \n\n x"
    folder = tmp_path_factory.mktemp("written")
    ids = [f"clip{i}" for i in range(40)]
    write_outputs(folder, "test", Outputs(ids, [""] * 40, references, hypotheses))
    return folder, hypotheses, references


def sacrebleu_says(folder, *arguments: str):
    command = [sys.executable, "-m", "sacrebleu", str(folder / "test_references.txt"), "-i"]
    command += [str(folder / "test_hypotheses.txt"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("lowercase", [False, True])
def test_scores_equal_sacrebleus_command_line_on_the_written_files(written, lowercase):
    folder, hypotheses, references = written
    case = ["-lc", "--chrf-lowercase"] if lowercase else []
    found = score(hypotheses, references, lowercase=lowercase)
    plain = json.loads(sacrebleu_says(folder, "-m", "bleu", "chrf", "ter", "-w", "15", *case))
    words = json.loads(sacrebleu_says(folder, "-m", "chrf", "--chrf-word-order", "2", "-w", "15", *case))
    for name, theirs in zip(("bleu4", "chrf", "ter", "chrf++"), [*plain, words], strict=True):
        assert float(f"{found[name]:.15f}") == theirs["score"], name
        assert found["signatures"][name] == theirs["signature"], name
    precisions = [float(p) for p in re.findall(r"[\d.]+", plain[0]["verbose_score"].partition("(")[0])]
    assert 0 < precisions[3] < precisions[0] < 100


def test_lower_orders_are_cumulative_and_equal_sacrebleus_of_that_order(written):
    from sacrebleu.metrics import BLEU

    _, hypotheses, references = written
    found = score(hypotheses, references)
    for order in (1, 2, 3, 4):
        theirs = BLEU(max_ngram_order=order).corpus_score(hypotheses, [references]).score
        assert found[f"bleu{order}"] == theirs
    assert found["bleu1"] > found["bleu2"] > found["bleu3"] > found["bleu4"] > 0


def test_sentence_scores_equal_sacrebleus_sentence_level(written):
    folder, hypotheses, references = written
    lines = sacrebleu_says(folder, "-sl", "-m", "bleu", "-w", "15").splitlines()
    theirs = [float(line.partition(" = ")[2].split()[0]) for line in lines]
    own = [float(f"{value:.15f}") for value in sentence_scores(hypotheses, references)["bleu4"]]
    assert own == theirs


def test_s3_bleu_is_the_splits_and_not_a_mean_over_batches(written):
    _, hypotheses, references = written
    batches = [score(hypotheses[i : i + 8], references[i : i + 8])["bleu4"] for i in range(0, 40, 8)]
    whole = score(hypotheses, references)["bleu4"]
    assert abs(sum(batches) / len(batches) - whole) > 0.05
    order = random.Random(0).sample(range(40), 40)  # whatever the batches and the processes, the number is one
    assert score([hypotheses[i] for i in order], [references[i] for i in order])["bleu4"] == whole


def test_s3_rouge_is_the_mean_of_the_sentences_and_the_same_every_time(written):
    from rouge_score.rouge_scorer import RougeScorer

    hypotheses, references = ([text.encode("ascii", "ignore").decode() or "x" for text in part] for part in written[1:])
    rows = [RougeScorer(list(ROUGE)).score(r, h) for h, r in zip(hypotheses, references, strict=True)]
    first, again = score(hypotheses, references), score(hypotheses, references)
    for name in ROUGE:  # of ASCII text the library's own tokenizer makes the same words
        assert (
            first[name] == again[name] == pytest.approx(sum(row[name].fmeasure for row in rows) / len(rows), abs=1e-12)
        )


def test_rouge_knows_letters_of_all_scripts():
    found = score(["nächste größe"], ["nächste straße"])
    assert found["rouge1"] == pytest.approx(0.5)  # rouge-score's tokenizer makes n chste gr e, and n chste stra e
    assert score(["का"], ["की"])["rouge1"] == 0  # one word each: a vowel sign does not end it
    assert "letters and digits of all scripts" in found["signatures"]["rouge1"]


def test_every_score_has_a_signature_or_a_reason(written):
    _, hypotheses, references = written
    found = score(hypotheses, references, blacklist=find_blacklist("en", [], 0))
    assert set(found["signatures"]) | set(found["not_computed"]) == set(NAMES)
    assert all((found[name] is None) == (name in found["not_computed"]) for name in NAMES)
    assert "no folder" in found["not_computed"]["bleurt"]
    json.dumps(found, allow_nan=False)


def test_empty_references_are_refused_with_their_clips():
    with pytest.raises(DataError, match=r"2 of 3 clips .*\(b, c\)"):
        score(["x", "x", "x"], ["x", "", " \n"], clip_ids=["a", "b", "c"])
    with pytest.raises(DataError, match="number 1"):
        score(["x"], [""])


def test_no_sentence_and_lists_of_other_lengths_are_refused():
    with pytest.raises(DataError, match="no sentence"):
        score([], [])
    with pytest.raises(ValueError, match="2 hypotheses and 1"):
        score(["a", "b"], ["a"])


def test_empty_hypotheses_score_nothing_and_are_counted():
    found = score(["", " "], ["a b c d e", "f"])
    assert found["num_empty"] == 2
    assert [found[name] for name in ("bleu1", "bleu4", "chrf", "chrf++", *ROUGE)] == [0] * 8
    assert found["ter"] == 100


def test_one_right_sentence_has_the_best_scores():
    found = score(["we tie a knot now"], ["we tie a knot now"])
    assert [found[name] for name in ("bleu4", "chrf", "chrf++", "rougeL", "ter")] == pytest.approx(
        [100, 100, 100, 1, 0]
    )
