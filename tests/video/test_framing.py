"""Which part of a picture is seen, against torchvision's own resizing and cropping."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from sign_recog.torchvision_operators import declare_missing
from sign_recog.video import framing as module
from sign_recog.video.framing import Framing


def picture(height, width):
    rows, columns = np.mgrid[:height, :width]
    waves = [128 + 90 * np.sin(rows / 27 + k) * np.cos(columns / 21 - k) for k in range(3)]
    return np.stack(waves, -1).astype(np.uint8)


def view(framing, image):
    (square,) = framing.squares([framing.cut(image)])
    return square


def torchvision_crop(image, resize, size, down, right):
    declare_missing()
    from torchvision.transforms.v2 import functional

    scaled = functional.resize(torch.from_numpy(image).permute(2, 0, 1), [resize], antialias=True)
    height, width = scaled.shape[-2:]
    top, left = round(down * (height - size)), round(right * (width - size))
    return scaled[:, top : top + size, left : left + size].numpy()


@pytest.mark.parametrize(("height", "width"), [(180, 320), (320, 180), (200, 200), (97, 133)])
@pytest.mark.parametrize(("resize", "size"), [(112, 112), (128, 112), (240, 224)])
def test_a_box_scaled_is_the_scaled_picture_cropped(height, width, resize, size):
    """Up to half a pixel of the box, and the picture's border, which is seen by one of the two only."""
    image = picture(height, width)
    found = view(Framing.centred(height, width, resize=resize, size=size), image).astype(int)
    expected = torchvision_crop(image, resize, size, 0.5, 0.5).astype(int)
    assert found.shape == (3, size, size)
    assert np.abs(found - expected).mean() < 1.5  # 4 for each pixel that the box were off


def test_the_same_size_is_not_resampled():
    image = picture(64, 100)
    assert (view(Framing.centred(64, 100, resize=64, size=64), image) == image[:, 18:82].transpose(2, 0, 1)).all()


@pytest.mark.parametrize("place", [(0, 0), (0, 1), (1, 0), (1, 1), (0.5, 0.5), (0.3, 0.8)])
def test_crops_lie_where_they_are_asked_for(place):
    image = picture(100, 160)
    found = view(Framing.centred(100, 160, resize=100, size=80).cropped(*place), image)
    top, left = round(place[0] * 20), round(place[1] * 80)
    assert (found == image[top : top + 80, left : left + 80].transpose(2, 0, 1)).all()


def test_left_and_right_are_exchanged_after_cropping():
    image, framing = picture(100, 160), Framing.centred(100, 160, resize=120, size=80).cropped(0.2, 0.9)
    mirrored = view(framing.flipped(), image).astype(int)
    assert np.abs(mirrored - view(framing, image)[:, :, ::-1]).max() <= 1
    assert framing.flipped().flipped() == framing


@pytest.mark.parametrize(("height", "width"), [(90, 160), (160, 90), (50, 50), (40, 33)])
def test_the_whole_picture_is_padded_with_black(height, width):
    image = np.full((height, width, 3), 200, np.uint8)
    square = view(Framing.whole(height, width, resize=64, size=64), image)
    longer = max(height, width)
    seen = round(height * 64 / longer) * round(width * 64 / longer)
    assert (square == 200).sum() == 3 * seen and (square == 0).sum() == 3 * (64 * 64 - seen)
    rows, columns = np.flatnonzero(square.any((0, 2))), np.flatnonzero(square.any((0, 1)))
    assert abs(rows[0] - (63 - rows[-1])) <= 1 and abs(columns[0] - (63 - columns[-1])) <= 1  # in the middle


def test_large_pictures_scaled_one_by_one_look_as_if_scaled_together(monkeypatch):
    images, framing = [picture(180, 320), picture(180, 320)[::-1]], Framing.centred(180, 320, resize=128, size=112)
    together = framing.squares([framing.cut(image) for image in images])
    monkeypatch.setattr(module, "_LARGE_BYTES", 0)
    assert (framing.squares([framing.cut(image) for image in images]) == together).all()


@pytest.mark.parametrize(("height", "width"), [(180, 320), (320, 180), (20, 30), (48, 48), (700, 900)])
def test_one_picture_alone_is_framed_as_many_are_but_for_rounding(height, width):
    image, sizes = picture(height, width), {"resize": 48, "size": 48}
    whole = Framing.whole(height, width, **sizes)
    squash, centred = replace(whole, padded=False), Framing.centred(height, width, **sizes)
    for framing in (whole, squash, centred, whole.flipped(), squash.flipped(), centred.cropped(0.1, 0.7)):
        found = framing.square(image)
        assert found.shape == (48, 48, 3) and found.dtype == np.uint8
        difference = np.abs(found.transpose(2, 0, 1).astype(int) - view(framing, image))
        assert difference.max() <= 2 and difference.mean() < 0.3


def test_a_picture_that_is_not_large_is_scaled_without_torch(monkeypatch):
    monkeypatch.setattr(module, "_scaled", lambda images, size: pytest.fail("torch is used"))
    Framing.whole(360, 640, resize=224, size=224).square(picture(360, 640))
