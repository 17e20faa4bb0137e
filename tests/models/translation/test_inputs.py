"""What stands before the encoder."""

import math

import pytest
import torch
from models.translation.translators import build, collate, sources

from sign_recog.errors import ConfigError
from sign_recog.models.translation.inputs import ConvStem, FrameInput, TokenInput, mean_of_groups

SIZES = {"num_blocks": 1, "kernel_size": 3, "pool": 1, "dropout": 0.0, "drop_path": 0.0, "standardize": False}


def test_frames_and_glosses_come_out_times_the_root_of_the_width():
    torch.manual_seed(0)
    frames, glosses = FrameInput(input_dim=6, d_model=16), TokenInput(num_source_tokens=2000, d_model=16)
    batch, mask = collate(sources([3]))
    torch.testing.assert_close(frames(batch, mask)[0], 4 * frames.projection(batch))
    tokens = torch.arange(2000).unsqueeze(0)
    states, _ = glosses(tokens, torch.zeros(1, 2000, dtype=torch.bool))
    assert states.std().item() == pytest.approx(1, abs=0.02)
    assert glosses.embedding.weight.std().item() == pytest.approx(1 / math.sqrt(16), abs=0.005)


def test_groups_have_the_mean_of_their_frames_without_padding():
    states = torch.tensor([[1.0, 2, 3, 4, 5, 9e9], [1, 2, 3, 9e9, 9e9, 9e9]]).unsqueeze(2)
    mask = torch.tensor([[False] * 5 + [True], [False] * 3 + [True] * 3])
    means, groups = mean_of_groups(states, mask, 4)
    assert means[:, 0, 0].tolist() == [2.5, 2.0] and means[0, 1, 0] == 5
    assert groups.tolist() == [[False, False], [False, True]]
    same, unchanged = mean_of_groups(states, mask, 1)
    assert same is states and unchanged is mask


@pytest.mark.parametrize(("length", "pool", "expected"), [(7, 1, 7), (7, 2, 4), (8, 2, 4), (1, 4, 1)])
def test_the_encoder_has_a_state_for_every_group_of_frames(length, pool, expected):
    stem = ConvStem(input_dim=6, d_model=16, **SIZES | {"pool": pool})
    states, mask = stem(*collate(sources([length])))
    assert states.shape == (1, expected, 16) and mask.shape == (1, expected) and not mask.any()


def test_standardising_makes_units_irrelevant():
    stem = ConvStem(input_dim=6, d_model=16, **SIZES | {"standardize": True})
    first, mask = collate(sources([40]))
    copy = ConvStem(input_dim=6, d_model=16, **SIZES | {"standardize": True})
    copy.load_state_dict(stem.state_dict())
    torch.testing.assert_close(copy(1000 * first + 5, mask)[0], stem(first, mask)[0], atol=1e-3, rtol=1e-3)


def test_settings_that_do_not_go_together_are_refused():
    with pytest.raises(ConfigError, match=r"kernel_size=4 must be odd"):
        ConvStem(input_dim=6, d_model=16, **SIZES | {"kernel_size": 4})
    with pytest.raises(ConfigError, match=r"model\.stem is for frames"):
        build("conv", glosses=True)
    with pytest.raises(ConfigError, match="even and a multiple"):
        build("plain", d_model=30)
