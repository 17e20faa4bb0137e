import pytest
import torch
from models.networks import count

from sign_recog.errors import ConfigError
from sign_recog.models.r2plus1d_small import r2plus1d_small


def expected_size(width: int, blocks: list[int]) -> int:
    """Parameters by the description: convolutions of 1x3x3 and 3x1x1, each with a batch norm of 2 a channel."""
    total, before = 3 * width * 49 + 3 * width * width + 4 * width, width
    for stage, number in enumerate(blocks):
        out = width * 2**stage
        for block in range(number):
            into = before if block == 0 else out
            total += 9 * into * out + 9 * out * out + 2 * 3 * out * out + 8 * out
            if block == 0 and stage > 0:
                total += into * out + 2 * out
        before = out
    return total


@pytest.mark.parametrize(("width", "blocks"), [(4, [1]), (8, [2, 1]), (32, [1, 1, 1, 1])])
def test_the_network_is_as_described(width, blocks):
    backbone = r2plus1d_small(width=width, blocks=blocks)
    assert count(backbone.network) == expected_size(width, blocks)
    assert backbone.feature_dim == width * 2 ** (len(blocks) - 1)
    with torch.no_grad():
        for shape in ((1, 32, 32), (12, 80, 80)):
            assert backbone.network.eval()(torch.randn(2, 3, *shape)).shape == (2, backbone.feature_dim)


def test_nothing_is_built_of_nothing():
    for settings in ({"width": 0, "blocks": [1]}, {"width": 8, "blocks": []}, {"width": 8, "blocks": [1, 0]}):
        with pytest.raises(ConfigError, match=r"must be at least 1. Use width=32"):
            r2plus1d_small(**settings)
