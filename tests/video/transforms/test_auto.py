"""AutoAugment and RandAugment: our draws, torchvision's operations."""

import numpy as np
import pytest
import torch

from sign_recog.torchvision_operators import declare_missing
from sign_recog.video.transforms import AutoAugment, RandAugment
from sign_recog.video.transforms.auto import _autoaugment, _carried_out, _randaugment


class Always:
    """A generator whose draws are all the same."""

    def __init__(self, value):
        self.value = value

    def random(self):
        return self.value

    def integers(self, high):
        return int(self.value * high)


@pytest.fixture
def frames():
    rows, columns = np.mgrid[:32, :32]
    image = np.stack([rows * 7, columns * 7, (rows + columns) * 3], 0).astype(np.uint8)
    return torch.from_numpy(np.stack([image, image[:, ::-1]]))


def test_operations_mean_what_torchvision_says(frames):
    declare_missing()
    from torchvision.transforms.v2 import functional

    bins = (frames, "Rotate", 15, 31, Always(0.9))
    right = functional.rotate(frames, 15.0, interpolation=functional.InterpolationMode.BILINEAR)
    assert torch.equal(_carried_out(_randaugment(), *bins), right)  # 15 of 30 bins of 30 degrees
    left = functional.rotate(frames, -15.0, interpolation=functional.InterpolationMode.BILINEAR)
    assert torch.equal(_carried_out(_randaugment(), *bins[:4], Always(0.1)), left)
    bright = _carried_out(_randaugment(), frames, "Brightness", 30, 31, Always(0.9))
    assert torch.equal(bright, functional.adjust_brightness(frames, 1.9))
    assert torch.equal(_carried_out(_autoaugment(), frames, "Invert", None, 10, Always(0.0)), 255 - frames)


def test_as_many_operations_as_asked_for(frames, monkeypatch):
    from sign_recog.video.transforms import auto

    names = []
    monkeypatch.setattr(
        auto, "_carried_out", lambda owner, frames, name, *rest: names.append((name, rest[0])) or frames
    )
    for seed in range(300):
        RandAugment(3, 7).change(frames, np.random.default_rng(seed))
    assert len(names) == 900 and {magnitude for _, magnitude in names} == {7}
    assert len({name for name, _ in names}) == 14  # the paper's Table of operations


def test_a_policy_is_a_pair_of_operations_with_probabilities(frames, monkeypatch):
    from sign_recog.video.transforms import auto

    counts = []
    monkeypatch.setattr(auto, "_carried_out", lambda owner, frames, *rest: counts.append(rest[0]) or frames)
    for seed in range(400):
        AutoAugment().change(frames, np.random.default_rng(seed))
    policies = _autoaugment()._policies
    assert len(policies) == 25
    expected = np.mean([sum(probability for _, probability, _ in pair) for pair in policies])
    assert len(counts) / 400 == pytest.approx(expected, abs=0.15)
