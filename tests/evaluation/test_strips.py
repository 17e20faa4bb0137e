import cv2
import numpy as np
import pytest
from matplotlib.colors import to_hex

from sign_recog.evaluation import strips
from sign_recog.evaluation.strips import PART_COLOURS, frame_indices, skeleton_strip
from sign_recog.landmarks.layout import LAYOUTS, get_layout
from sign_recog.storage.sequences import KeypointSequence


def sequence(layout="fslr_78", num_frames=20, seed=0) -> KeypointSequence:
    layout = get_layout(layout)
    keypoints = np.random.default_rng(seed).random((num_frames, len(layout), 3)).astype(np.float32)
    timestamps_ms = np.arange(num_frames) * 40
    return KeypointSequence(keypoints, np.ones(keypoints.shape[:2], np.float32), timestamps_ms, layout, {})


@pytest.fixture
def axes(monkeypatch):
    """The axes drawn in a test."""
    drawn = []
    to_bytes = strips.png_bytes
    monkeypatch.setattr(strips, "png_bytes", lambda figure: drawn.extend(figure.axes) or to_bytes(figure))
    return drawn


def segments(axes) -> dict[str, int]:
    """Colour -> number of lines."""
    return {to_hex(c.get_colors()[0]).upper(): len(c.get_segments()) for c in axes.collections if len(c.get_segments())}


@pytest.mark.parametrize("num_frames", [1, 2, 7, 8, 9, 100])
def test_frames_are_evenly_spaced_and_reach_both_ends(num_frames):
    frames = frame_indices(num_frames, 8)
    assert frames[0] == 0 and frames[-1] == num_frames - 1
    assert len(frames) == min(8, num_frames)
    assert np.ptp(np.diff(frames)) <= 1 if len(frames) > 1 else True


@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_every_limb_above_the_knees_is_drawn_in_its_parts_colour(layout, axes):
    shown = sequence(layout)
    image = cv2.imdecode(np.frombuffer(skeleton_strip(shown, num_frames=5), np.uint8), cv2.IMREAD_COLOR)
    assert image.shape[1] > image.shape[0]
    legs = set(range(25, 33))
    ids = shown.layout.ids
    limbs = [(ids[a], ids[b]) for a, b in shown.layout.limbs if not {ids[a], ids[b]} & legs]
    body = sum(a < 33 for a, _ in limbs)
    assert segments(axes[0]) == {
        PART_COLOURS["pose"]: 5 * body,
        PART_COLOURS["left_hand"]: 5 * 21,
        PART_COLOURS["right_hand"]: 5 * 21,
    }


def test_a_hand_that_was_not_seen_is_not_drawn(axes):
    hidden = sequence()
    hidden.keypoints[:10, hidden.layout.parts["left_hand"]] = np.nan
    skeleton_strip(hidden, num_frames=4)  # frames 0, 6, 13, 19
    assert segments(axes[0])[PART_COLOURS["left_hand"]] == 2 * 21
    assert segments(axes[0])[PART_COLOURS["right_hand"]] == 4 * 21


def test_frames_without_anybody_say_so(axes):
    empty = sequence(num_frames=3)
    empty.keypoints[1] = np.nan
    skeleton_strip(empty)
    texts = [text.get_text() for text in axes[0].texts]
    assert texts == ["0.00 s", "nobody\nseen", "0.04 s", "0.08 s"]


def test_a_clip_without_anybody_can_be_drawn(axes):
    empty = sequence(num_frames=3)
    empty.keypoints[:] = np.nan
    skeleton_strip(empty)
    assert [text.get_text() for text in axes[0].texts].count("nobody\nseen") == 3


def test_the_picture_is_upright_and_keeps_proportions(axes):
    skeleton_strip(sequence())
    bottom, top = axes[0].get_ylim()
    left, right = axes[0].get_xlim()
    assert bottom > top and left < right  # y grows downwards, x to the right: nobody is mirrored
    assert axes[0].get_aspect() == 1


def test_the_strip_does_not_depend_on_where_the_signer_stands():
    here, there = sequence(), sequence()
    there.keypoints[:, :, :2] += np.float32(4)
    images = [cv2.imdecode(np.frombuffer(skeleton_strip(s), np.uint8), cv2.IMREAD_COLOR) for s in (here, there)]
    assert images[0].shape == images[1].shape
    assert np.abs(images[0].astype(int) - images[1]).mean() < 1


def test_no_frame_is_no_strip():
    with pytest.raises(ValueError, match="no frame"):
        skeleton_strip(sequence(num_frames=0))
