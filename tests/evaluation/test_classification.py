import csv
import json

import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix, top_k_accuracy_score

from sign_recog.errors import DataError
from sign_recog.evaluation.classification import (
    Predictions,
    bootstrap_interval,
    confusion,
    pick_examples,
    score,
    score_by,
    write_predictions,
)


def make(num_clips=60, num_glosses=12, *, seed=0, occurring=None, strength=1.5, categories=False) -> Predictions:
    rng = np.random.default_rng(seed)
    targets = rng.choice(num_glosses if occurring is None else occurring, num_clips)
    logits = rng.normal(size=(num_clips, num_glosses)).astype(np.float32)
    logits[np.arange(num_clips), targets] += strength
    extra = {}
    if categories:
        extra = {
            "categories": ["food", "family"],
            "category_logits": rng.normal(size=(num_clips, 2)).astype(np.float32),
            "category_targets": rng.integers(-1, 2, num_clips),
        }
    return Predictions(
        clip_ids=[f"clip{i}" for i in range(num_clips)],
        gloss_logits=logits,
        gloss_targets=targets,
        glosses=[f"gloss{g}" for g in range(num_glosses)],
        signers=[f"signer{i % 3}" for i in range(num_clips)],
        **extra,
    )


def with_logits(logits, targets, **changes) -> Predictions:
    logits = np.array(logits, dtype=np.float32)
    values = {
        "clip_ids": [f"clip{i}" for i in range(len(logits))],
        "gloss_logits": logits,
        "gloss_targets": np.array(targets),
        "glosses": [f"gloss{g}" for g in range(logits.shape[1])],
        "signers": [""] * len(logits),
    }
    return Predictions(**{**values, **changes})


def place_by_sorting(row, target):
    """1-based place of ``target`` when glosses are sorted by falling logit, equal ones by index."""
    return 1 + sorted(range(len(row)), key=lambda g: (-row[g], g)).index(target)


@pytest.mark.parametrize("k", [1, 5, 10])
@pytest.mark.parametrize("occurring", [None, [0, 3, 11]])
def test_per_instance_top_k_is_sklearns(k, occurring):
    predictions = make(occurring=occurring)
    expected = top_k_accuracy_score(
        predictions.gloss_targets, predictions.gloss_logits, k=k, labels=np.arange(len(predictions.glosses))
    )
    assert score(predictions)[f"top{k}_per_instance"] == pytest.approx(expected)


@pytest.mark.parametrize("k", [1, 5, 10])
def test_per_class_top_k_is_the_mean_over_the_glosses_that_occur(k):
    predictions = make(num_clips=200, occurring=[1, 1, 1, 1, 2, 7])
    hits: dict[int, list[bool]] = {}
    for row, target in zip(predictions.gloss_logits, predictions.gloss_targets, strict=True):
        hits.setdefault(target, []).append(place_by_sorting(row, target) <= k)
    expected = sum(sum(own) / len(own) for own in hits.values()) / len(hits)
    scores = score(predictions)
    assert scores[f"top{k}_per_class"] == pytest.approx(expected)
    assert scores["num_glosses_occurring"] == len(hits) == 3


def test_per_class_differs_from_per_instance_when_glosses_are_unequally_frequent():
    logits = np.tile([5.0, 0.0], (4, 1))  # always answers gloss 0
    scores = score(with_logits(logits, [0, 0, 0, 1]))
    assert (scores["top1_per_instance"], scores["top1_per_class"]) == (0.75, 0.5)


def test_ranks_with_ties_follow_the_vocabulary():
    rng = np.random.default_rng(1)
    logits = rng.integers(0, 3, size=(100, 7))  # many equal logits
    targets = rng.integers(0, 7, 100)
    predictions = with_logits(logits, targets)
    expected = [place_by_sorting(row, target) for row, target in zip(logits, targets, strict=True)]
    assert predictions.ranks.tolist() == expected
    assert ((predictions.ranks == 1) == (predictions.predicted == targets)).all()


def test_a_network_that_knows_nothing_scores_as_one_that_always_says_the_first_gloss():
    scores = score(with_logits(np.zeros((4, 3)), [0, 1, 2, 2]))
    assert scores["top1_per_instance"] == 0.25
    assert scores["loss"] == pytest.approx(np.log(3))


@pytest.mark.parametrize("num_glosses", [2, 3, 4])
def test_k_is_at_most_the_number_of_glosses(num_glosses, tmp_path):
    predictions = make(num_glosses=num_glosses)
    scores = score(predictions)
    assert scores["top5_per_instance"] == scores["top10_per_class"] == 1.0
    write_predictions(tmp_path / "predictions.csv", predictions)
    row = next(csv.DictReader((tmp_path / "predictions.csv").open(encoding="utf-8")))
    assert row[f"top{num_glosses}"] and row["top5"] == row["p5"] == ""


