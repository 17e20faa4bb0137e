"""The training cache equals its sources, notices their change, and is never half believed."""

import os
import pickle

import numpy as np
import pytest

from sign_recog.storage.packed import open_packed


@pytest.fixture
def sources(tmp_path):
    rng = np.random.default_rng(0)
    paths = []
    for i, length in enumerate((3, 1, 7)):
        np.save(tmp_path / f"{i}.npy", rng.random((length, 5), dtype=np.float32))
        paths.append(tmp_path / f"{i}.npy")
    return paths


def test_items_equal_their_sources(tmp_path, sources):
    packed = open_packed(tmp_path / "cache", "train-x", sources, np.load)
    assert packed.lengths.tolist() == [3, 1, 7]
    for item, path in zip(packed, sources, strict=False):
        np.testing.assert_array_equal(item, np.load(path))


def test_a_second_opening_reads_no_source(tmp_path, sources):
    open_packed(tmp_path / "cache", "train-x", sources, np.load)

    def never(path):
        raise AssertionError(path)

    assert len(open_packed(tmp_path / "cache", "train-x", sources, never)) == 3


def test_a_changed_source_is_packed_again_and_the_stale_pack_removed(tmp_path, sources):
    open_packed(tmp_path / "cache", "train-x", sources, np.load)
    np.save(sources[1], np.ones((2, 5), np.float32))
    os.utime(sources[1], ns=(1, 1))
    packed = open_packed(tmp_path / "cache", "train-x", sources, np.load)
    np.testing.assert_array_equal(packed[1], np.ones((2, 5)))
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_an_error_while_packing_leaves_nothing_behind(tmp_path, sources):
    def fails(path):
        if path == sources[2]:
            raise ValueError("damaged")
        return np.load(path)

    with pytest.raises(ValueError, match="damaged"):
        open_packed(tmp_path / "cache", "train-x", sources, fails)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_pack_can_be_sent_to_a_loader_process(tmp_path, sources):
    packed = open_packed(tmp_path / "cache", "train-x", sources, np.load)
    content = pickle.dumps(packed)
    assert len(content) < 2000  # the frames stay in the file
    np.testing.assert_array_equal(pickle.loads(content)[2], packed[2])


def test_a_stale_pack_loses_its_name_before_its_files(tmp_path, sources, monkeypatch):
    """A deletion killed half-way left a folder without frames that was taken for a whole pack ever after."""
    open_packed(tmp_path / "cache", "train-x", sources, np.load)
    os.utime(sources[1], ns=(1, 1))
    monkeypatch.setattr("sign_recog.storage.cache_folder.shutil.rmtree", lambda *_, **__: None)
    open_packed(tmp_path / "cache", "train-x", sources, np.load)
    assert len(list((tmp_path / "cache").glob("train-x-*"))) == 1
