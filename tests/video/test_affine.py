"""Affine maps agree with where drawn dots end up."""

import numpy as np
import pytest
from drawn_dots import centroids, dots

from sign_recog.video.affine import compose, inside, inverted, scaling, warped
from sign_recog.video.scaling import mapped, scaled

POINTS = np.array([[30.3, 25.8], [60.7, 31.1], [44.5, 52.25]])


@pytest.mark.parametrize("size", [(64, 64), (32, 48), (128, 96), (96, 40), (53, 71)])
def test_a_dot_at_a_fraction_of_a_pixel_is_where_the_scaling_says(size):
    width, height = size
    small = scaled(dots(POINTS, 80, 96), height, width)
    assert small.shape == (height, width, 3)
    assert np.abs(centroids(small) - mapped(POINTS, scaling((96, 80), size))).max() < 0.03


def test_a_dot_is_where_several_maps_after_each_other_say():
    turn = np.array([[0.9, -0.3, 12.0], [0.3, 0.9, -9.0]])
    affine = compose(scaling((96, 80), (64, 72)), turn)
    picture = warped(dots(POINTS, 80, 96), affine, 72, 64)
    assert np.abs(centroids(picture) - mapped(POINTS, affine)).max() < 0.05


def test_the_way_back_leads_back():
    affine = compose(scaling((96, 80), (64, 72)), np.array([[0.9, -0.3, 12.0], [0.3, 0.9, -9.0]]))
    assert np.allclose(mapped(mapped(POINTS, affine), inverted(affine)), POINTS)


def test_the_corners_of_a_picture_meet_those_of_its_scaled_one():
    corners = np.array([[-0.5, -0.5], [95.5, 79.5]])
    assert np.allclose(mapped(corners, scaling((96, 80), (32, 48))), [[-0.5, -0.5], [31.5, 47.5]])


def test_a_point_is_on_a_picture_up_to_the_edges_of_its_last_pixels():
    points = np.array([[-0.5, 0], [-0.51, 0], [9.5, 7.5], [9.5, 7.51], [np.nan, 1]])
    assert inside(points, (10, 8)).tolist() == [True, False, True, False, False]