def test_glosses_that_do_not_occur_are_none_and_not_nan():
    scores = score(make(occurring=[2, 5]))
    json.dumps(scores, allow_nan=False)
    missing = [row for row in scores["per_class"] if row["support"] == 0]
    assert len(missing) == 10
    assert all(row["recall"] is None and row["top5"] is None and row["taken_for"] is None for row in missing)


def test_a_gloss_that_is_never_predicted_has_no_precision_but_an_f1_of_zero():
    row = score(with_logits([[1, 0, 0], [1, 0, 0]], [0, 1]))["per_class"][1]
    assert (row["precision"], row["recall"], row["f1"], row["taken_for"]) == (None, 0.0, 0.0, "gloss0")


def test_loss_is_the_mean_over_all_clips():
    predictions = make(num_clips=37, strength=4.0)
    predictions.gloss_logits *= 30  # also where a plain softmax would overflow
    expected = torch.nn.functional.cross_entropy(
        torch.from_numpy(predictions.gloss_logits).double(), torch.from_numpy(predictions.gloss_targets)
    )
    assert score(predictions)["loss"] == pytest.approx(expected.item())


def test_f1_follows_from_the_confusion_matrix():
    predictions = make(num_clips=300, occurring=[0, 1, 2, 3, 4, 4, 4])
    matrix = confusion(predictions)
    true, answered = matrix.sum(1), matrix.sum(0)
    seen = (true + answered) > 0
    f1 = 2 * np.diag(matrix)[seen] / (true + answered)[seen]
    scores = score(predictions)
    assert scores["macro_f1"] == pytest.approx(f1.mean())
    assert scores["weighted_f1"] == pytest.approx((f1 * true[seen]).sum() / true.sum())
    assert scores["accuracy"] == scores["top1_per_instance"] == pytest.approx(np.trace(matrix) / matrix.sum())


def test_confusion_is_sklearns():
    predictions = make(occurring=[0, 4, 5])
    expected = confusion_matrix(predictions.gloss_targets, predictions.predicted, labels=np.arange(12))
    assert (confusion(predictions) == expected).all()


def test_the_interval_is_that_of_resampled_clips():
    hits = np.arange(250) < 180
    rng = np.random.default_rng(0)
    slow = [hits[rng.integers(0, 250, 250)].mean() for _ in range(4000)]
    expected = np.quantile(slow, (0.025, 0.975))
    assert bootstrap_interval(hits, samples=4000) == pytest.approx(expected, abs=0.008)
    half = 1.96 * np.sqrt(0.72 * 0.28 / 250)  # the normal approximation
    assert bootstrap_interval(hits, samples=4000) == pytest.approx([0.72 - half, 0.72 + half], abs=0.008)


def test_the_interval_depends_on_the_seed_alone():
    hits = np.arange(50) < 20
    assert bootstrap_interval(hits, seed=1) == bootstrap_interval(hits[::-1], seed=1)
    assert bootstrap_interval(hits, seed=1, samples=100) != bootstrap_interval(hits, seed=2, samples=100)
    assert bootstrap_interval(np.ones(9)) == [1.0, 1.0]


def test_categories_count_only_clips_that_have_one():
    predictions = with_logits(
        np.eye(3),
        [0, 1, 2],
        categories=["a", "b"],
        category_logits=np.array([[1, 0], [1, 0], [0, 1]], dtype=np.float32),
        category_targets=[0, 1, -1],
    )
    assert score(predictions)["category_top1_per_instance"] == 0.5
    assert score(make())["category_top1_per_instance"] is None
    predictions.category_targets[:] = -1
    assert score(predictions)["category_top1_per_instance"] is None


def test_signers_shares_weighted_by_clips_give_the_score():
    predictions = make(num_clips=50)
    predictions.signers[:5] = [""] * 5
    scores = score(predictions)
    rows = scores["per_signer"]
    assert [row["signer"] for row in rows] == ["", "signer0", "signer1", "signer2"]
    assert scores["num_signers"] == 3
    total = sum(row["num_clips"] * row["top1_per_instance"] for row in rows)
    assert total / 50 == pytest.approx(scores["top1_per_instance"])


def test_scores_by_any_property_of_the_clips():
    predictions = with_logits(np.eye(4), [0, 1, 0, 3])
    rows = score_by(predictions, ["no", "yes", "yes", "no"], "occluded")
    assert [(row["occluded"], row["top1_per_instance"]) for row in rows] == [("no", 1.0), ("yes", 0.5)]


def test_scores_do_not_depend_on_the_order_of_the_clips():
    first = make(num_clips=40, categories=True)
    order = np.random.default_rng(3).permutation(40)
    second = Predictions(
        [first.clip_ids[i] for i in order],
        first.gloss_logits[order],
        first.gloss_targets[order],
        first.glosses,
        [first.signers[i] for i in order],
        first.categories,
        first.category_logits[order],
        first.category_targets[order],
    )
    assert json.dumps(score(first)) == json.dumps(score(second) | {"loss": score(first)["loss"]})
    assert score(first)["loss"] == pytest.approx(score(second)["loss"])


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
