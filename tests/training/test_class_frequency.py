"""Class weights and biases against scikit-learn and the closed form."""

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch import nn

from sign_recog.config.loss import ClassWeights
from sign_recog.data.vocabulary import Vocabulary
from sign_recog.storage.manifest import Clip
from sign_recog.training.class_frequency import class_counts, class_weights, set_bias_prior

CLIPS = [
    Clip(f"{i}", split="train", signer="s", gloss=gloss, category=category)
    for i, (gloss, category) in enumerate([("a", "x"), ("b", "x"), ("b", ""), ("b", "y"), ("c", "y"), ("c", "y")])
]


def test_counts_follow_the_vocabulary_and_leave_out_missing_categories():
    counts = class_counts(Vocabulary.from_clips(CLIPS), CLIPS, with_categories=True)
    assert counts["gloss"].tolist() == [1, 3, 2] and counts["category"].tolist() == [2, 3]
    assert set(class_counts(Vocabulary.from_clips(CLIPS), CLIPS, with_categories=False)) == {"gloss"}


@pytest.mark.parametrize("counts", [(1, 3, 2), (7, 7), (100, 1, 1, 5)])
def test_balanced_weights_are_scikit_learns(counts):
    labels = np.repeat(np.arange(len(counts)), counts)
    expected = compute_class_weight("balanced", classes=np.arange(len(counts)), y=labels)
    found = class_weights(torch.tensor(counts), ClassWeights.balanced)
    assert found.numpy() == pytest.approx(expected)
    root = class_weights(torch.tensor(counts), ClassWeights.sqrt).numpy()
    assert root / root[0] == pytest.approx(np.sqrt(expected / expected[0]))
    assert root[labels].mean() == pytest.approx(1)  # a clip weighs 1 on average


def test_none_weighs_nothing():
    assert class_weights(torch.tensor([1, 2]), ClassWeights.none) is None


def test_a_class_without_clips_has_finite_weight_and_bias():
    layer, counts = nn.Linear(2, 3), torch.tensor([4, 0, 4])
    set_bias_prior({"gloss": layer}, {"gloss": counts})
    assert layer.bias.isfinite().all() and class_weights(counts, ClassWeights.balanced).isfinite().all()


def test_with_the_bias_prior_silence_gives_the_frequencies():
    layers = {"gloss": nn.Linear(2, 3), "category": nn.Linear(2, 2)}
    before = {name: layer.weight.clone() for name, layer in layers.items()}
    set_bias_prior(layers, {"gloss": torch.tensor([1, 3, 4]), "category": torch.tensor([1, 9])})
    silence = torch.zeros(1, 2)
    assert layers["gloss"](silence).softmax(1).tolist()[0] == pytest.approx([1 / 8, 3 / 8, 4 / 8])
    assert layers["category"](silence).softmax(1).tolist()[0] == pytest.approx([0.1, 0.9])
    assert all(torch.equal(layer.weight, before[name]) for name, layer in layers.items())
