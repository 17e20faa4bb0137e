"""Arrays that other programs save: what is read of them, and what is refused."""

import numpy as np
import pytest
import torch

from sign_recog.errors import DataError
from sign_recog.formats.vectors import read
from sign_recog.storage.features import FeatureSequence, write_features

VALUES = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)


def save(path, values):
    """As the program that has this suffix does."""
    if path.suffix == ".pt":
        torch.save(torch.from_numpy(values), path)
    elif path.suffix == ".npz":
        np.savez(path, anything=values)
    else:
        np.save(path, values)
    return path


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".pt"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_each_kind_of_file_gives_the_same_vectors(tmp_path, suffix, dtype):
    found = read(save(tmp_path / f"a{suffix}", VALUES.astype(dtype)), clip_id="a", step_ms=2.5)
    assert found.features.dtype == ("float16" if dtype == "float16" else "float32")
    np.testing.assert_array_equal(found.features, VALUES.astype(found.features.dtype))
    assert found.timestamps_ms.tolist() == [0, 2, 5, 8, 10]
    assert found.meta["clip_id"] == "a"


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".pt"])
def test_one_vector_alone_is_one_token_and_unknown_times_are_numbers(tmp_path, suffix):
    assert read(save(tmp_path / f"a{suffix}", VALUES[0]), clip_id="a").features.shape == (1, 3)
    assert read(save(tmp_path / f"b{suffix}", VALUES), clip_id="b").timestamps_ms.tolist() == [0, 1, 2, 3, 4]


def test_of_several_arrays_features_is_read(tmp_path):
    np.savez(tmp_path / "a.npz", features=VALUES, logits=VALUES[:, :1])
    np.testing.assert_array_equal(read(tmp_path / "a.npz", clip_id="a").features, VALUES)
    np.savez(tmp_path / "b.npz", one=VALUES, two=VALUES)
    with pytest.raises(DataError, match=r"b\.npz: holds one, two, and no array 'features'"):
        read(tmp_path / "b.npz", clip_id="b")


def test_a_file_of_this_project_keeps_its_times(tmp_path):
    write_features(tmp_path / "a.npz", FeatureSequence(VALUES, 40 * np.arange(5), {"extraction": "x"}))
    found = read(tmp_path / "a.npz", clip_id="a", step_ms=1.0)
    assert (found.timestamps_ms.tolist(), found.meta) == ([0, 40, 80, 120, 160], {"extraction": "x"})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (VALUES[None], r"float32 \(1, 5, 3\), expected float \(T, D\)"),
        (VALUES[:0], r"float32 \(0, 3\), expected float"),
        (VALUES.astype(np.int64), "int64"),
        (VALUES * np.nan, "not finite"),
    ],
)
@pytest.mark.parametrize("suffix", [".npy", ".npz", ".pt"])
def test_what_is_no_sequence_of_vectors_is_refused(tmp_path, suffix, values, message):
    with pytest.raises(DataError, match=message.replace("T, D", "[TL], D")):
        read(save(tmp_path / f"a{suffix}", values), clip_id="a")


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".pt"])
def test_damaged_empty_pickled_and_missing_files_are_named(tmp_path, suffix):
    path = save(tmp_path / f"a{suffix}", VALUES)
    path.write_bytes(path.read_bytes()[:-30])
    for content in (path.read_bytes(), b"", b"\x80\x04N."):
        path.write_bytes(content)
        with pytest.raises(DataError, match=f"a{suffix}"):
            read(path, clip_id="a")
    path.unlink()
    with pytest.raises(DataError, match="no such file"):
        read(path, clip_id="a")


def test_objects_in_an_array_are_never_unpickled(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(DataError, match="without pickled objects"):
        read(tmp_path / "a.npy", clip_id="a")
