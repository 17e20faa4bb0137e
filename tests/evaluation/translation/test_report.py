import json
import random
from html.parser import HTMLParser

import pytest

from sign_recog.evaluation.report import Stamp
from sign_recog.evaluation.translation.collapse import collapse
from sign_recog.evaluation.translation.report import (
    TranslationReport,
    build_translation_report,
    figures,
    pick_examples,
    score_rows,
)
from sign_recog.evaluation.translation.scores import NAMES, score, sentence_scores
from sign_recog.evaluation.translation.tables import Outputs, score_groups

HOSTILE = "<script>alert('a')</script>"


def sample(share: float) -> TranslationReport:
    rng = random.Random(0)
    words = ["sun", "rain", "wind", "snow", "frost", "comes", "goes", "north", "south", "east", "west"]
    references = [" ".join(rng.choices(words, k=6)) for _ in range(24)]
    hypotheses = [
        " ".join(w if rng.random() < share else rng.choice(words) for w in text.split()) for text in references
    ]
    references[0] += HOSTILE
    outputs = Outputs([f"c{i}" for i in range(24)], [f"s{i % 2}" for i in range(24)], references, hypotheses)
    groups = score_groups(outputs, list(range(24)), samples=20, seed=1)
    return TranslationReport(
        title=HOSTILE,
        split="test",
        scores=score(hypotheses, references),
        collapse=collapse(
            hypotheses, references, ["sun comes", HOSTILE, HOSTILE], num_permutations=2, samples=50, seed=1
        ),
        stamp=Stamp("weather", 24, 25, "ab12", "given", "best.ckpt", 3),
        splits={"train": {"clips": 3, "signers": 0}, "test": {"clips": 24, "signers": 2}},
        leakage=[],
        config_yaml="name: x",
        provenance={"git_commit": "abc", "versions": {"torch": "2"}},
        examples=pick_examples(outputs, sentence_scores(hypotheses, references), 2),
        groups=groups,
        accuracy=0.5,
        figures=figures(groups),
    )


class Tags(HTMLParser):
    """Whether every tag is closed, and the page's words."""

    def __init__(self, html: str):
        super().__init__()
        self.open: list[str] = []
        self.words = ""
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words += data


def test_the_page_shows_scores_signatures_baselines_and_examples():
    report = sample(0.9)
    html = build_translation_report(report)
    words = Tags(html).words
    assert HOSTILE not in html
    assert f"{report.scores['bleu4']:.2f}" in words
    assert report.scores["signatures"]["chrf"] in words
    assert "not computed: no folder of a BLEURT checkpoint was given" in words
    assert "Above chance." in words
    assert "Results by length" in words
    assert "Results by signer" in words
    assert all(example.hypothesis in words for example in report.examples)
    assert "data:image/png;base64," in html
    assert "1 of the 25 clips of test are not in the score" in words
    assert 'class="message warning collapse"' not in html
    json.dumps(report.to_json(), allow_nan=False)


def test_a_score_that_guessing_reaches_stands_in_red():
    html = build_translation_report(sample(0.0))
    assert 'class="message warning collapse" style="border-color: var(--bad)' in html
    assert "Not above chance." in html


def test_baselines_that_are_missing_are_named():
    report = sample(0.9)
    report.collapse = collapse(["a b"], ["a b"], None, num_permutations=2, samples=5, seed=1)
    report.groups, report.figures, report.examples = {}, [], []
    words = Tags(build_translation_report(report)).words
    assert "not computed, the training text was not at hand" in words
    assert "Not checked." in words


def test_every_score_has_a_row():
    rows = score_rows(sample(0.9).scores)
    assert [row["name"] for row in rows] == list(NAMES)
    assert {row["value"] for row in rows if row["name"] in ("meteor", "bleurt", "reduced_bleu")} == {"–"}


def test_examples_are_best_median_and_worst_and_never_twice():
    references = ["a b c d", "a b c d", "e f g h", "i j k l", "m n o p", "q r s t", "u v w x"]
    hypotheses = ["a b c d", "a b c d", "e f g h", "i j x y", "m n x y", "z", ""]
    outputs = Outputs([f"c{i}" for i in range(7)], [""] * 7, references, hypotheses)
    found = pick_examples(outputs, sentence_scores(hypotheses, references), 2)
    assert [(e.place, e.clip_id) for e in found[:2]] == [("best", "c0"), ("best", "c2")]  # c1 asks for the same as c0
    assert {e.clip_id for e in found if e.place == "worst"} == {"c5", "c6"}
    assert len({e.clip_id for e in found}) == len(found) == 6
    one = Outputs(["c"], [""], ["a"], ["a"])
    assert len(pick_examples(one, {"bleu4": [1.0], "chrf": [1.0]}, 2)) == 1


@pytest.mark.parametrize("groups", [{}, {"signer": {}}])
def test_without_lengths_there_is_no_plot(groups):
    assert figures(groups) == []
