"""SSVP-SLT's folder through the stages: prepared, cut to its signers, extracted, trained on, and written again."""

import json
from pathlib import Path

import numpy as np
import pytest
import small_ssvp_slt
import torch
from conftest import load_config
from made_videos import pictures, write_made

from sign_recog import stages
from sign_recog.data.features import FeatureReader
from sign_recog.stages.build import build_reader
from sign_recog.stages.run_folder import prepared
from sign_recog.storage.features import read_features
from sign_recog.video.reader import probe, read_frames
from sign_recog.video.writer import write_video

NAMES = {name: split for split, sentences in small_ssvp_slt.SENTENCES.items() for name in sentences}


def configure(tmp_path: Path, source: Path, *overrides: str, name: str = "own"):
    common = ("data=ssvp_slt", f"data.source={source}", f"data.name={name}", "modality=features")
    paths = (f"paths.data_root={tmp_path / 'data'}", f"paths.output_root={tmp_path / 'outputs'}")
    return load_config(*common, *paths, "extractor=inception_v3", *overrides)


def prepare(tmp_path: Path, source: Path, *overrides: str, name: str = "own"):
    """The prepared corpus and what run=prepare said."""
    config = configure(tmp_path, source, "run=prepare", *overrides, name=name)
    summary = stages.run(config).summary
    return prepared(config), summary


@pytest.fixture
def features(tmp_path) -> Path:
    small_ssvp_slt.write_features(tmp_path / "originals", copies=3)
    return tmp_path / "originals"


@pytest.fixture
def videos(tmp_path) -> Path:
    """Videos of 64 x 48 pixels."""
    folder = tmp_path / "how2sign"
    small_ssvp_slt.write_videos(folder)
    for path in sorted((folder / "videos").rglob("*.mp4")):
        write_made(path, pictures(12))
    return folder


def test_prepare_takes_features_and_their_copies_over(features, tmp_path):
    corpus, summary = prepare(tmp_path, features)
    assert summary["feature files written"] == 5 and summary["augmented copy 2's feature files written"] == 3
    for clip in corpus.clips:
        name = clip.extra["video_name"]
        for copy in range(3 if clip.split == "train" else 1):
            folder = corpus.augmented_dir("any", copy) if copy else corpus.features_dir("any")
            path = features / "features" / str(copy) / name[:5] / f"{Path(name).stem}.pt"
            assert np.array_equal(read_features(folder / f"{clip.clip_id}.npz").features, torch.load(path).numpy())
    again = prepare(tmp_path, features)[1]
    assert again["feature files written"] == again["augmented copy 2's feature files written"] == 0


def test_training_reads_the_copies_in_turn(features, tmp_path):
    corpus, _ = prepare(tmp_path, features)
    reader = build_reader(configure(tmp_path, features, "modality.augmented_copies=2").modality)
    assert isinstance(reader, FeatureReader)
    first, second = reader.open_copies(corpus, corpus.of_split("train"), "any")
    assert first.lengths.tolist() == second.lengths.tolist() and not np.array_equal(first.read(0), second.read(0))


def test_s3_what_is_unreadable_or_of_another_length_is_named_in_the_corpus(features, tmp_path):
    (features / "features/0/00002/00002-efghij.pt").write_bytes(b"cut")
    path = features / "manifests/train_features.tsv"
    path.write_text(path.read_text(encoding="utf-8").replace("\t3\t", "\t7\t"), encoding="utf-8")
    corpus, summary = prepare(tmp_path, features)
    assert summary["clips without features"] == 1
    assert "00002-efghij.pt: cannot be read" in (corpus.features_dir("any") / "failed.tsv").read_text()
    info = json.loads((corpus.folder / "corpus.json").read_text())
    assert info["warnings"][-1] == (
        "1 of 5 clips have another length in the manifest than in their file: x-7E2sU6zP4_0-5-rgb_front 7 and 3. Those "
        "of the files are used."
    )


def test_what_convert_writes_prepare_reads_the_same(features, tmp_path):
    corpus, _ = prepare(tmp_path, features)
    run = ("run=convert", "run.format=ssvp_slt", f"run.output_dir={tmp_path / 'tree'}")
    summary = stages.run(configure(tmp_path, features, *run)).summary
    assert summary["converted now"] == 5
    for split in ("train", "val", "test"):
        made, given = (small_ssvp_slt.found_by_ssvp_slt(folder, split) for folder in (tmp_path / "tree", features))
        assert {row[:3] for row in made} == {(name, length, " ".join(text.split())) for name, length, text, _ in given}
    back, _ = prepare(tmp_path, tmp_path / "tree", name="back")
    assert [clip.clip_id for clip in back.clips] == [clip.clip_id for clip in corpus.clips]
    for clip in back.clips:
        both = [read_features(c.features_dir("any") / f"{clip.clip_id}.npz").features for c in (corpus, back)]
        assert np.array_equal(*both)


