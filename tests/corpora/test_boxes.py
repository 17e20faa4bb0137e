"""Boxes of signers: what columns say, and which pixels are cut out."""

import pytest

from sign_recog.corpora.boxes import Box, read_box, to_pixels, to_size


@pytest.mark.parametrize(
    "extra",
    [
        {"box": "1 2 30 40.5"},
        {"box": "1, 2, 30, 40.5"},
        {"box": "[1, 2, 30, 40.5]"},
        {"x0": "1", "y0": "2", "x1": "30", "y1": "40.5"},
    ],
)
def test_boxes_are_read_from_either_form_of_columns(extra):
    assert read_box(extra) == (1, 2, 30, 40.5)


def test_a_row_without_a_box_has_none():
    assert read_box({"box": "", "occluded": "1"}) is None


@pytest.mark.parametrize("text", ["1 2 3", "a b c d", "1 2 3 4 5", "nan 1 2 3"])
def test_what_is_no_box_is_named(text):
    with pytest.raises(ValueError, match="box"):
        read_box({"box": text})


def test_a_box_is_cut_to_the_picture_and_covers_every_pixel_it_touches():
    assert to_pixels((-5, 2.3, 40.2, 500), 100, 60) == Box(0, 2, 41, 60)


@pytest.mark.parametrize("box", [(0, 0, 0, 0), (30, 30, 20, 50), (200, 0, 300, 60), (5, 5, 15, 60)])
def test_an_empty_box_is_none(box):
    assert to_pixels(box, 100, 60) is None


@pytest.mark.parametrize("width", range(40, 47))
@pytest.mark.parametrize("left", [0, 3])
def test_sides_are_even_and_nothing_is_enlarged(width, left):
    box, size = to_size(Box(left, 0, left + width, 50), 49, 50, 64)
    assert size == (box.width, box.height) and not size[0] % 2 and not size[1] % 2
    assert 0 <= box.left <= box.right <= 49 and abs(box.width - width) <= 1


@pytest.mark.parametrize(("box", "size"), [(Box(0, 0, 320, 181), (114, 64)), (Box(9, 0, 110, 333), (64, 212))])
def test_the_shorter_side_is_what_was_asked_and_the_picture_keeps_its_shape(box, size):
    assert to_size(box, 320, 400, 64) == (box, size)
    assert size[0] / size[1] == pytest.approx(box.width / box.height, rel=0.02)
