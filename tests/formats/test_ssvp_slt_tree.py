"""Extraction folders -> SSVP-SLT's folder, which its own reader and ours read back the same."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import small_ssvp_slt
import torch

from sign_recog.corpora.ssvp_slt import read
from sign_recog.errors import ConfigError, DataError
from sign_recog.formats.ssvp_slt_tree import write_tree
from sign_recog.storage.corpus import PreparedCorpus
from sign_recog.storage.features import FeatureSequence, write_features
from sign_recog.storage.manifest import Clip

CLIPS = [
    Clip("a/1", split="train", text="one"),
    Clip("x-2", split="train", text="two", extra={"video_name": "-2abcdef.mp4"}),
    Clip("v1.5", split="val", text="three"),
    Clip("한국어", split="test", gloss="FOUR"),
]
VIDEO_NAMES = {"a/1": "a_1", "x-2": "-2abcdef.mp4", "v1.5": "v1.5.mp4", "한국어": "한국어"}


@pytest.fixture
def corpus(tmp_path) -> PreparedCorpus:
    return PreparedCorpus(tmp_path / "data/own/manifests/x", list(CLIPS), None, {"given": []})


@pytest.fixture
def folders(corpus) -> dict[int, Path]:
    """Plain features of all, and two copies of the train clips."""
    found = {0: corpus.features_dir("net"), 1: corpus.augmented_dir("net", 1), 2: corpus.augmented_dir("net", 2)}
    for copy, folder in found.items():
        for i, clip in enumerate(CLIPS):
            if copy == 0 or clip.split == "train":
                write_features(folder / f"{clip.clip_id}.npz", sequence(copy, i))
        (folder / "extraction.json").write_text(json.dumps({"extractor": "net", "weights": "w", "copy": copy}))
    return found


def sequence(copy: int, i: int, value: float = 0.0) -> FeatureSequence:
    features = np.random.default_rng([copy, i]).normal(value, 1, (3 + i, 4)).astype(np.float32)
    return FeatureSequence(features, np.arange(3 + i))


def test_ssvp_slt_finds_every_clip_in_every_copy(corpus, folders, tmp_path):
    summary = write_tree(corpus, folders, tmp_path / "tree")
    assert summary["tensors written"] == 8 and summary["clips in SSVP-SLT's manifests"] == 4
    for split in ("train", "val", "test"):
        own = [(i, clip) for i, clip in enumerate(CLIPS) if clip.split == split]
        for copy in folders if split == "train" else [0]:
            rows = small_ssvp_slt.found_by_ssvp_slt(tmp_path / "tree", split, copy)
            expected = [(VIDEO_NAMES[c.clip_id], 3 + i, c.text or c.gloss) for i, c in own]
            assert [row[:3] for row in rows] == expected
            for (i, _), row in zip(own, rows, strict=True):
                assert row[3].dtype == torch.float32
                assert np.array_equal(row[3].numpy(), sequence(copy, i).features)


def test_what_is_written_is_read_again_the_same(corpus, folders, tmp_path):
    write_tree(corpus, folders, tmp_path / "tree")
    back = read(
        str(tmp_path / "tree"), tmp_path, kind=None, splits=None, token_ms=160, window_tokens=64, window_ms=5120
    )
    assert sorted(back.augmented) == [1, 2] and len(back.clips) == 4
    indices = {name: i for i, name in enumerate(VIDEO_NAMES.values())}
    for clip in back.clips:
        i = indices[clip.extra["video_name"]]
        assert clip.text == (CLIPS[i].text or CLIPS[i].gloss) and clip.split == CLIPS[i].split
        assert np.array_equal(back.features(clip).features, sequence(0, i).features)
        if clip.split == "train":
            assert np.array_equal(back.augmented[2](clip).features, sequence(2, i).features)
    assert back.noticed() == []


def test_a_second_time_writes_only_what_is_new_changed_or_damaged(corpus, folders, tmp_path):
    tree = tmp_path / "tree"
    write_tree(corpus, folders, tree)
    cut, changed, same = (tree / "features/0" / name for name in ("a_1/a_1.pt", "-2abc/-2abcdef.pt", "v1.5./v1.5.pt"))
    cut.write_bytes(cut.read_bytes()[:-60])
    write_features(folders[0] / "x-2.npz", sequence(0, 1, value=5))
    source = (folders[0] / "x-2.npz").stat().st_mtime_ns
    os.utime(changed, ns=(source - 10**9, source - 10**9))
    before = same.stat().st_mtime_ns
    summary = write_tree(corpus, folders, tree)
    assert (summary["tensors written"], summary["tensors there before"]) == (2, 6)
    assert torch.equal(torch.load(cut, weights_only=True), torch.from_numpy(sequence(0, 0).features))
    assert torch.load(changed, weights_only=True).mean() > 3 and same.stat().st_mtime_ns == before


def test_unfinished_clips_are_in_no_manifest_until_all_their_copies_are_there(corpus, folders, tmp_path):
    content = (folders[2] / "a/1.npz").read_bytes()
    (folders[2] / "a/1.npz").unlink()
    (folders[0] / "v1.5.npz").unlink()
    summary = write_tree(corpus, folders, tmp_path / "tree")
    assert summary["clips in SSVP-SLT's manifests"] == 2
    assert [row[0] for row in small_ssvp_slt.found_by_ssvp_slt(tmp_path / "tree", "train")] == ["-2abcdef.mp4"]
    assert (tmp_path / "tree/manifests/val_features.tsv").read_text() == ""
    (folders[2] / "a/1.npz").write_bytes(content)
    assert write_tree(corpus, folders, tmp_path / "tree")["clips in SSVP-SLT's manifests"] == 3


def test_a_source_that_cannot_be_read_leaves_no_tensor_and_a_reason(corpus, folders, tmp_path):
    write_tree(corpus, folders, tmp_path / "tree")
    path = folders[0] / "v1.5.npz"
    path.write_bytes(path.read_bytes()[:50])
    os.utime(path, ns=(2**62, 2**62))
    summary = write_tree(corpus, folders, tmp_path / "tree")
    assert summary["clips without tensors"] == 1 and summary["clips in SSVP-SLT's manifests"] == 3
    assert "v1.5\t" in (tmp_path / "tree/failed.tsv").read_text()
    assert not (tmp_path / "tree/features/0/v1.5./v1.5.pt").exists()


def test_half_precision_halves_the_files(corpus, folders, tmp_path):
    write_tree(corpus, {0: folders[0]}, tmp_path / "tree", dtype="float16")
    rows = small_ssvp_slt.found_by_ssvp_slt(tmp_path / "tree", "train")
    assert np.array_equal(rows[0][3].numpy(), sequence(0, 0).features.astype(np.float16))
    with pytest.raises(ConfigError, match="dtype='float8' is none of float32, float16"):
        write_tree(corpus, folders, tmp_path / "tree", dtype="float8")


def test_tensors_of_other_settings_never_stand_beside_each_other(corpus, folders, tmp_path):
    tree = tmp_path / "tree"
    write_tree(corpus, {0: folders[0]}, tree)
    write_tree(corpus, folders, tree)  # more copies are welcome
    with pytest.raises(DataError, match=r"other settings \(dtype\)"):
        write_tree(corpus, folders, tree, dtype="float16")
    (folders[1] / "extraction.json").write_text(json.dumps({"extractor": "net", "weights": "others"}))
    with pytest.raises(DataError, match=r"other settings \(extraction of copy 1\)"):
        write_tree(corpus, folders, tree)


def test_s3_another_s_folder_is_not_written_over(corpus, folders, tmp_path):
    small_ssvp_slt.write_features(tmp_path / "theirs")
    with pytest.raises(DataError, match="holds features or manifests that are not ours"):
        write_tree(corpus, folders, tmp_path / "theirs")
    small_ssvp_slt.write_videos(tmp_path / "videos")  # beside their videos there is room
    assert write_tree(corpus, folders, tmp_path / "videos")["tensors written"] == 8


def test_clips_that_would_share_a_file_are_named(corpus, folders, tmp_path):
    corpus.clips.append(Clip("a_1", split="train", text="again"))
    corpus.clips.append(Clip("/".join(["n" * 150] * 2), split="train", text="long"))
    with pytest.raises(DataError, match=r"(?s)a/1 and a_1 would both be features/0/a_1/a_1.pt.*longer than 220 bytes"):
        write_tree(corpus, folders, tmp_path / "tree")
    assert not (tmp_path / "tree").exists()


def test_a_table_that_another_process_made_longer_in_the_meantime_stays_so(corpus, folders, tmp_path, monkeypatch):
    """Shards write the same tables; the one that began first must not take the other's clips out again."""
    from sign_recog.formats import ssvp_slt_tree

    (folders[0] / "v1.5.npz").rename(tmp_path / "later.npz")
    write_once = ssvp_slt_tree.write_manifests

    def while_another_finishes(folder, clips, lengths):
        if (tmp_path / "later.npz").exists():
            (tmp_path / "later.npz").rename(folders[0] / "v1.5.npz")
            write_tree(corpus, folders, tmp_path / "tree")
        return write_once(folder, clips, lengths)

    monkeypatch.setattr(ssvp_slt_tree, "write_manifests", while_another_finishes)
    write_tree(corpus, folders, tmp_path / "tree")
    assert len(small_ssvp_slt.found_by_ssvp_slt(tmp_path / "tree", "val")) == 1
