import csv

import numpy as np
import pytest
from made_predictions import make, with_logits
from sklearn.metrics import confusion_matrix

from sign_recog.errors import DataError
from sign_recog.evaluation.classification import score
from sign_recog.evaluation.predictions import confusion, confusion_of, pick_examples, write_predictions


@pytest.mark.parametrize("num_glosses", [2, 3, 4])
def test_k_is_at_most_the_number_of_glosses(num_glosses, tmp_path):
    predictions = make(num_glosses=num_glosses)
    scores = score(predictions)
    assert scores["top5_per_instance"] == scores["top10_per_class"] == 1.0
    write_predictions(tmp_path / "predictions.csv", predictions)
    row = next(csv.DictReader((tmp_path / "predictions.csv").open(encoding="utf-8")))
    assert row[f"top{num_glosses}"] and row["top5"] == row["p5"] == ""


def test_confusion_is_sklearns():
    predictions = make(occurring=[0, 4, 5])
    expected = confusion_matrix(predictions.gloss_targets, predictions.predicted, labels=np.arange(12))
    assert (confusion(predictions) == expected).all()


def test_predictions_can_be_read_back(tmp_path):
    predictions = make(categories=True)
    predictions.glosses[3] = 'a "quoted", two-line\ngloss'
    write_predictions(tmp_path / "predictions.csv", predictions)
    with (tmp_path / "predictions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with np.load(tmp_path / "predictions.npz", allow_pickle=False) as arrays:
        probabilities, glosses = arrays["probabilities"], arrays["glosses"]
        assert arrays["clip_ids"].tolist() == [row["clip_id"] for row in rows] == predictions.clip_ids
    assert glosses.tolist() == predictions.glosses
    assert probabilities.dtype == np.float32 and probabilities.sum(1) == pytest.approx(1)
    for i, row in enumerate(rows):
        assert row["gloss"] == predictions.glosses[predictions.gloss_targets[i]]
        order = np.argsort(-probabilities[i])
        assert [row[f"top{k}"] for k in range(1, 6)] == [predictions.glosses[g] for g in order[:5]]
        assert [float(row[f"p{k}"]) for k in range(1, 6)] == pytest.approx(probabilities[i][order[:5]], rel=1e-4)
        assert row["predicted"] == row["top1"] and row["probability"] == row["p1"]
        assert predictions.glosses[order[int(row["rank"]) - 1]] == row["gloss"]
        assert row["correct"] == str(int(row["predicted"] == row["gloss"]))
    labelled = [row for row in rows if row["category"]]
    assert len(labelled) == int((predictions.category_targets >= 0).sum())
    assert all(row["category_correct"] == str(int(row["category"] == row["category_predicted"])) for row in labelled)
    assert all(row["category_top1"] == row["category_predicted"] for row in rows)
    shares = [int(row["correct"]) for row in rows]
    assert np.mean(shares) == pytest.approx(score(predictions)["top1_per_instance"])


def test_the_table_of_all_probabilities_can_be_left_out(tmp_path):
    write_predictions(tmp_path / "predictions.csv", make(), all_probabilities=False)
    assert [path.name for path in tmp_path.iterdir()] == ["predictions.csv"]
    assert "category" not in (tmp_path / "predictions.csv").read_text(encoding="utf-8").splitlines()[0]


def test_examples_are_the_surest_answers_of_different_glosses():
    predictions = make(num_clips=200, strength=2.0)
    chosen = pick_examples(predictions, right=3, wrong=4)
    correct, sureness = predictions.ranks == 1, predictions.probabilities.max(1)
    assert correct[chosen].tolist() == [True] * 3 + [False] * 4
    assert chosen[0] == np.argmax(np.where(correct, sureness, 0))
    assert chosen[3] == np.argmax(np.where(correct, 0, sureness))
    assert len(set(predictions.gloss_targets[chosen[3:]])) == 4


def test_a_clip_whose_logits_are_not_numbers_is_named():
    logits = np.zeros((3, 2))
    logits[1, 0] = np.nan
    with pytest.raises(DataError, match=r"1 clips are not finite.*clip1"):
        with_logits(logits, [0, 1, 0])


def test_no_clip_is_no_score():
    with pytest.raises(DataError, match="no clip to score"):
        with_logits(np.zeros((0, 2)), [])


@pytest.mark.parametrize("targets", [[0, 1], [0, 1, 2], [0, 1, -1]])
def test_labels_that_do_not_fit_the_logits_are_refused(targets):
    with pytest.raises(ValueError, match="gloss"):
        with_logits(np.zeros((3, 2)), targets)


def read_csv(path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_best_categories_stand_in_the_table_with_their_probabilities(tmp_path):
    names = ["family", "food", "animal", "time"]
    logits = np.random.default_rng(2).normal(size=(20, 4)).astype(np.float32)
    targets = np.random.default_rng(3).integers(0, 4, 20)
    predictions = with_logits(
        np.eye(20, 5), np.zeros(20, int), categories=names, category_logits=logits, category_targets=targets
    )
    write_predictions(tmp_path / "predictions.csv", predictions)
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    for row, own, share in zip(read_csv(tmp_path / "predictions.csv"), targets, shares, strict=True):
        order = np.argsort(-share)[:3]
        assert [row[f"category_top{k}"] for k in (1, 2, 3)] == [names[c] for c in order]
        assert [float(row[f"category_p{k}"]) for k in (1, 2, 3)] == pytest.approx(share[order], rel=1e-4)
        assert row["category"] == names[own]
    with np.load(tmp_path / "predictions.npz", allow_pickle=False) as arrays:
        assert arrays["category_probabilities"] == pytest.approx(shares, rel=1e-5)
        assert arrays["categories"].tolist() == names
        expected = confusion_matrix(targets, logits.argmax(1), labels=np.arange(4))
        assert (arrays["category_confusion_matrix"] == expected).all()
        assert (arrays["confusion_matrix"] == confusion(predictions)).all()


def test_groups_are_columns_of_the_table(tmp_path):
    predictions = make(num_clips=6, num_glosses=4)
    predictions.groups = {"signer": predictions.signers, "occluded": list("010101"), "gloss": ["not this"] * 6}
    write_predictions(tmp_path / "predictions.csv", predictions)
    rows = read_csv(tmp_path / "predictions.csv")
    assert [row["occluded"] for row in rows] == list("010101")
    assert list(rows[0])[:4] == ["clip_id", "signer", "occluded", "gloss"]
    assert "not this" not in {row["gloss"] for row in rows}


def test_a_part_of_the_answers_is_as_the_whole_without_the_rest():
    predictions = make(categories=True)
    predictions.groups = {"occluded": [str(i % 2) for i in range(60)]}
    part = predictions.subset(np.array([3, 11]))
    assert part.clip_ids == ["clip3", "clip11"] and part.groups == {"occluded": ["1", "1"]}
    assert (part.ranks == predictions.ranks[[3, 11]]).all()
    assert (part.category_targets == predictions.category_targets[[3, 11]]).all()


def test_a_confusion_matrix_has_the_truth_in_its_rows():
    assert confusion_of(np.array([[0.0, 1.0], [0.0, 1.0]]), np.array([0, 1])).tolist() == [[0, 1], [0, 1]]


def test_a_group_that_does_not_fit_the_clips_is_refused():
    with pytest.raises(ValueError, match="occluded: 1 values for 3 clips"):
        with_logits(np.zeros((3, 2)), [0, 1, 0], groups={"occluded": ["1"]})
