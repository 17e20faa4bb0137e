"""Movements take drawn dots where their affine maps say."""

import numpy as np
import pytest
from drawn_dots import centroids, dots

from sign_recog.errors import ConfigError
from sign_recog.video.affine import warped
from sign_recog.video.labelled import Flip, Rotate, Scale, Shift
from sign_recog.video.scaling import mapped

HEIGHT, WIDTH = 80, 96
POINTS = np.array([[30.3, 35.8], [60.7, 31.1], [44.5, 48.25]])


@pytest.mark.parametrize("movement", [Flip(), Rotate(40), Scale(0.7, 1.4), Shift(0.15)], ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("seed", range(3))
def test_dots_go_where_the_map_says(movement, seed):
    affine = movement.affine(HEIGHT, WIDTH, np.random.default_rng(seed))
    picture = warped(dots(POINTS, HEIGHT, WIDTH), affine, HEIGHT, WIDTH)
    assert np.abs(centroids(picture) - mapped(POINTS, affine)).max() < 0.05
    assert not np.allclose(mapped(POINTS, affine), POINTS, atol=1e-3)


def test_a_flip_is_numpys():
    affine = Flip().affine(HEIGHT, WIDTH, np.random.default_rng(0))
    picture = dots(POINTS, HEIGHT, WIDTH)
    assert np.array_equal(warped(picture, affine, HEIGHT, WIDTH), picture[:, ::-1])


def test_draws_reach_both_ends_and_not_beyond():
    rng = np.random.default_rng(0)
    turned = [Rotate(25).affine(HEIGHT, WIDTH, rng) for _ in range(500)]
    angles = np.degrees([np.arctan2(a[1, 0], a[0, 0]) for a in turned])
    assert -25 <= angles.min() < -24 and 24 < angles.max() <= 25
    factors = [Scale(0.8, 1.25).affine(HEIGHT, WIDTH, rng)[0, 0] for _ in range(500)]
    assert 0.8 <= min(factors) < 0.81 and 1.24 < max(factors) <= 1.25
    shifts = np.array([Shift(0.1).affine(HEIGHT, WIDTH, rng)[:, 2] for _ in range(500)])
    assert (np.abs(shifts) <= (9.6, 8)).all() and (np.abs(shifts).max(axis=0) > (9.4, 7.8)).all()


def test_turning_and_scaling_leave_the_middle_where_it_is():
    middle = np.array([(WIDTH - 1) / 2, (HEIGHT - 1) / 2])
    for movement in (Rotate(90), Scale(0.5, 2)):
        assert np.allclose(mapped(middle, movement.affine(HEIGHT, WIDTH, np.random.default_rng(1))), middle)


@pytest.mark.parametrize(
    "wrong", [lambda: Rotate(0), lambda: Rotate(181), lambda: Scale(0, 1), lambda: Scale(1.2, 1.1), lambda: Shift(1.0),
              lambda: Flip(p=1.5)]
)  # fmt: skip
def test_settings_that_mean_nothing_are_refused(wrong):
    with pytest.raises(ConfigError, match="augment: "):
        wrong()