def test_several_folders_are_one_corpus(features, tmp_path):
    """SSVP-SLT's train_data_dirs=how2sign,youtube-asl val_data_dir=how2sign."""
    small_ssvp_slt.write_features(tmp_path / "more", copies=2)
    one, two = (
        prepare(tmp_path, features, name="how2sign")[0],
        prepare(tmp_path, tmp_path / "more", "data.corpus.splits=[train]", name="ytasl")[0],
    )
    members = f"{{how2sign: {one.root}, ytasl: {two.root}}}"
    paths = (f"paths.data_root={tmp_path / 'data'}", f"paths.output_root={tmp_path / 'outputs'}")
    config = load_config("run=prepare", "data=combined", f"data.corpus.members={members}", *paths)
    summary = stages.run(config).summary
    assert [summary[f"{split} clips"] for split in ("train", "val", "test")] == [6, 1, 1]
    both = prepared(config)
    reader = build_reader(configure(tmp_path, features, "modality.augmented_copies=1").modality)
    (copies,) = reader.open_copies(both, both.of_split("train"), "any")
    assert len(copies.lengths) == 6 and not both.augmented_dir("any", 2).exists()


@pytest.mark.slow
def test_videos_are_extracted_into_ssvp_slts_tree_and_read_again(videos, tmp_path):
    prepare(tmp_path, videos)
    tree = tmp_path / "tree"
    run = ("run=extract_features", f"run.tree_dir={tree}", "run.num_workers=0", "extractor.target_fps=5")
    stages.run(configure(tmp_path, videos, *run))
    assert {name for split in set(NAMES.values()) for name, *_ in small_ssvp_slt.found_by_ssvp_slt(tree, split)} == set(
        NAMES
    )
    corpus, _ = prepare(tmp_path, tree, name="back")
    own = prepared(configure(tmp_path, videos))
    for clip in corpus.clips:
        given = read_features(own.features_dir("inception_v3") / f"{clip.clip_id}.npz").features
        assert np.array_equal(read_features(corpus.features_dir("") / f"{clip.clip_id}.npz").features, given)


def test_small_clips_of_sentences_are_cut_to_boxes_from_a_table(videos, tmp_path):
    (tmp_path / "boxes.tsv").write_text("video_name\tbox\nabc.mp4\t10 4 50 36\n")
    corpus, summary = prepare(
        tmp_path, videos, "data.clip_size=32", "data.crop=annotation", f"data.corpus.boxes={tmp_path / 'boxes.tsv'}",
        "run.num_workers=0",
    )  # fmt: skip
    assert summary["small clips made"] == 5
    boxes = {clip.clip_id: clip.extra["source_box"] for clip in corpus.clips}
    assert boxes["abc"] == "10 4 50 36" and boxes["00001-cdefgh"] == "0 0 64 48"
    sizes = {c.clip_id: (probe(corpus.video_path(c)).width, probe(corpus.video_path(c)).height) for c in corpus.clips}
    assert sizes["abc"] == (40, 32) and min(sizes["00001-cdefgh"]) == 32
    assert {clip.text for clip in corpus.clips} == {
        text for own in small_ssvp_slt.SENTENCES.values() for text in own.values()
    }


def test_small_clips_of_sentences_are_cut_to_the_signer(videos, tmp_path, test_data):
    """A real signer beside a wide empty wall."""
    pytest.importorskip("mediapipe", reason="MediaPipe is not installed")
    real = sorted((test_data / "video_ksl77_koala" / "clips").glob("*.mp4"))[0]
    info = probe(real)
    wide = [np.pad(f.image, ((0, 0), (info.width, 0), (0, 0)), mode="edge") for f in read_frames(real, end_s=0.6)]
    write_video(videos / "videos/abc.mp4", wide, info.fps)
    corpus, _ = prepare(tmp_path, videos, "data.clip_size=96", "data.crop=pose", "run.num_workers=0")
    (clip,) = [clip for clip in corpus.clips if clip.clip_id == "abc"]
    assert int(clip.extra["source_box"].split()[0]) >= info.width
    assert min(probe(corpus.video_path(clip)).width, probe(corpus.video_path(clip)).height) == 96
