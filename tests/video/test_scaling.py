"""A scaled picture shows a point where the affine map says, to a fraction of a pixel."""

import numpy as np
import pytest
from pose_fakes import draw

from sign_recog.video.scaling import mapped, scaled, to_original


def centre(image):
    weight = image.astype(np.float64).sum(2)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    return np.array([(weight * x).sum(), (weight * y).sum()]) / weight.sum()


@pytest.mark.parametrize("size", [(64, 96), (32, 64), (48, 160), (160, 224), (32, 224), (64, 32)])
def test_points_come_back_to_a_twentieth_of_a_pixel(size):
    height, width = size
    points = np.array([[41.3, 30.6]] * 3)
    image = draw(points)
    small = scaled(image, height, width)
    assert small.shape == (height, width, 3) and small.dtype == np.uint8
    back = mapped(centre(small), to_original(96, 64, width, height))
    np.testing.assert_allclose(back, points[0], atol=0.05)


def test_a_picture_of_the_size_asked_for_stays_as_it_is():
    image = np.random.default_rng(0).integers(0, 255, (20, 30, 3), np.uint8)
    np.testing.assert_array_equal(scaled(image, 20, 30), image)


def test_shrinking_takes_means_of_areas():
    image = np.random.default_rng(0).integers(0, 255, (8, 12, 3), np.uint8)
    means = image.reshape(4, 2, 4, 3, 3).mean((1, 3))
    np.testing.assert_allclose(scaled(image, 4, 4), means, atol=0.51)


def test_the_corners_of_both_pictures_meet():
    affine = to_original(96, 64, 32, 16)
    np.testing.assert_allclose(mapped(np.array([[-0.5, -0.5], [31.5, 15.5]]), affine), [[-0.5, -0.5], [95.5, 63.5]])
