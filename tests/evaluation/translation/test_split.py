import json

import pytest

from sign_recog.errors import DataError
from sign_recog.evaluation.aggregate import summarize_scores
from sign_recog.evaluation.runs import RunResult
from sign_recog.evaluation.translation.reduced import find_blacklist
from sign_recog.evaluation.translation.split import evaluate_split
from sign_recog.evaluation.translation.tables import Outputs, read_outputs

REFERENCES = [f"the sun comes to the {place} at {hour}" for place in ("north", "south") for hour in range(5)]


def evaluate(folder, hypotheses, references=REFERENCES, **changed):
    outputs = Outputs(
        [f"c{i}" for i in range(len(references))], ["a", "b"] * (len(references) // 2), references, hypotheses
    )
    settings = {
        "training_texts": ["the sun comes"],
        "lengths": list(range(len(references))),
        "blacklist": find_blacklist("en", [], 0),
        "lowercase": False,
        "num_permutations": 2,
        "samples": 40,
        "seed": 1,
        "wordnet_dir": None,
        "bleurt_dir": None,
        "loss": 2.0,
        "accuracy": 0.5,
    }
    return evaluate_split(folder, "test", outputs, **(settings | changed))


def test_files_and_numbers_agree(tmp_path):
    found = evaluate(tmp_path, REFERENCES)
    results = json.loads((tmp_path / "test_results.json").read_text())
    assert found["scores"]["bleu4"] == results["bleu4"] == pytest.approx(100)
    assert found["scores"]["bleu4"] == found["collapse"]["system"]["bleu4"]
    assert read_outputs(tmp_path / "test_outputs.tsv").hypotheses == REFERENCES
    assert {path.name for path in tmp_path.iterdir()} == {
        "test_outputs.tsv",
        "test_hypotheses.txt",
        "test_references.txt",
        "test_results.json",
    }
    json.dumps(found, allow_nan=False)


def test_scores_are_summarised_over_seeds_as_those_of_recognition(tmp_path):
    runs = [
        RunResult(
            tmp_path,
            "scored",
            seed=seed,
            scores=evaluate(tmp_path, [text.replace("sun", word) for text in REFERENCES])["scores"],
        )
        for seed, word in enumerate(("sun", "rain", "wind"))
    ]
    found = summarize_scores(runs)
    assert found["bleu4"].n == 3
    assert found["bleu4"].mean == pytest.approx(sum(run.scores["bleu4"] for run in runs) / 3)
    assert {"chrf", "ter", "rougeL", "reduced_bleu", "loss", "token_accuracy"} <= set(found)
    assert "meteor" not in found  # None in every run


def test_an_evaluation_that_is_refused_leaves_no_results(tmp_path):
    with pytest.raises(DataError, match="c1"):
        evaluate(tmp_path, REFERENCES, [REFERENCES[0], "", *REFERENCES[2:]])
    assert list(tmp_path.iterdir()) == []
