import json

import numpy as np
import pytest
import torch
from made_predictions import make, with_logits
from sklearn.metrics import classification_report, f1_score, top_k_accuracy_score

from sign_recog.evaluation.classification import bootstrap_interval, class_interval, score, score_groups
from sign_recog.evaluation.predictions import Predictions, confusion


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


def test_groups_weighted_by_clips_give_the_score():
    predictions = make(num_clips=50)
    predictions.signers[:5] = [""] * 5
    predictions.groups = {"signer": predictions.signers}
    rows = score_groups(predictions)["signer"]
    assert list(rows) == ["", "signer0", "signer1", "signer2"]
    assert score(predictions)["num_signers"] == 3
    total = sum(row["num_clips"] * row["top1_per_instance"] for row in rows.values())
    assert total / 50 == pytest.approx(score(predictions)["top1_per_instance"])


def test_a_groups_scores_are_those_of_its_clips_alone():
    predictions = make(num_clips=90, categories=True)
    occluded = np.arange(90) % 4 == 0
    predictions.groups = {"occluded": ["1" if x else "0" for x in occluded]}
    for value, own in (("1", occluded), ("0", ~occluded)):
        row = score_groups(predictions, seed=3)["occluded"][value]
        targets, answers = predictions.gloss_targets[own], predictions.gloss_logits[own].argmax(1)
        assert row["num_clips"] == own.sum()
        assert row["top1_per_instance"] == row["weighted_recall"] == pytest.approx(np.mean(targets == answers))
        assert row["macro_f1"] == pytest.approx(f1_score(targets, answers, average="macro", zero_division=0))
        hits = targets == answers
        assert row["top1_per_instance_ci95"] == bootstrap_interval(hits, seed=3)
        labelled = own & (predictions.category_targets >= 0)
        right = predictions.category_logits[labelled].argmax(1) == predictions.category_targets[labelled]
        assert row["category_top1_per_instance"] == pytest.approx(right.mean())
    json.dumps(score_groups(predictions), allow_nan=False)


def test_the_smaller_group_has_the_wider_interval():
    targets = np.tile([0, 1], 55)
    logits = np.eye(2)[np.where(np.arange(110) % 5 == 0, 1 - targets, targets)]  # every fifth is wrong
    groups = {"language": ["VGT"] * 10 + ["NGT"] * 100}
    rows = score_groups(with_logits(logits, targets, groups=groups))["language"]
    width = {name: row["top1_per_instance_ci95"][1] - row["top1_per_instance_ci95"][0] for name, row in rows.items()}
    assert rows["VGT"]["top1_per_instance"] == rows["NGT"]["top1_per_instance"] == 0.8
    assert width["VGT"] > 2 * width["NGT"] > 0


def test_weighted_averages_are_sklearns_for_glosses_and_categories():
    predictions = make(num_clips=80, categories=True, occurring=[0, 1, 2, 2, 7])
    scores = score(predictions)
    logits, targets = predictions.labelled_categories
    for prefix, true, answered in (
        ("", predictions.gloss_targets, predictions.predicted),
        ("category_", targets, logits.argmax(1)),
    ):
        report = classification_report(true, answered, output_dict=True, zero_division=0)["weighted avg"]
        for name, key in (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score")):
            assert scores[f"{prefix}weighted_{name}"] == pytest.approx(report[key])
    rows = {row["category"]: row for row in scores["per_category"]}
    assert sum(row["support"] for row in rows.values()) == len(targets)
    assert list(rows) == ["food", "family"]
    assert score(make())["per_category"] == [] and score(make())["category_weighted_f1"] is None


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


def test_the_interval_per_class_resamples_within_each_gloss():
    """A gloss with one clip has no spread; two glosses of 50 clips have that of the mean of two shares."""
    targets, hits = np.repeat([0, 1], 50), np.tile([True, False], 50)
    low, high = class_interval(targets, hits, samples=20000)
    half = 1.96 * np.sqrt(2 * 0.25 / 50) / 2  # the normal approximation
    assert low == pytest.approx(0.5 - half, abs=0.015) and high == pytest.approx(0.5 + half, abs=0.015)
    assert class_interval(np.array([3, 7]), np.array([True, False])) == [0.5, 0.5]
    scores = score(make(occurring=[0, 3, 11]))
    assert scores["top1_per_class_ci95"][0] <= scores["top1_per_class"] <= scores["top1_per_class_ci95"][1]
