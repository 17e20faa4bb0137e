"""Landmarks that a user names: what belongs together is known by name, and contradictions are refused."""

import numpy as np
import pytest

from sign_recog.errors import DataError
from sign_recog.landmarks.layout import get_layout
from sign_recog.landmarks.named import NamedLandmarks

NAMES = ("left", "right", "top", "top_below", "left_below")


def test_partners_views_and_limbs_are_places_on_the_axis():
    found = NamedLandmarks(
        NAMES, (("left", "right"),), (("left", "top"), ("left_below", "top_below")), (("top", "left"),)
    )
    points = np.arange(10).reshape(1, 5, 2)
    assert found.mirror.tolist() == [1, 0, 2, 3, 4]
    assert points[:, found.mirror][0, 0].tolist() == points[0, 1].tolist()
    assert found.view_index.tolist() == [[0, 2], [4, 3]]
    assert found.limb_index == [(2, 0)]
    assert NamedLandmarks(NAMES).view_index.shape == (0, 0)


@pytest.mark.parametrize(
    "landmarks",
    [NamedLandmarks(NAMES, (("left", "right"),), (("left",), ("left_below",))),
     NamedLandmarks.of_layout(get_layout("holistic_75"))],
)  # fmt: skip
def test_json_and_back(landmarks):
    assert NamedLandmarks.from_json(landmarks.to_json()) == landmarks


def test_a_layouts_mirror_is_the_named_ones():
    layout = get_layout("holistic_75")
    assert NamedLandmarks.of_layout(layout).mirror.tolist() == layout.mirror.tolist()


@pytest.mark.parametrize(
    ("names", "groups", "words"),
    [
        (("a", "a"), {}, "a comes more than once"),
        (NAMES, {"swap_pairs": (("left", "wrong"),)}, "data.swap_pairs names wrong"),
        (NAMES, {"swap_pairs": (("left", "right"), ("left", "top"))}, "left more than once"),
        (NAMES, {"views": (("left", "top"),)}, "two views or more"),
        (NAMES, {"views": (("left", "top"), ("left_below",))}, "lists 2, 1 landmarks"),
        (NAMES, {"limbs": (("left", "nowhere"),)}, "data.limbs names nowhere"),
    ],
)
def test_contradictions_are_refused(names, groups, words):
    with pytest.raises(DataError, match=words):
        NamedLandmarks(names, **groups)


def test_points_with_holistics_names_have_its_pairs_and_limbs_unless_others_are_given():
    names = ("pose.nose", "pose.left_wrist", "pose.left_elbow", "pose.right_wrist", "tail")
    found = NamedLandmarks(names).with_holistics()
    assert found.swap_pairs == (("pose.left_wrist", "pose.right_wrist"),)
    assert set(found.limbs) == {("pose.left_elbow", "pose.left_wrist")}
    own = NamedLandmarks(names, swap_pairs=(("pose.nose", "tail"),), limbs=(("pose.nose", "tail"),))
    assert own.with_holistics() == own
