import torch
from torch import nn

from sign_recog.models.pooling import ClippedAvgPool


def test_large_maps_are_pooled_as_pytorch_does_and_small_ones_whole():
    maps, pool = torch.randn(2, 3, 4, 9, 8), ClippedAvgPool((2, 7, 7))
    assert torch.equal(pool(maps), nn.AvgPool3d((2, 7, 7), stride=1)(maps))
    small = maps[:, :, :1, :3, :8]
    torch.testing.assert_close(pool(small), nn.AvgPool3d((1, 3, 7), stride=1)(small))
    torch.testing.assert_close(pool(maps[:, :, :1, :2, :2]), maps[:, :, :1, :2, :2].mean((2, 3, 4), keepdim=True))
