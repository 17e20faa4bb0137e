"""Records with S2's names."""

import json

import numpy as np
import pytest
from made_predictions import make
from sklearn.metrics import classification_report as sklearns

from sign_recog.evaluation.bundle import base_record, classification_report, full_record, shuffled_record
from sign_recog.evaluation.classification import score


def test_records_have_s2s_keys_and_can_be_written():
    """A pydantic object in S2's partial results ended its saving."""
    scores = score(make(occurring=[0, 4, 7]))
    base = base_record(scores)
    shuffled = shuffled_record(scores, np.array([0, 2, 1, 3]))
    full = full_record("best", {"val_gloss_acc": 0.76, "val_loss": 1.5}, test=base, val=base, test_shuff=shuffled)
    assert list(base) == ["top_k_average_per_class_acc", "top_k_per_instance_acc", "average_loss"]
    assert list(shuffled) == [*base, "perm", "shannon_entropy"]
    assert list(full) == ["check_name", "best_val_acc", "best_val_loss", "test", "val", "test_shuff"]
    assert (full["check_name"], full["best_val_acc"], full["best_val_loss"]) == ("best_val", 76.0, 1.5)
    assert all(list(base[name]) == ["top1", "top5", "top10"] for name in list(base)[:2])
    assert json.loads(json.dumps(full, allow_nan=False)) == full
    assert (shuffled["perm"], shuffled["shannon_entropy"]) == ([0, 2, 1, 3], 1.5)


def test_a_checkpoint_that_reports_nothing_has_no_figures():
    full = full_record("last", {}, test={}, val={}, test_shuff={})
    assert full["best_val_acc"] is None and full["best_val_loss"] is None


@pytest.mark.parametrize("occurring", [None, [0, 3, 11]])
def test_the_report_is_sklearns(occurring):
    predictions = make(occurring=occurring)
    expected = sklearns(
        [predictions.glosses[g] for g in predictions.gloss_targets],
        [predictions.glosses[g] for g in predictions.predicted],
        output_dict=True,
        zero_division=0,
    )
    found = classification_report(predictions)
    rows = {**found.pop("classes"), **found}
    assert rows.keys() == expected.keys()
    for name, row in rows.items():
        assert row == pytest.approx(expected[name])


def test_a_gloss_may_be_called_accuracy():
    predictions = make()
    predictions.glosses[0] = "accuracy"
    found = classification_report(predictions)
    assert isinstance(found["accuracy"], float) and found["classes"]["accuracy"]["support"] >= 0
