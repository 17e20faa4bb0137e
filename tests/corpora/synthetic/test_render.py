import dataclasses

import numpy as np
import pytest

from sign_recog.corpora.synthetic.motion import perform
from sign_recog.corpora.synthetic.render import Renderer
from sign_recog.corpora.synthetic.signer import draw_signer
from sign_recog.corpora.synthetic.signs import HANDSHAPES, MOVEMENTS, PLACES, Sign

SPREAD, HOLD = HANDSHAPES[0], MOVEMENTS[0]


@pytest.fixture(scope="module")
def scene():
    """A left-hander with pale skin before a blue wall, holding a hand beside the head."""
    signer = draw_signer("someone", left_handed=True, rng=np.random.default_rng(5))
    signer = dataclasses.replace(signer, skin=(225, 170, 140), wall=(90, 110, 220), shirt=(20, 90, 20))
    motion = perform(Sign(SPREAD, PLACES[0], HOLD, 1), signer, np.random.default_rng(1))
    frame = int(np.flatnonzero(motion.signing[:, 0])[3])
    renderer = Renderer(signer, image_size=256)
    return renderer, motion.pose[frame], motion.hands[frame]


def test_skin_is_where_the_truth_says_the_hand_is(scene):
    renderer, pose, hands = scene
    image = renderer.draw(pose, hands).astype(int)
    columns, rows = (renderer.to_image(hands)[0, :, :2] * 256).astype(int).T
    red_over_blue = image[rows, columns, 0] - image[rows, columns, 2]
    assert (red_over_blue > 20).all()  # skin at all 21 joints
    empty = renderer.to_image(hands)[0, 12, :2] * 256 - (0, 12)  # above the tip of the middle finger
    column, row = empty.astype(int)
    assert image[row, column, 0] < image[row, column, 2]  # wall


def test_left_and_right_are_the_signers(scene):
    renderer, pose, hands = scene
    assert pose[11, 0] > pose[12, 0]  # the signer faces us: their left is on the image's right
    image = renderer.draw(pose, hands).astype(int)
    skin_beside_head = (image[:, :, 0] - image[:, :, 2] > 20) & (np.arange(256) > 170)
    assert skin_beside_head[:100].any()  # the left-hander's raised hand


def test_to_image_counts_in_image_widths_and_leaves_its_argument_alone(scene):
    renderer, pose, _ = scene
    before = pose.copy()
    image = renderer.to_image(pose)
    share = renderer.signer.shoulder_px_share
    assert np.linalg.norm(image[11] - image[12]) == pytest.approx(share)
    np.testing.assert_array_equal(pose, before)


def test_an_image_of_twice_the_size_shows_the_same(scene):
    renderer, pose, hands = scene
    small = renderer.draw(pose, hands)
    large = Renderer(renderer.signer, image_size=512).draw(pose, hands)
    averaged = large.reshape(256, 2, 256, 2, 3).mean(axis=(1, 3))
    assert np.abs(averaged - small).mean() < 2
