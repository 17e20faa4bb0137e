"""Clean signers raise no alarm, damaged ones do, and each damage its own."""

import numpy as np
import pytest

from sign_recog.corpora.synthetic.corpus import SignTake
from sign_recog.corpora.synthetic.render import Renderer
from sign_recog.landmarks.faults import jumps, longest_still, shoulder_width, swapped_frames
from sign_recog.landmarks.layout import get_layout
from sign_recog.landmarks.named import NamedLandmarks
from sign_recog.landmarks.named_layout import NamedLayout

LAYOUT = get_layout("holistic_75")
LEFT, RIGHT = LAYOUT.parts["left_hand"], LAYOUT.parts["right_hand"]


def signed(number, *, tremble=0.002, lost=0.1):
    """(T, 75, 3) true landmarks of a drawn signer, as an extractor would see them, and its fps."""
    take = SignTake(3, "train", number % 4, number, 0, 128)
    motion = take.perform()
    points = np.concatenate([motion.pose, motion.hands.reshape(len(motion.pose), -1, 3)], axis=1)
    keypoints = Renderer(take.signer, 128).to_image(points)
    rng = np.random.default_rng(number)
    keypoints += rng.normal(0, tremble, keypoints.shape)
    for part in (LEFT, RIGHT):
        keypoints[rng.random(len(keypoints)) < lost, part] = np.nan
    return keypoints.astype(np.float32), take.signer.fps


def found(keypoints, fps, layout=LAYOUT):
    kinds = {"swapped": len(swapped_frames(keypoints, layout)) > 0}
    kinds |= {"jump": jumps(keypoints, layout, fps=fps, factor=8) != {}, "frozen": longest_still(keypoints) > 10}
    return [kind for kind, there in kinds.items() if there]


@pytest.mark.parametrize("tremble", [0.0, 0.002])
def test_clean_signers_raise_no_alarm(tremble):
    for number in range(30):
        assert found(*signed(number, tremble=tremble)) == [], number


@pytest.mark.parametrize("number", range(6))
def test_hands_that_change_places_for_some_frames_are_found(number):
    keypoints, _ = signed(number, lost=0)
    apart = np.linalg.norm(keypoints[:, 33, :2] - keypoints[:, 54, :2], axis=1)
    start = int(np.argmax(apart))  # where a change shows
    damaged = keypoints.copy()
    damaged[start : start + 4, LEFT], damaged[start : start + 4, RIGHT] = (
        keypoints[start : start + 4, RIGHT],
        keypoints[start : start + 4, LEFT],
    )
    frames = swapped_frames(damaged, LAYOUT).tolist()
    assert start in frames and set(frames) <= set(range(start, start + 5))
    one_hand = damaged.copy()  # of one hand alone the pose's wrists tell
    one_hand[:, LEFT] = np.nan
    assert start in swapped_frames(one_hand, LAYOUT)


def test_hands_swapped_all_the_time_are_found_by_the_wrists():
    keypoints, _ = signed(1, lost=0)
    swapped = keypoints.copy()
    swapped[:, LEFT], swapped[:, RIGHT] = keypoints[:, RIGHT], keypoints[:, LEFT]
    assert len(swapped_frames(swapped, LAYOUT)) > len(keypoints) / 2


def test_hands_that_meet_have_not_changed_places():
    keypoints, _ = signed(1, lost=0, tremble=0)
    keypoints[:, LEFT, :2] += (keypoints[:, 54:55, :2] - keypoints[:, 33:34, :2]) * 0.9  # held together
    keypoints[:, 15, :2] = keypoints[:, 33, :2]
    keypoints[5, LEFT], keypoints[5, RIGHT] = keypoints[5, RIGHT].copy(), keypoints[5, LEFT].copy()
    assert not len(swapped_frames(keypoints, LAYOUT))


@pytest.mark.parametrize("lasts", [1, 2, 100])
@pytest.mark.parametrize("part", ["left_hand", "right_hand", "pose"])
def test_a_part_that_is_elsewhere_at_once_has_jumped(part, lasts):
    for number in range(6):
        keypoints, fps = signed(number, lost=0)
        # Of a hand that shakes by itself a jump cannot be told from its movement: one where it is calm.
        moved = np.linalg.norm(np.diff(keypoints[:, LAYOUT.parts[part], :2].mean(1), axis=0), axis=1)
        at = 4 + int(np.argmin(np.convolve(moved, np.ones(5), "same")[4 : len(moved) - 5]))
        keypoints[at : at + lasts, LAYOUT.parts[part], 1] += 0.45
        frames = jumps(keypoints, LAYOUT, fps=fps, factor=8)
        assert list(frames) == [part] and at in frames[part], number


def test_beside_missing_frames_no_jump_is_said():
    keypoints, fps = signed(0, lost=0)
    keypoints[10, LEFT] = np.nan
    keypoints[11:, LEFT, 0] += 0.4
    assert jumps(keypoints, LAYOUT, fps=fps, factor=8) == {}


def test_the_longest_stand_still_by_hand():
    keypoints, fps = signed(0)
    assert longest_still(keypoints) == 0
    for frames in (3, 11):
        keypoints[5 : 5 + frames + 1] = keypoints[5]
        assert longest_still(keypoints) == frames
    assert found(keypoints, fps) == ["frozen"]
    keypoints[:] = np.nan
    assert longest_still(keypoints) == 0 == longest_still(keypoints[:1])


def test_shoulders_are_as_wide_as_they_are():
    keypoints, _ = signed(0, tremble=0)
    expected = np.median(np.hypot(*(keypoints[:, 11, :2] - keypoints[:, 12, :2]).T))
    assert shoulder_width(keypoints, LAYOUT) == pytest.approx(expected)


def test_other_landmarks_have_no_hands_to_swap_and_can_jump_and_stand_still():
    layout = NamedLayout.of(NamedLandmarks(("nose", "paw")))
    keypoints = np.random.default_rng(0).normal(0.5, 0.002, (40, 2, 3))
    assert found(keypoints, 25, layout) == []
    keypoints[20:] += 0.3
    keypoints[:12] = keypoints[0]
    assert found(keypoints, 25, layout) == ["jump", "frozen"]


def test_short_and_empty_clips_say_nothing():
    keypoints, fps = signed(0)
    for length in (0, 1, 2, 4):
        assert found(keypoints[:length], fps) == []


def test_a_wrist_that_the_pose_lost_is_no_swap():
    keypoints, _ = signed(1, lost=0)
    keypoints[8, 15, :2] = [-0.4, 1.4]  # the left hand is far from its wrist, and nowhere near the right one
    assert not len(swapped_frames(keypoints, LAYOUT))
