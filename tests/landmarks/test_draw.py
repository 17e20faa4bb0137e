"""Skeletons are drawn where the points are, and nowhere else."""

import numpy as np
import pytest

from sign_recog.landmarks import draw
from sign_recog.landmarks.layout import get_layout

HEIGHT, WIDTH = 180, 320


@pytest.fixture
def image():
    return np.full((HEIGHT, WIDTH, 3), 90, np.uint8)


def missing(layout):
    return np.full((len(layout), 3), np.nan, np.float32)


@pytest.mark.parametrize("name", ["holistic_75", "signon_67", "fslr_78", "holistic_543"])
def test_missing_points_leave_the_picture_alone(image, name):
    layout = get_layout(name)
    assert np.array_equal(draw.draw_skeleton(image, missing(layout), layout), image)


def test_the_given_picture_is_not_drawn_on(image):
    layout, before = get_layout("holistic_75"), image.copy()
    keypoints = np.random.default_rng(0).random((75, 3)) * [1, HEIGHT / WIDTH, 1]
    assert not np.array_equal(draw.draw_skeleton(image, keypoints, layout), before)
    assert np.array_equal(image, before)


@pytest.mark.parametrize(("part", "color"), [("left_hand", draw.LEFT_HAND), ("right_hand", draw.RIGHT_HAND)])
def test_a_hand_is_drawn_at_its_place_in_its_side_s_colour(image, part, color):
    layout = get_layout("holistic_75")
    keypoints = missing(layout)
    points = np.linspace([0.4, 0.2, 0], [0.6, 0.4, 0], 21)
    keypoints[layout.parts[part]] = points
    drawn = draw.draw_skeleton(image, keypoints, layout)
    changed = np.argwhere((drawn != image).any(axis=2)) / WIDTH  # rows, columns in image widths
    reach = 4 / WIDTH
    assert changed.min(axis=0) == pytest.approx([0.2, 0.4], abs=reach)
    assert changed.max(axis=0) == pytest.approx([0.4, 0.6], abs=reach)
    row, column = (np.array([points[10][1], points[10][0]]) * WIDTH).round().astype(int)
    assert np.abs(drawn[row, column].astype(int) - color).max() < 40


def test_points_far_outside_are_left_out(image):
    layout = get_layout("holistic_75")
    keypoints = missing(layout)
    keypoints[[11, 12]] = [[1e6, 0.2, 0], [-1e9, 0.2, 0]]
    assert np.array_equal(draw.draw_skeleton(image, keypoints, layout), image)


def test_a_label_changes_only_its_corner(image):
    drawn = draw.draw_label(image, "größer 87 %")
    rows, columns = np.nonzero((drawn != image).any(axis=2))
    assert rows.max() < HEIGHT / 4
    assert columns.max() < WIDTH / 2
    assert drawn.shape == image.shape
    assert drawn.dtype == np.uint8


SENTENCE = "Am Mittwoch fällt zunächst Schnee, später örtlich gefrierender Regen bei größerer Kälte."


@pytest.mark.parametrize("width", [48, 160, 640])
@pytest.mark.parametrize("text", [SENTENCE, "Donaudampfschifffahrtsgesellschaftskapitänsmütze", "ja", ""])
def test_a_caption_stands_below_the_picture_and_nothing_is_cut_off(width, text):
    picture = np.random.default_rng(0).integers(0, 255, (90, width, 3), dtype=np.uint8)
    drawn = draw.draw_caption(picture, text)
    assert drawn.dtype == np.uint8 and np.array_equal(drawn[:90], picture)
    band = drawn[90:].astype(int)
    letters = (np.abs(band - band[0, 0]) > 40).any(axis=2)
    assert letters.any() == bool(text)
    edges = [letters[:2], letters[-2:], letters[:, :2], letters[:, -2:]]
    assert not any(edge.any() for edge in edges)  # so no letter goes on beyond


def test_a_caption_has_a_line_s_width_of_words_and_all_of_them():
    lines = draw._lines(SENTENCE, len, 20)
    assert " ".join(lines) == SENTENCE and max(map(len, lines)) <= 20
    words = SENTENCE.split()
    firsts = [line.split()[0] for line in lines[1:]]
    assert (
        all(len(line) + 1 + len(first) > 20 for line, first in zip(lines, firsts, strict=False)) and firsts[0] in words
    )
    assert draw._lines("abcdefgh ij", len, 3) == ["abc", "def", "gh", "ij"]


def test_umlauts_have_glyphs_of_their_own():
    width = 320
    blank = np.zeros((10, width, 3), np.uint8)
    bands = [draw.draw_caption(blank, letter)[10:] for letter in ("ä", "a", "ß", "Ü", "U", "\uffff")]
    assert all(not np.array_equal(one, other) for i, one in enumerate(bands) for other in bands[:i])
