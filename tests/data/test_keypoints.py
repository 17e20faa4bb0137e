"""What the network reads, against the steps done by hand."""

import numpy as np
import pytest
from conftest import load_config

from sign_recog.data.keypoints import KeypointReader
from sign_recog.errors import ConfigError, DataError
from sign_recog.landmarks.augment import HandDropout, Mirror, Resample
from sign_recog.landmarks.impute import impute_gaps, impute_parts
from sign_recog.landmarks.layout import get_layout
from sign_recog.landmarks.normalize import normalize_chest, normalize_image, normalize_neck
from sign_recog.storage.sequences import KeypointSequence


def preprocessor(*overrides: str) -> KeypointReader:
    return KeypointReader(load_config("extractor.layout=holistic_543", "augment=none", *overrides).modality)


def sequence(layout: str = "holistic_75", length: int = 9) -> KeypointSequence:
    rng = np.random.default_rng(0)
    keypoints = rng.random((length, len(get_layout(layout)), 3), dtype=np.float32)
    keypoints[2:4, 33:54] = np.nan
    confidence = (~np.isnan(keypoints[..., 0])).astype(np.float32)
    meta = {"width": 640, "height": 480}
    return KeypointSequence(keypoints, confidence, 40 * np.arange(length), get_layout(layout), meta)


@pytest.mark.parametrize("layout", ["signon_67", "holistic_75"])
@pytest.mark.parametrize("normalization", ["neck", "chest", "image"])
@pytest.mark.parametrize("imputation", ["parts", "gaps"])
def test_the_input_is_selection_imputation_normalisation_in_this_order(layout, normalization, imputation):
    own = preprocessor(
        f"modality.layout={layout}",
        f"modality.normalization={normalization}",
        f"modality.imputation={imputation}",
        "modality.limit=null",
        "modality.presence=false",
    )
    target, clip = get_layout(layout), sequence()
    points = clip.keypoints[:, target.ids, :2]
    points = impute_parts(points, target) if imputation == "parts" else impute_gaps(points, 5)
    expected = {
        "neck": lambda: normalize_neck(points, target),
        "chest": lambda: normalize_chest(points, target),
        "image": lambda: normalize_image(points, 640, 480),
    }[normalization]()
    found = own.frames(clip, "clip")
    assert found.shape == (9, own.input_dim) == (9, 2 * len(target))
    np.testing.assert_allclose(found, expected.reshape(9, -1), atol=1e-6)


def test_presence_says_which_parts_were_filled_in():
    without, own = preprocessor("modality.presence=false"), preprocessor()
    found = own.frames(sequence(), "clip")
    np.testing.assert_array_equal(found[:, :134], without.frames(sequence(), "clip"))
    assert found.shape == (9, own.input_dim) == (9, 134 + 3)
    np.testing.assert_array_equal(found[:, 135], [1, 1, 0, 0, 1, 1, 1, 1, 1])  # the left hand is missing twice


def test_presence_follows_its_part_through_random_changes():
    own = preprocessor()
    frames = own.frames(sequence(), "clip")

    def changed(frames: np.ndarray, change) -> np.ndarray:
        batch, lengths = own.augmented(frames[None], np.array([len(frames)]), [change], np.random.default_rng(0))
        return batch[0, : lengths[0]]

    mirrored = changed(frames, Mirror(own.layout))
    np.testing.assert_array_equal(mirrored[:, 136], frames[:, 135])  # what was left is right now
    np.testing.assert_array_equal(mirrored[:, 135], frames[:, 136])
    np.testing.assert_allclose(changed(mirrored, Mirror(own.layout)), frames)
    slow = changed(frames, Resample(slowest=0.5, fastest=0.5))
    assert slow.shape == (18, 137)
    np.testing.assert_allclose(slow[[0, -1]], frames[[0, -1]], atol=1e-6)
    dropped = changed(frames, HandDropout(own.layout))
    assert sorted(dropped[:, 135:].sum(0) == 0) == [False, True]


def test_a_hand_that_never_appears_is_zero_not_nan():
    clip = sequence()
    clip.keypoints[:, 54:] = np.nan
    own = preprocessor()
    assert not own.frames(clip, "clip")[:, 92:134].any()


def test_points_that_were_not_stored_are_asked_for():
    with pytest.raises(ConfigError, match="needs 11 points that layout holistic_75 does not hold"):
        preprocessor("modality.layout=fslr_78").frames(sequence(), "clip")


def test_a_clip_without_frames_is_an_error():
    with pytest.raises(DataError, match="holds no frame"):
        preprocessor().frames(sequence(length=0), "clip.npz")


def test_coordinates_are_cut_to_the_limit_and_no_other():
    whole, cut = (preprocessor(f"modality.limit={limit}").frames(sequence(), "clip") for limit in ("null", "1.5"))
    assert np.abs(whole).max() > 1.5
    np.testing.assert_array_equal(cut, whole.clip(-1.5, 1.5))


def test_the_input_can_be_had_at_another_rate():
    own = preprocessor("modality.target_fps=50").frames(sequence(), "clip")
    at_25 = preprocessor().frames(sequence(), "clip")
    np.testing.assert_array_equal(own[::2], at_25)
    np.testing.assert_allclose(own[1], (at_25[0] + at_25[1]) / 2, atol=1e-6)


def test_s0_the_number_of_coordinates_is_a_setting():
    """S0 took --mediapipe_2d and went on as without it. Here against the pose about the neck, in shoulder widths."""
    for coordinates in (2, 3):
        settings = (f"modality.coordinates={coordinates}", "modality.presence=false", "modality.limit=null")
        own, pose = preprocessor(*settings), sequence().keypoints[:, :25, :coordinates]
        found = own.frames(sequence(), "clip")
        assert found.shape == (9, own.input_dim) == (9, 67 * coordinates)
        left, right = pose[:, 11:12], pose[:, 12:13]
        expected = (pose - (left + right) / 2) / np.linalg.norm(left - right, axis=2, keepdims=True)
        np.testing.assert_allclose(found[:, : 25 * coordinates], expected.reshape(9, -1), rtol=1e-4, atol=1e-5)


def test_s0_a_hand_lost_between_equal_frames_is_where_it_was_and_said_to_be_missing():
    """MediaPipe loses hands between near-identical frames (its issue 3767); a still clip shows what is filled in."""
    clip = sequence()
    clip.keypoints[:] = clip.keypoints[0]
    whole, own = clip.keypoints.copy(), preprocessor()
    clip.keypoints[1::2, 33:54] = np.nan
    found = own.frames(clip, "clip")
    clip.keypoints[:] = whole
    np.testing.assert_allclose(found[:, :134], own.frames(clip, "clip")[:, :134], atol=1e-5)
    assert found[:, 135].tolist() == [1, 0, 1, 0, 1, 0, 1, 0, 1]


def test_a_file_without_the_images_size_is_said_where_it_is_needed():
    clip = sequence()
    clip.meta = {}
    assert preprocessor().frames(clip, "clip").shape[0] == 9
    with pytest.raises(DataError, match="clip: its meta does not say the image's width and height"):
        preprocessor("modality.normalization=image").frames(clip, "clip")
