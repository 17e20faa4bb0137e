import numpy as np
import pytest

from sign_recog.errors import DataError
from sign_recog.storage.features import FeatureSequence, read_features, write_features


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_what_is_written_is_read(tmp_path, dtype):
    features = np.random.default_rng(0).random((4, 6)).astype(dtype)
    write_features(tmp_path / "a/b.npz", FeatureSequence(features, np.arange(4) * 40, {"clip_id": "b", "window": 1}))
    read = read_features(tmp_path / "a/b.npz")
    assert read.features.dtype == dtype and np.array_equal(read.features, features)
    assert read.timestamps_ms.tolist() == [0, 40, 80, 120] and read.meta == {"clip_id": "b", "window": 1}


@pytest.mark.parametrize(
    ("features", "times", "message"),
    [
        (np.zeros(4, np.float32), np.arange(4), "float \\(N, D\\) is needed"),
        (np.zeros((4, 2), int), np.arange(4), "float \\(N, D\\) is needed"),
        (np.zeros((4, 2), np.float32), np.arange(3), "4 whole numbers"),
        (np.full((4, 2), np.nan, np.float32), np.arange(4), "not finite"),
    ],
)
def test_wrong_arrays_are_refused(tmp_path, features, times, message):
    path = tmp_path / "x.npz"
    np.savez(path, features=features, timestamps_ms=times, meta=np.array("{}"))
    with pytest.raises(DataError, match=message):
        read_features(path)


def test_a_half_written_file_is_not_believed(tmp_path):
    path = tmp_path / "x.npz"
    write_features(path, FeatureSequence(np.zeros((9, 3), np.float32), np.arange(9)))
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match=r"x\.npz"):
        read_features(path)
