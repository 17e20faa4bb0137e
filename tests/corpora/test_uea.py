"""<name>_TRAIN.ts and <name>_TEST.ts -> clips with features."""

from collections import Counter

import numpy as np
import pytest

from sign_recog.corpora.splits import select_glosses
from sign_recog.corpora.uea import read
from sign_recog.errors import ConfigError, DataError

HEADER = "@timeStamps false\n@dimensions 2\n@classLabel true 1 2\n@data\n"
SETTINGS = {"fps": 20, "val_share": 0.25, "seed": 1}


def make_corpus(folder, *, num_train=8, test="1,2:3,4:1\n5,6:7,8:2\n"):
    rows = [f"{i},{i}:0,{i}:{1 + i % 2}\n" for i in range(num_train)]
    (folder / "X_TRAIN.ts").write_text(HEADER + "".join(rows))
    (folder / "X_TEST.ts").write_text(HEADER + test)
    return str(folder)


def test_test_stays_and_val_is_a_share_of_every_class_of_train(tmp_path):
    corpus = read(make_corpus(tmp_path), tmp_path, **SETTINGS)
    counts = Counter((clip.split, clip.gloss) for clip in corpus.clips)
    assert counts == {
        ("train", "1"): 3, ("train", "2"): 3, ("val", "1"): 1, ("val", "2"): 1, ("test", "1"): 1, ("test", "2"): 1,
    }  # fmt: skip
    assert all(clip.clip_id.startswith("test_") == (clip.split == "test") for clip in corpus.clips)
    assert read(str(tmp_path), tmp_path, **SETTINGS).clips == corpus.clips
    others = [read(str(tmp_path), tmp_path, **SETTINGS | {"seed": seed}).clips for seed in range(2, 6)]
    assert any(other != corpus.clips for other in others)
    none = read(str(tmp_path), tmp_path, **SETTINGS | {"val_share": 0}).clips
    assert {clip.split for clip in none} == {"train", "test"}


def test_every_clip_has_its_own_series(tmp_path):
    corpus = read(make_corpus(tmp_path), tmp_path, **SETTINGS)
    clip = next(clip for clip in corpus.clips if clip.clip_id == "train_00005_2")
    sequence = corpus.features(clip)
    np.testing.assert_array_equal(sequence.features, [[5, 0], [5, 5]])
    assert sequence.timestamps_ms.tolist() == [0, 50]
    assert (sequence.meta["window"], sequence.meta["fps"]) == (1, 20)


def test_classes_can_be_named_and_chosen_by_either(tmp_path):
    corpus = read(make_corpus(tmp_path), tmp_path, **SETTINGS, class_names={"1": "all clear", "2": "lock wings"})
    assert {(clip.gloss, clip.extra["class"]) for clip in corpus.clips} == {("all clear", "1"), ("lock wings", "2")}
    assert {clip.gloss for clip in select_glosses(corpus.clips, ["2"], ids=corpus.gloss_ids)} == {"lock wings"}
    with pytest.raises(ConfigError, match="each of the classes 1, 2 a name"):
        read(str(tmp_path), tmp_path, **SETTINGS, class_names={"1": "all clear"})


def test_wrong_folders_and_settings_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"exactly one file <name>_TRAIN.ts; there is none"):
        read(str(tmp_path), tmp_path, **SETTINGS)
    make_corpus(tmp_path, test="1,2:1\n".replace("1,2", "1,2:3:4"))
    with pytest.raises(DataError, match="line 5: 3 dimensions"):
        read(str(tmp_path), tmp_path, **SETTINGS)
    with pytest.raises(ConfigError, match="val_share=1 must lie"):
        read(str(tmp_path), tmp_path, **SETTINGS | {"val_share": 1})


def test_natops_is_read_with_its_official_split(test_data, tmp_path):
    corpus = read(str(test_data / "kp_natops_uea"), tmp_path, **SETTINGS | {"val_share": 0.2})
    assert Counter(clip.split for clip in corpus.clips) == {"train": 144, "val": 36, "test": 180}
    assert set(Counter(clip.gloss for clip in corpus.clips if clip.split == "val").values()) == {6}
    assert corpus.features(corpus.clips[0]).features.shape == (51, 24)
