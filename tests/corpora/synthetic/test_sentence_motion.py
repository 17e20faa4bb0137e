"""A sentence is its signs one after another, with hands that move like hands in between."""

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sign_recog.corpora.synthetic.motion import perform
from sign_recog.corpora.synthetic.sentence_motion import perform_sentence
from sign_recog.corpora.synthetic.signer import draw_signer
from sign_recog.corpora.synthetic.signs import build_lexicon

SIGNS = build_lexicon(20)


def a_signer(**changes):
    return dataclasses.replace(draw_signer("someone", left_handed=False, rng=np.random.default_rng(3)), **changes)


def test_arms_keep_their_lengths_and_move_like_a_persons():
    signer = a_signer(fps=25)
    pose = perform_sentence(SIGNS[:7], signer, np.random.default_rng(0)).pose
    for side in (0, 1):
        shoulder, elbow, wrist = pose[:, 11 + side], pose[:, 13 + side], pose[:, 15 + side]
        assert_allclose(np.linalg.norm(elbow - shoulder, axis=-1), signer.upper_arm)
        assert_allclose(np.linalg.norm(wrist - elbow, axis=-1), signer.forearm)
        assert np.linalg.norm(np.diff(wrist, axis=0), axis=-1).max() * signer.fps < 22  # shoulder widths a second


@pytest.mark.parametrize("number", range(0, 20, 3))
def test_each_sign_is_where_it_is_when_signed_alone(number):
    """Between its neighbours a sign's hand is at its own place, with its own fingers."""
    signer, sign = a_signer(fps=50, reach=1.0), SIGNS[number]
    alone = perform(sign, signer, np.random.default_rng(1))
    motion = perform_sentence(
        [SIGNS[(number + 7) % 20], sign, SIGNS[(number + 2) % 20]], signer, np.random.default_rng(2)
    )
    first, end = motion.signs[1]
    strokes = np.flatnonzero(alone.signing[:, 1])
    expected = alone.hands[strokes, 1] - alone.pose[strokes, 12][:, None]
    found = motion.hands[first:end, 1] - motion.pose[first:end, 12][:, None]
    assert_allclose(found.mean(axis=0), expected.mean(axis=0), atol=0.14)  # shoulder widths; takes differ


def test_spans_are_in_order_and_within_the_take():
    motion = perform_sentence(SIGNS[:6], a_signer(), np.random.default_rng(0))
    edges = np.array(motion.signs)
    assert edges.shape == (6, 2) and (np.diff(edges.ravel()) >= 0).all()
    assert edges.min() > 0 and edges.max() < len(motion.pose)
    assert all(motion.signing[first:end, 1].all() for first, end in motion.signs)


def test_a_hand_that_only_some_signs_need_rests_in_the_others():
    one, two = next(s for s in SIGNS if s.num_hands == 1), next(s for s in SIGNS if s.num_hands == 2)
    motion = perform_sentence([one, two, one], a_signer(fps=50), np.random.default_rng(0))
    other = [motion.signing[first:end, 0].mean() for first, end in motion.signs]
    assert other[0] == 0 and other[1] > 0.95 and other[2] == 0


def test_all_positions_are_finite_and_repeat_with_the_same_numbers():
    for seed in range(5):
        signs = [SIGNS[i] for i in np.random.default_rng(seed).integers(0, 20, 5)]
        first, again = (perform_sentence(signs, a_signer(), np.random.default_rng(seed)) for _ in range(2))
        assert np.isfinite(first.hands).all() and np.isfinite(first.pose[:, :25]).all()
        assert np.array_equal(first.hands, again.hands) and first.signs == again.signs


def test_left_handers_sign_the_mirror_image():
    right, left = (
        perform_sentence(SIGNS[:4], a_signer(left_handed=hand), np.random.default_rng(7)) for hand in (False, True)
    )
    middle = right.pose[:, 11:13].mean(axis=1)[:, None, None]
    assert_allclose((left.hands - middle)[:, ::-1], (right.hands - middle) * (-1, 1, 1), atol=1e-12)
