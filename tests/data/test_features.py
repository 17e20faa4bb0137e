"""Features as network input: what is stored, whatever the extractor."""

import numpy as np
import pytest

from sign_recog.config.modalities.features import FeatureScaling, FeaturesModality
from sign_recog.data.features import FeatureReader
from sign_recog.errors import ConfigError, DataError
from sign_recog.landmarks.augment import Jitter, Resample, TimeMask, Yaw
from sign_recog.storage.features import FeatureSequence, write_features

FEATURES = np.random.default_rng(0).normal(3, 2, (6, 4)).astype(np.float16)


def reader(scaling=FeatureScaling.none, point_size=1) -> FeatureReader:
    return FeatureReader(FeaturesModality("unused", "extract_features", scaling, point_size))


def test_what_is_stored_is_read_as_float32(tmp_path):
    write_features(tmp_path / "a.npz", FeatureSequence(FEATURES, np.arange(6)))
    frames = reader().read(tmp_path / "a.npz")
    assert frames.dtype == np.float32 and np.array_equal(frames, FEATURES.astype(np.float32))


def test_scaling_by_the_clip_takes_its_mean_and_deviation_away():
    frames = reader(FeatureScaling.clip).frames(FeatureSequence(FEATURES, np.arange(6)), "a")
    assert frames.mean() == pytest.approx(0, abs=1e-5) and frames.std() == pytest.approx(1, abs=1e-5)


def test_a_constant_clip_stays_finite():
    frames = reader(FeatureScaling.clip).frames(FeatureSequence(np.ones((3, 2), np.float32), np.arange(3)), "a")
    assert np.isfinite(frames).all()


def test_a_clip_without_windows_is_refused():
    with pytest.raises(DataError, match="holds no window"):
        reader().frames(FeatureSequence(np.ones((0, 2), np.float32), np.arange(0)), "a")


def test_augmentations_of_time_and_noise_work_on_features():
    batch, lengths = np.stack([FEATURES, FEATURES]).astype(np.float32), np.array([6, 6])
    slower, slower_lengths = reader().augmented(batch.copy(), lengths, [Resample(0.5, 0.5)], np.random.default_rng(1))
    changes = [Resample(0.5, 0.5), Jitter(0.1), TimeMask(0.5)]
    changed, _ = reader().augmented(batch.copy(), lengths, changes, np.random.default_rng(1))
    assert changed.shape == slower.shape == (2, 12, 4) and slower_lengths.tolist() == [12, 12]
    assert changed.dtype == np.float32 and not np.allclose(changed, slower)


def test_features_that_are_points_are_turned_as_points():
    batch = np.random.default_rng(1).normal(size=(2, 5, 6)).astype(np.float32)
    yaw = Yaw(90, coordinates=3)
    turned, _ = reader(point_size=3).augmented(batch.copy(), np.array([5, 5]), [yaw], np.random.default_rng(2))
    before, after = (values.reshape(2, 5, 2, 3) for values in (batch, turned))
    np.testing.assert_allclose(np.linalg.norm(after, axis=-1), np.linalg.norm(before, axis=-1), rtol=1e-5)
    np.testing.assert_array_equal(after[..., 1], before[..., 1])
    assert not np.allclose(after[..., 0], before[..., 0])
    with pytest.raises(ConfigError, match="point_size=4 does not divide the 6 features"):
        reader(point_size=4).augmented(batch, np.array([5, 5]), [yaw], np.random.default_rng(2))
