"""Changes of pixels move nothing, and are the same for a picture and its neighbours."""

import numpy as np
import pytest
from drawn_dots import centroids, dots

from sign_recog.errors import ConfigError
from sign_recog.video.labelled import Brightness, CoarseDropout, MotionBlur

POINTS = np.array([[30.3, 35.8], [60.7, 31.1], [44.5, 48.25]])
PICTURE = dots(POINTS, 80, 96)
CHANGES = [MotionBlur(9), Brightness(0.2, 0.3), CoarseDropout(4, 0.3)]


@pytest.mark.parametrize("seed", range(20))
def test_blur_leaves_the_dots_in_their_places(seed):
    blurred = MotionBlur(9).change(PICTURE[None], np.random.default_rng(seed))[0]
    assert np.abs(centroids(blurred) - POINTS).max() < 0.06
    assert blurred.max() < PICTURE.max()


def test_blur_smears_along_one_line():
    """The spread of a dot grows along one direction, by the variance of a bar: (length² - 1) / 12 at most."""
    spreads = []
    for seed in range(20):
        values = MotionBlur(13).change(PICTURE[None], np.random.default_rng(seed))[0, :, :, 0].astype(float)
        y, x = np.mgrid[0:80, 0:96]
        place = np.stack([x - POINTS[0, 0], y - POINTS[0, 1]]).reshape(2, -1)
        spreads.append(np.linalg.eigvalsh((values.ravel() * place) @ place.T / values.sum()))
    spreads = np.array(spreads)
    assert np.abs(spreads[:, 0] - 9).max() < 0.6  # of the dot itself, 3 pixels squared
    assert 9 + 8 < spreads[:, 1].max() < 9 + 13**2 / 12 + 0.6


def test_brightness_is_a_line_that_is_cut_at_black_and_white():
    ramp = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)
    changed = Brightness(0.2, 0.3).change(ramp, np.random.default_rng(3))[0, ..., 0].ravel().astype(float)
    free = (changed > 0) & (changed < 255)
    slope, offset = np.polyfit(np.arange(256)[free], changed[free], 1)
    assert np.abs(slope * np.arange(256)[free] + offset - changed[free]).max() <= 1
    assert 0.7 <= slope <= 1.3 and abs(slope - 1) > 0.01
    assert abs((slope * 127.5 + offset) - 127.5) <= 0.2 * 255 + 1


def test_holes_are_as_many_and_as_large_as_asked_for():
    for seed in range(30):
        changed = CoarseDropout(1, 0.25).change(PICTURE[None].copy(), np.random.default_rng(seed))[0]
        rows, columns = np.nonzero((changed != PICTURE).any(axis=-1))
        assert rows.max() - rows.min() < 20 and columns.max() - columns.min() < 24
        hole = changed[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        assert (hole == hole[0, 0, 0]).all()


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: type(change).__name__)
def test_neighbours_in_time_are_changed_alike(change):
    frames = np.stack([PICTURE, PICTURE, PICTURE])
    changed = change.change(frames, np.random.default_rng(1))
    assert (changed[0] == changed[1]).all() and (changed[0] == changed[2]).all()
    assert changed.shape == frames.shape and changed.dtype == np.uint8


@pytest.mark.parametrize(
    "wrong", [lambda: MotionBlur(1), lambda: Brightness(1.0, 0), lambda: Brightness(0, -0.1),
              lambda: CoarseDropout(0, 0.1), lambda: CoarseDropout(1, 1.0)]
)  # fmt: skip
def test_settings_that_mean_nothing_are_refused(wrong):
    with pytest.raises(ConfigError, match="augment: "):
        wrong()
