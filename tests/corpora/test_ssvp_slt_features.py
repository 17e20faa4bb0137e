"""Several of SSVP-SLT's folders -> one corpus: all train manifests, one for val, one for test."""

from pathlib import Path

import numpy as np
import pytest
import small_how2sign
import torch

from sign_recog.corpora.base import Corpus
from sign_recog.corpora.ssvp_slt_features import read
from sign_recog.errors import ConfigError, DataError

TIMES = {"token_ms": 160, "window_tokens": 64, "window_ms": 5120}


@pytest.fixture
def folders(tmp_path) -> tuple[Path, Path]:
    return small_how2sign.write_folders(tmp_path)


def read_folders(*train: Path, val: Path, test: Path | None = None, **settings) -> Corpus:
    test_dir = None if test is None else str(test)
    return read(Path(), train_dirs=[str(one) for one in train], val_dir=str(val), test_dir=test_dir, **TIMES | settings)


def test_every_train_manifest_is_read_and_val_and_test_of_one_folder(folders):
    """S3's data.train_data_dirs=how2sign,youtube-asl data.val_data_dir=how2sign."""
    one, two = folders
    corpus = read_folders(one, two, val=one)
    counts = {split: sum(clip.split == split for clip in corpus.clips) for split in ("train", "val", "test")}
    assert counts == {"train": 24 + 16, "val": 6, "test": 6}
    assert {clip.extra["feature_dir"] for clip in corpus.clips if clip.split != "train"} == {str(one)}
    for clip in corpus.clips:
        folder = one if clip.clip_id.endswith("h2s") else two
        expected = torch.load(folder / f"features/0/{clip.clip_id[:5]}/{clip.clip_id}.pt")
        assert np.array_equal(corpus.features(clip).features, expected.numpy())
        assert clip.extra["feature_dir"] == str(folder)
    assert corpus.noticed() == [] and corpus.notes == [
        "The files hold no times: tokens of 160 ms, windows every 5120 ms are assumed."
    ]


def test_test_may_be_elsewhere_or_nowhere(folders):
    one, two = folders
    assert {clip.split for clip in read_folders(one, val=two).clips} == {"train", "val"}
    assert "has no manifests/test_features.tsv, so there is no test split" in read_folders(one, val=two).notes[0]
    (test,) = {c.extra["feature_dir"] for c in read_folders(two, val=two, test=one).clips if c.split == "test"}
    assert test == str(one)
    with pytest.raises(DataError, match=r"data.test_dir=.*youtube-asl: has no manifests/test_features.tsv; .*holds"):
        read_folders(one, val=one, test=two)


def test_what_is_not_there_is_named_by_its_setting(folders, tmp_path):
    one, two = folders
    (two / "manifests/train_features.tsv").unlink()
    with pytest.raises(DataError, match=r"data.train_dirs=.*youtube-asl: has no .*holds val_features.tsv"):
        read_folders(one, two, val=one)
    with pytest.raises(DataError, match=r"data.val_dir=.*nowhere: no such folder"):
        read_folders(one, val=tmp_path / "nowhere")
    with pytest.raises(ConfigError, match=r"names .*how2sign more than once"):
        read_folders(one, tmp_path / "x/../how2sign", val=one)
    with pytest.raises(ConfigError, match="token_ms=0"):
        read_folders(one, val=one, token_ms=0)


def test_a_clip_in_two_folders_is_named_with_both(folders):
    one, two = folders
    row = "train00-h2s.mp4\t3\tthe dog.\n"
    for name in ("train", "val"):
        path = two / f"manifests/{name}_features.tsv"
        path.write_text(row + (path.read_text() if name == "train" else ""))
    (two / "features/0/train").mkdir(exist_ok=True)
    torch.save(torch.zeros(3, 8), two / "features/0/train/train00-h2s.pt")
    with pytest.raises(DataError, match=r"1 clips stand in more.*\n.*train00-h2s: train of .*how2sign and train of"):
        read_folders(one, two, val=one)
    with pytest.raises(DataError, match=r"train00-h2s: train of .*how2sign and val of .*youtube-asl"):
        read_folders(one, val=two)


def test_folders_of_different_networks_are_refused_and_a_single_odd_file_is_not(folders, tmp_path):
    one, two = folders
    torch.save(torch.zeros(3, 5), one / "features/0/train/train00-h2s.pt")
    assert len(read_folders(one, two, val=one).clips) == 52
    other = small_how2sign.write_folder(tmp_path / "i3d", "i3d", {"train": 4}, dim=1024)
    with pytest.raises(DataError, match=r"different numbers of values a token \(.*how2sign: 8; .*i3d: 1024\)"):
        read_folders(one, other, val=one)


def test_s3_other_lengths_than_the_manifests_are_told_with_their_folder(folders):
    one, two = folders
    path = two / "manifests/train_features.tsv"
    path.write_text(path.read_text().replace("\t6\t", "\t7\t", 1))
    corpus = read_folders(one, two, val=one)
    for clip in corpus.clips:
        corpus.features(clip)
    (message,) = corpus.noticed()
    assert message.startswith(f"{two}: 1 of 16 clips have another length in the manifest than in their file")


def test_augmented_copies_are_those_that_all_training_folders_have(tmp_path):
    one = small_how2sign.write_folder(tmp_path / "one", "one", {"train": 3}, copies=3)
    two = small_how2sign.write_folder(tmp_path / "two", "seconds", {"train": 3}, copies=2)
    val = small_how2sign.write_folder(tmp_path / "val", "validation", {"val": 2})
    corpus = read_folders(one, two, val=val)
    assert sorted(corpus.augmented) == [1] and any("copies 2 are not in every folder" in note for note in corpus.notes)
    for clip in corpus.clips[:6]:
        path = Path(clip.extra["feature_dir"]) / f"features/1/{clip.clip_id[:5]}/{clip.clip_id}.pt"
        assert np.array_equal(corpus.augmented[1](clip).features, torch.load(path).numpy())
