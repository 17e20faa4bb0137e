"""Parts of a network by name."""

import pytest
from torch import nn

from sign_recog.errors import ConfigError
from sign_recog.training.parts import find_part, part_names


def network() -> nn.Module:
    return nn.ModuleDict({"layers": nn.ModuleList([nn.Linear(1, 1), nn.ReLU()]), "heads": nn.Linear(1, 1)})


def test_a_nested_part_is_found():
    whole = network()
    assert find_part(whole, "layers.0", "x") is whole["layers"][0]


@pytest.mark.parametrize("name", ["layer", "layers.1", "layers.2", "", "heads.weight"])
def test_what_has_no_weights_of_its_own_is_refused_with_all_parts(name):
    with pytest.raises(ConfigError, match=rf"optim.groups: .*'{name}'.*layers, layers.0, heads\."):
        find_part(network(), name, "optim.groups")


def test_deep_names_are_left_out_of_the_list_but_can_be_used():
    deep = nn.Sequential(nn.Sequential(nn.Sequential(nn.Linear(1, 1))))
    assert part_names(deep) == ["0", "0.0"] and find_part(deep, "0.0.0", "x") is deep[0][0][0]
