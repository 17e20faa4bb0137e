"""Random parts of the picture."""

import numpy as np

from sign_recog.video.framing import Framing
from sign_recog.video.transforms import CentreCrop, RandomCrop, RandomResizedCrop, ScaleAndPad

START = Framing.centred(180, 320, resize=256, size=224)


def boxes(change, start=START, count=400):
    return np.array([change.reframe(start, np.random.default_rng(seed)).box for seed in range(count)])


def test_random_crops_have_one_size_and_reach_every_corner():
    found = boxes(RandomCrop())
    side = round(180 * 224 / 256)
    assert (found[:, 2:] == side).all()
    assert found[:, :2].min(0).tolist() == [0, 0] or found[:, :2].min(0).max() <= 2
    assert (found[:, 0].max(), found[:, 1].max()) >= (180 - side - 1, 320 - side - 2)
    assert abs(found[:, 1].mean() - (320 - side) / 2) < 8  # as often left as right


def test_resized_crops_keep_to_area_and_aspect_and_lie_inside():
    found = boxes(RandomResizedCrop(0.2, 0.8, 0.75, 1.3333)).astype(float)
    top, left, height, width = found.T
    assert (top >= 0).all() and (left >= 0).all() and (top + height <= 180).all() and (left + width <= 320).all()
    area, aspect = height * width / (180 * 320), width / height
    assert area.min() > 0.19 and area.max() < 0.81 and aspect.min() > 0.73 and aspect.max() < 1.37
    assert np.log(aspect).std() > 0.1 and area.std() > 0.05


def test_aspect_is_width_over_height():
    """An aspect above 1 is wide, also in an upright picture."""
    for start in (START, Framing.centred(320, 180, resize=256, size=224)):
        *_, height, width = boxes(RandomResizedCrop(0.05, 0.1, 2, 3), start).astype(float).T
        assert (width / height).min() > 1.9 and (width / height).max() < 3.1


def test_a_box_that_never_fits_is_the_middle():
    narrow = Framing.centred(20, 400, resize=32, size=32)
    assert RandomResizedCrop(1.0, 1.0, 1.0, 1.0).reframe(narrow, np.random.default_rng(0)).box == narrow.box


def test_the_whole_and_the_middle_take_each_others_place():
    rng = np.random.default_rng(0)
    whole = ScaleAndPad().reframe(START, rng)
    assert whole == Framing.whole(180, 320, resize=256, size=224)
    assert CentreCrop().reframe(whole, rng) == START
