import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sign_recog.corpora.synthetic.motion import perform
from sign_recog.corpora.synthetic.signer import draw_signer
from sign_recog.corpora.synthetic.signs import build_lexicon

LEXICON = build_lexicon(35)  # every place with every movement


def a_signer(seed=0, **changes):
    signer = draw_signer("someone", left_handed=False, rng=np.random.default_rng(seed))
    return dataclasses.replace(signer, **changes)


@pytest.mark.parametrize("sign", LEXICON, ids=lambda sign: sign.gloss)
def test_arms_keep_their_lengths_and_move_like_a_person(sign):
    signer = a_signer(seed=3)
    pose = perform(sign, signer, np.random.default_rng(0)).pose
    for side in (0, 1):
        shoulder, elbow, wrist = pose[:, 11 + side], pose[:, 13 + side], pose[:, 15 + side]
        assert_allclose(np.linalg.norm(elbow - shoulder, axis=-1), signer.upper_arm)
        assert_allclose(np.linalg.norm(wrist - elbow, axis=-1), signer.forearm)
        speed = np.linalg.norm(np.diff(wrist, axis=0), axis=-1) * signer.fps
        assert speed.max() < 18  # shoulder widths a second: about 6 m/s, a brisk raise of the hand


@pytest.mark.parametrize("sign", LEXICON[:10], ids=lambda sign: sign.gloss)
def test_left_handers_sign_the_mirror_image(sign):
    right = perform(sign, a_signer(left_handed=False), np.random.default_rng(7))
    left = perform(sign, a_signer(left_handed=True), np.random.default_rng(7))
    middle = right.pose[:, 11:13].mean(axis=1)[:, None, None]  # the body sways alike in both
    assert_allclose((left.hands - middle)[:, ::-1], (right.hands - middle) * (-1, 1, 1), atol=1e-12)
    assert (left.signing == right.signing[:, ::-1]).all()


def test_an_idle_hand_neither_signs_nor_rises():
    one_handed = next(sign for sign in LEXICON if sign.num_hands == 1)
    motion = perform(one_handed, a_signer(left_handed=False), np.random.default_rng(2))
    assert motion.signing[:, 1].any()
    assert not motion.signing[:, 0].any()
    assert np.ptp(motion.hands[:, 0], axis=0).max() < 0.05
    assert np.ptp(motion.hands[:, 1, 0, 1]) > 0.5


@pytest.mark.parametrize("sign", [sign for sign in LEXICON if sign.movement.name == "hold"], ids=lambda s: s.gloss)
def test_a_held_sign_is_at_its_place(sign):
    motion = perform(sign, a_signer(left_handed=True), np.random.default_rng(4))
    knuckle = motion.hands[motion.signing[:, 0], 0, 9] - motion.pose[motion.signing[:, 0], 11:13].mean(axis=1)
    outward, down, _ = sign.place.centre
    if sign.num_hands == 2:
        outward = max(outward, 0.42)
    assert_allclose(knuckle[:, :2], np.broadcast_to([outward, down], knuckle[:, :2].shape), atol=0.12)


def test_takes_of_one_sign_differ_but_not_by_much():
    first, second = (perform(LEXICON[0], a_signer(), np.random.default_rng(take)) for take in (1, 2))
    a, b = (m.hands[m.signing[:, 1], 1, 8].mean(axis=0) for m in (first, second))
    assert 1e-3 < np.linalg.norm(a - b) < 0.25


def test_a_take_begins_and_ends_with_the_hands_down():
    for seed in range(5):
        motion = perform(LEXICON[1], a_signer(seed), np.random.default_rng(seed))
        assert (motion.hands[[0, -1], :, 0, 1] > 0.9).all()
        assert motion.signing.any(axis=0).all()
