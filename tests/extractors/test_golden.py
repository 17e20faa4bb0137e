"""What each extractor gives of made pictures with weights made by a formula, pinned.

A change of the preprocessing, a network, its library or torch that moves features shows here. Where that is meant,
print the new numbers with ``PYTHONPATH=tests python tests/extractors/test_golden.py``; docs/decisions.md says why.
"""

import numpy as np
import pytest
import torch
from extractors.small_networks import NAMES, configured, features_of, fill, network_of, pictures, small

PADDING = [0, 5]  # frames of the second window; only SignHiera does not see them
# of the first window's first token, the values 0, D // 3 and 2 * D // 3; of all tokens, the mean and the deviation
GOLDEN = {
    "s3d": [0.46373, 5.09726, 0.8929, 1.20996, 2.11188],
    "r2plus1d_18": [3.40314, 3.47836, 6.0963, 14.21189, 13.3542],
    "i3d": [0.0, 2.43012, 1.09808, 0.70147, 1.19793],
    "i3d_bsl1k": [0.0, 1.42416, 0.63516, 0.3923, 0.64987],
    "swin3d_t": [0.78479, 0.05818, -0.42076, -0.01243, 1.01883],
    "mvit_v2_s": [-1.15617, -0.17444, -0.24052, 0.00156, 1.03366],
    "hiera_base": [-0.76095, -0.85532, 0.9804, 0.01171, 0.99956],
    "videomae_base": [0.4934, 0.8446, 0.91658, -0.01648, 1.07481],
    "sign_hiera": [-0.64416, -0.87682, 1.94027, 0.21792, 1.42683],
    "inception_v3": [0.13914, 0.0, 0.03165, 0.06469, 0.08933],
}


def outcome(name: str) -> list[float]:
    """The numbers above; of networks of the same backbone one is enough, since they are all made equally small."""
    if name == "inception_v3":
        extractor = configured(name, "device=cpu")
        fill(network_of(extractor))
        frames = pictures(2, 1).repeat(10, axis=2).repeat(10, axis=3)[:, :, :299, :299]
        features = features_of(extractor, frames)
    else:
        extractor = small(name)
        fill(network_of(extractor).backbone)
        features = features_of(extractor, pictures(2), PADDING)
    first = features[0, 0]
    chosen = [first[0], first[len(first) // 3], first[2 * len(first) // 3]]
    return [round(float(value), 5) for value in (*chosen, features.mean(), features.std())]


@pytest.mark.parametrize("name", GOLDEN)
def test_features_are_what_they_were(name):
    found = outcome(name)
    assert found == pytest.approx(GOLDEN[name], rel=1e-3, abs=2e-4)
    assert GOLDEN[name][-1] > 0.01


def test_every_backbone_is_pinned():
    def backbone(name):
        extractor = configured(name)
        return type(extractor), extractor.backbone["_target_"]

    assert {backbone(name) for name in NAMES} == {backbone(name) for name in GOLDEN if name != "inception_v3"}
    assert np.unique(list(GOLDEN.values()), axis=0).shape[0] == len(GOLDEN)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name in GOLDEN:
        print(f'    "{name}": {outcome(name)},')
