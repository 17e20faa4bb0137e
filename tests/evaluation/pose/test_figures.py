"""Figures draw what they are given."""

import io

import numpy as np
import pytest
from PIL import Image

from sign_recog.evaluation.pose.errors import error_by_confidence, table_by_landmark
from sign_recog.evaluation.pose.figures import LABELLED, PREDICTED, error_against_confidence, error_by_landmark, overlay


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def near(image, color):
    return np.abs(image - color).sum(2) < 60


@pytest.mark.parametrize("width", [80, 700])
def test_labels_and_predictions_stand_where_they_are(width):
    image = pixels(overlay(np.zeros((60, width, 3), np.uint8), [[20, 30], None], [[50, 10], [5, 5]]))
    scale = max(1, 560 / width)
    for color, point in ((LABELLED, (20, 30)), (PREDICTED, (50, 10))):
        y, x = np.nonzero(near(image, color))
        np.testing.assert_allclose([x.mean(), y.mean()], (np.array(point) + 0.5) * scale - 0.5, atol=1.5)


def test_figures_show_errors_and_leave_out_what_is_not_labelled():
    rng = np.random.default_rng(0)
    errors, confidence = rng.random((30, 3)) * 9, rng.random((30, 3))
    whole = error_by_landmark(table_by_landmark(errors, ["a", "b", "c"]))
    errors[:, 2] = np.nan
    less = error_by_landmark(table_by_landmark(errors, ["a", "b", "c"]))
    assert len(pixels(less)) < len(pixels(whole))
    drawn = pixels(error_against_confidence(error_by_confidence(errors, confidence)))
    assert near(drawn, (0, 114, 178)).sum() > 100
