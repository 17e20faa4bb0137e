"""Sharpening against its formula; people stay and the background goes."""

import numpy as np
import pytest

from sign_recog.errors import ConfigError
from sign_recog.extractors.frames import build_changes, check_changes, unsharp_mask


@pytest.fixture(autouse=True)
def opencv():
    pytest.importorskip("cv2", reason="OpenCV cannot be loaded; see the README on libGL", exc_type=ImportError)


def blurred_step(x, sigma):
    """A step from 0 to 1 between pixels -1 and 0, blurred by a sampled Gaussian."""
    taps = np.arange(-60, 61)
    weights = np.exp(-(taps**2) / (2 * sigma**2))
    return np.array([weights[taps <= i].sum() for i in x]) / weights.sum()


@pytest.mark.parametrize("sigma", [0.8, 1.5, 3.0])
def test_s0_unsharp_mask_steepens_an_edge_as_its_formula_says(sigma):
    low, high, x = 100, 150, np.arange(-20, 20)
    row = np.where(x >= 0, high, low).astype(np.uint8)
    image = np.tile(row[None, :, None], (40, 1, 3))
    sharp = unsharp_mask(image, sigma)
    expected = 2.0 * row - (low + (high - low) * blurred_step(x, sigma))
    assert sharp.dtype == np.uint8 and sharp.shape == image.shape
    inner = slice(10, 30)  # away from the border
    assert np.abs(sharp[20, inner, 1] - expected[inner]).max() < 1.5  # gray levels: OpenCV's 8-bit arithmetic
    assert sharp[20, 20, 0] > high + 5 and sharp[20, 19, 0] < low - 5


def test_sharpening_leaves_flat_areas_and_cuts_at_black_and_white():
    flat = np.full((20, 20, 3), 77, np.uint8)
    np.testing.assert_array_equal(unsharp_mask(flat, 2.0), flat)
    extreme = np.zeros((20, 20, 3), np.uint8)
    extreme[:, 10:] = 255
    np.testing.assert_array_equal(unsharp_mask(extreme, 2.0), extreme)


def test_nothing_is_changed_unless_asked_for():
    assert build_changes(None, None) == []
    check_changes(None, None)


@pytest.mark.parametrize(("sharpen", "background"), [(0.0, None), (-1.0, None), (None, "white")])
def test_settings_out_of_range_are_refused(sharpen, background):
    with pytest.raises(ConfigError, match=r"extractor\.(sharpen|background)="):
        check_changes(sharpen, background)


@pytest.fixture(scope="module")
def signer(tmp_path_factory):
    """A frame of the drawn signer, and where the signer's true landmarks are in it."""
    from sign_recog.corpora import synthetic
    from sign_recog.storage.sequences import read_keypoints
    from sign_recog.video.reader import read_frames

    folder = tmp_path_factory.mktemp("rendered")
    settings = {"num_glosses": 2, "takes_per_gloss": 1, "image_size": 256, "seed": 3, "num_workers": 0}
    corpus = synthetic.read(None, folder, num_signers={"train": 1, "val": 1, "test": 1}, **settings)
    video = folder / "clips" / corpus.clips[0].video
    truth = read_keypoints(folder / "truth" / f"{corpus.clips[0].clip_id}.npz")
    return next(iter(read_frames(video))).image, truth.keypoints[0]


def test_s1_black_background_keeps_the_person(signer):
    image, keypoints = signer
    (blacken,) = build_changes(None, "black")
    black = blacken(image)
    kept = (black != 0).any(axis=2)
    np.testing.assert_array_equal(black[kept], image[kept])
    assert 0.15 < kept.mean() < 0.85
    assert not kept[:40, :40].any() and not kept[:40, -40:].any()  # the upper corners are wall
    head_and_shoulders = np.round(keypoints[[0, 2, 5, 11, 12], :2] * 256).astype(int).clip(0, 255)
    assert kept[head_and_shoulders[:, 1], head_and_shoulders[:, 0]].all()
    assert (image[:40, :40] != 0).any(), "the wall is black already: the test would prove little"
