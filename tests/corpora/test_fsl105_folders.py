"""FSLR's own arrangement: a folder a split."""

import numpy as np
import pytest

from sign_recog.corpora.fsl105_folders import read
from sign_recog.errors import DataError

SETTINGS = {"width": 200, "height": 100, "label_reference": None}


def make_folder(folder, names, **arrays):
    folder.mkdir()
    (folder / "labels.csv").write_text("file,gloss,cat\n" + "".join(f"{name},{i},0\n" for i, name in enumerate(names)))
    for i, name in enumerate(names):
        own = {"X": np.full((4, 156), 0.1 * (i + 1), np.float32), "mask": np.ones((4, 78), bool)}
        own |= {"timestamps_ms": np.arange(4) * 40, "meta": np.array("{}")} | arrays
        np.savez(folder / f"{name}.npz", **own)


@pytest.fixture
def folders(tmp_path):
    make_folder(tmp_path / "train15", ["a", "b"])
    make_folder(tmp_path / "test_15fps", ["a"])
    return {"train": str(tmp_path / "train15"), "val": str(tmp_path / "test_15fps"), "test": None}


def test_the_folder_is_the_split_and_equal_names_do_not_collide(folders, tmp_path):
    corpus = read(folders, tmp_path, **SETTINGS)
    assert [(c.clip_id, c.split, c.gloss) for c in corpus.clips] == [
        ("train/a", "train", "0"), ("train/b", "train", "1"), ("val/a", "val", "0"),
    ]  # fmt: skip
    sequences = {clip.clip_id: corpus.keypoints(clip) for clip in corpus.clips}
    assert sequences["train/b"].keypoints[0, 0, 0] == pytest.approx(0.2)
    assert sequences["val/a"].keypoints[0, 0, 0] == pytest.approx(0.1) and sequences["val/a"].meta["clip_id"] == "val/a"
    assert corpus.features is None


def test_kinds_that_not_all_folders_have_are_not_offered(folders, tmp_path):
    make_folder(tmp_path / "features", ["a"], X2048=np.ones((4, 2048), np.float32))
    corpus = read(folders | {"test": str(tmp_path / "features")}, tmp_path, **SETTINGS)
    assert corpus.keypoints is not None and corpus.features is None


@pytest.mark.parametrize(
    ("sources", "message"),
    [({"trian": "x"}, "names trian; the splits are train, val, test"), ({"train": None}, "names no folder")],
)
def test_wrong_sources_are_said(tmp_path, sources, message):
    with pytest.raises(DataError, match=message):
        read(sources, tmp_path, **SETTINGS)
