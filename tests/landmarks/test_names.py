import pytest

from sign_recog.landmarks.layout import get_layout
from sign_recog.landmarks.names import HAND_NAMES, POSE_NAMES, point_names


def test_names_are_mediapipes():
    holistic = pytest.importorskip("mediapipe.python.solutions.holistic", exc_type=ImportError)
    assert [point.name.lower() for point in holistic.PoseLandmark] == list(POSE_NAMES)
    assert [point.name.lower() for point in holistic.HandLandmark] == list(HAND_NAMES)


@pytest.mark.parametrize("layout", ["holistic_543", "holistic_75", "signon_67", "fslr_78"])
def test_every_point_has_a_name_of_its_own_that_begins_with_its_part(layout):
    names = point_names(get_layout(layout))
    assert len(set(names)) == len(names) == len(get_layout(layout))
    for part, points in get_layout(layout).parts.items():
        assert all(name.startswith(f"{part}.") for name in names[points])


def test_a_mirrored_point_has_the_name_of_the_other_side():
    layout = get_layout("signon_67")
    names = point_names(layout)

    def other_side(name: str) -> str:
        swap = {"left": "right", "right": "left"}
        return ".".join("_".join(swap.get(word, word) for word in part.split("_")) for part in name.split("."))

    assert [names[v] for v in layout.mirror] == [other_side(name) for name in names]
