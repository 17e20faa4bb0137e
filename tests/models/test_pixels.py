import pytest
import torch

from sign_recog.models.pixels import IMAGENET_MEAN, IMAGENET_STD, NormalizePixels
from sign_recog.torchvision_operators import declare_missing


def test_pixels_become_what_torchvision_makes_of_them():
    declare_missing()
    from torchvision.transforms.functional import convert_image_dtype, normalize

    frames = torch.randint(0, 256, (2, 4, 3, 5, 6), dtype=torch.uint8)
    expected = normalize(convert_image_dtype(frames), list(IMAGENET_MEAN), list(IMAGENET_STD))
    torch.testing.assert_close(NormalizePixels(IMAGENET_MEAN, IMAGENET_STD)(frames), expected, atol=1e-5, rtol=1e-5)


def test_weights_come_without_the_constants_and_dtype_follows_the_network():
    network = NormalizePixels(IMAGENET_MEAN, IMAGENET_STD)
    assert network.state_dict() == {}
    assert network.bfloat16()(torch.zeros(1, 3, 2, 2, dtype=torch.uint8)).dtype == torch.bfloat16


def test_frames_that_may_be_scaled_already_are_refused():
    with pytest.raises(TypeError, match="uint8"):
        NormalizePixels(IMAGENET_MEAN, IMAGENET_STD)(torch.rand(1, 3, 2, 2))
