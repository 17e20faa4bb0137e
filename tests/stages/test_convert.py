"""run=convert: a prepared corpus leaves in another system's files, and comes back the same."""

import json
import os
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from conftest import load_config

from sign_recog import stages
from sign_recog.config import Config
from sign_recog.config.runs import RunConfig
from sign_recog.errors import ConfigError, DataError
from sign_recog.formats import fslr, pose, signon
from sign_recog.landmarks.layout import get_layout
from sign_recog.stages.run_folder import prepared
from sign_recog.storage.corpus import PreparedCorpus
from sign_recog.storage.features import FeatureSequence, read_features
from sign_recog.storage.manifest import Clip
from sign_recog.storage.sequences import KeypointSequence, read_keypoints

CLIPS = [
    Clip(f"{split} {i}_{category}{len(gloss)}", split=split, signer=f"S{i}", gloss=gloss, category=category)
    for split, i in (("train", 0), ("train", 1), ("val", 2), ("test", 3))
    for gloss, category in (("HELLO, YOU", "GREETING"), ("안녕", "GREETING"), ("NO", "SURVIVAL"))
]
MADE = {"fslr": ("fsl105", "fslr_78"), "signon": ("signon", "holistic_75"), "pose": ("pose_files", "holistic_543")}
READ = {
    "fsl105": ["data.split.strategy=given"],
    "signon": ["data.corpus.width=640", "data.corpus.height=480"],
    "pose_files": [],
}


def sequence(clip: Clip, layout: str) -> KeypointSequence:
    rng = np.random.default_rng(list(clip.clip_id.encode()))
    chosen, frames = get_layout(layout), int(rng.integers(6, 12))
    keypoints = (rng.random((frames, len(chosen), 3)) * (1, 0.75, 1)).astype(np.float32)
    keypoints[1:3, chosen.parts["left_hand"]] = np.nan
    confidence = (~np.isnan(keypoints[..., 0])).astype(np.float32)
    if layout == "fslr_78":
        keypoints[..., 2] *= 0
    meta = {"clip_id": clip.clip_id, "width": 640, "height": 480, "fps": 25.0}
    return KeypointSequence(keypoints, confidence, np.arange(frames) * 40, chosen, meta)


def make_originals(folder: Path, format_name: str) -> Path:
    """A folder in a system's own files, made by the writers that have their own tests."""
    writer = {"fslr": fslr, "signon": signon, "pose": pose}[format_name]
    for clip in CLIPS:
        keypoints = sequence(clip, MADE[format_name][1])
        features = None
        if format_name == "fslr":
            vectors = np.random.default_rng(1).random((len(keypoints.keypoints), 2048), np.float32)
            features = FeatureSequence(vectors, keypoints.timestamps_ms)
        writer.write(folder / writer.file_name(clip), keypoints, features)
    return writer.write_index(folder, CLIPS)


@cache
def composed(*overrides: str) -> Config:
    """Composed once, since that is slow; tests change copies."""
    return load_config(*overrides)


@cache
def run_of(stage: str) -> RunConfig:
    """Its settings as they stand in conf/run."""
    return load_config(f"run={stage}", *(["run.format=pose"] if stage == "convert" else [])).run


def prepare(tmp_path: Path, data: str, source: Path, name: str, **reader) -> Config:
    """The configuration of a corpus that ``run=prepare`` has made."""
    config = composed("run=prepare", f"data={data}", "data.source=unused", *READ[data])
    reference = source.parent / "label_reference.csv"
    if reference.exists():
        reader["label_reference"] = str(reference)
    own = replace(config.data, name=name, corpus={**config.data.corpus, "source": str(source), **reader})
    paths = replace(config.paths, data_root=str(tmp_path / "data"), run_dir=str(tmp_path / "outputs"))
    config = replace(config, data=own, paths=paths)
    stages.run(config)
    return config


def convert(config: Config, format_name: str, **changes) -> dict:
    from sign_recog.stages import convert

    run = replace(run_of("convert"), format=format_name, **changes)
    return convert.run(replace(config, run=run)).summary


def sequences(corpus: PreparedCorpus) -> dict[str, KeypointSequence]:
    folder = corpus.keypoints_dir("")
    return {clip.clip_id: read_keypoints(folder / f"{clip.clip_id}.npz") for clip in corpus.clips}


@pytest.mark.parametrize("format_name", MADE)
def test_what_leaves_comes_back_the_same(tmp_path, format_name):
    data, layout = MADE[format_name]
    first = prepare(tmp_path, data, make_originals(tmp_path / "originals", format_name), "first")
    summary = convert(first, format_name)
    assert (summary["converted now"], summary["failed"]) == (len(CLIPS), 0)
    second = prepare(tmp_path, data, Path(summary["table"]), "second")
    before, after = prepared(first), prepared(second)
    if format_name == "signon":  # its table has no column for it
        for clip in before.clips:
            clip.category = ""
    ignored = {"Id", "Path"}
    for old, new in zip(before.clips, after.clips, strict=True):
        assert (old.clip_id, old.split, old.signer, old.gloss, old.category) == (
            new.clip_id, new.split, new.signer, new.gloss, new.category,
        )  # fmt: skip
        assert set(old.extra) - ignored == set(new.extra) - ignored
    old_sequences, new_sequences = sequences(before), sequences(after)
    for clip_id, old in old_sequences.items():
        new = new_sequences[clip_id]
        assert new.layout.name == layout
        np.testing.assert_allclose(new.keypoints, old.keypoints, atol=1e-6)
        np.testing.assert_allclose(new.confidence, old.confidence, atol=1e-6)
        np.testing.assert_array_equal(new.timestamps_ms, old.timestamps_ms)
    if format_name == "fslr":
        for clip in before.clips:
            old, new = (read_features(c.features_dir("") / f"{clip.clip_id}.npz") for c in (before, after))
            np.testing.assert_array_equal(old.features, new.features)


@pytest.fixture
def poses(tmp_path) -> Config:
    """A prepared corpus that came as .pose files."""
    return prepare(tmp_path, "pose_files", make_originals(tmp_path / "originals", "pose"), "own")


def test_finished_files_are_skipped_and_changed_sources_are_not(poses, tmp_path):
    out = tmp_path / "out"

    def again():
        return convert(poses, "signon", output_dir=str(out))

    assert again()["converted now"] == len(CLIPS)
    first = out / "mediapipe" / f"{CLIPS[0].clip_id}.npy"
    stamp = first.stat().st_mtime_ns
    summary = again()
    assert (summary["converted now"], summary["finished before"]) == (0, len(CLIPS))
    assert first.stat().st_mtime_ns == stamp
    (out / "mediapipe" / f"{CLIPS[1].clip_id}.npy").unlink()
    source = tmp_path / "data/own/keypoints/given" / f"{CLIPS[0].clip_id}.npz"
    os.utime(source, ns=(stamp + 10**9, stamp + 10**9))
    assert again()["converted now"] == 2


def test_a_bad_clip_is_recorded_and_the_others_are_written(poses, tmp_path):
    bad = CLIPS[4].clip_id
    (tmp_path / "data/own/keypoints/given" / f"{bad}.npz").write_text("hello")
    summary = convert(poses, "fslr")
    folder = Path(summary["table"]).parent
    assert folder == tmp_path / "data/own/converted/fslr"
    assert (summary["failed"], summary["converted now"]) == (1, len(CLIPS) - 1)
    assert (folder / "failed.tsv").read_text().splitlines()[1].startswith(f"{bad}\t")
    assert bad not in (folder / "labels.csv").read_text()
    with pytest.raises(DataError, match=r"1 of 12 clips failed, more than run.max_failed_share=0.01"):
        convert(poses, "fslr", max_failed_share=0.01)


def test_no_folder_of_anything_else_is_written_into(poses, tmp_path):
    with pytest.raises(DataError, match="is not empty and holds no conversion"):
        convert(poses, "signon", output_dir=str(tmp_path / "originals"))
    convert(poses, "signon", output_dir=str(tmp_path / "out"))
    with pytest.raises(DataError, match="holds another conversion"):
        convert(poses, "pose", output_dir=str(tmp_path / "out"))
    assert json.loads((tmp_path / "out/conversion.json").read_text())["format"] == "signon"


def test_wrong_settings_are_refused(poses):
    found = replace(run_of("convert"), format=None, kinds=["pictures"], max_failed_share=2).problems()
    assert found[0].startswith("run.format=null: say what to convert to")
    assert found[1].startswith("run.kinds=['pictures'] may name keypoints and features")
    assert found[2].startswith("run.max_failed_share=2 is a share")
    with pytest.raises(ConfigError, match=r"run.format=elan is none of fslr, fslr_parquet, pose, pose_csv, signon"):
        convert(poses, "elan")
    with pytest.raises(ConfigError, match="format pose holds keypoints, not features"):
        convert(poses, "pose", kinds=["features"])
    with pytest.raises(ConfigError, match=r"there are no features in .* run.features_extractor"):
        convert(poses, "fslr", kinds=["features"])


def test_clips_that_would_be_one_file_are_refused(tmp_path):
    table = tmp_path / "originals/index.csv"
    for name in ("a/b", "a_b"):
        pose.write(table.parent / f"{name}.pose", sequence(CLIPS[0], "holistic_75"), None)
    table.write_text("path,gloss,split\na/b.pose,A,train\na_b.pose,A,train\n")
    config = prepare(tmp_path, "pose_files", table, "own", layout="holistic_75")
    with pytest.raises(DataError, match=r"Clips a/b and a_b would both be mediapipe/a_b.npy"):
        convert(config, "signon")


def test_layouts_without_the_needed_points_end_at_once(tmp_path):
    source = make_originals(tmp_path / "originals", "signon")
    config = prepare(tmp_path, "signon", source, "own")
    with pytest.raises(ConfigError, match="Layout fslr_78 needs 11 points that layout holistic_75 does not hold"):
        convert(config, "fslr")


@pytest.mark.parametrize("kind", ["keypoints", "features"])
def test_s1_folders_of_one_kind_prepare_and_validate(tmp_path, kind):
    """S1's documents train on folders with X alone or X2048 alone; its validator accepts neither by default."""
    folder = tmp_path / "originals"
    for clip in CLIPS:
        given = sequence(clip, "fslr_78")
        vectors = np.random.default_rng(1).random((len(given.keypoints), 2048), np.float32)
        both = {"keypoints": (given, None), "features": (None, FeatureSequence(vectors, given.timestamps_ms))}
        fslr.write(folder / fslr.file_name(clip), *both[kind])
    config = prepare(tmp_path, "fsl105", fslr.write_index(folder, CLIPS), "own")
    corpus = prepared(config)
    assert corpus.info["given"] == [kind]
    stages.run(replace(config, run=replace(run_of("validate"), max_swapped_frames=None)))  # the hands are random
    other = {"keypoints": corpus.features_dir, "features": corpus.keypoints_dir}[kind]
    assert not other("").exists()


def test_s1_the_documented_command_that_checks_a_folder_exists():
    """S1's guide names ``preprocessing.validate_npz``, which is no module; here the stage is one of run's options."""
    from hydra.utils import get_method

    assert callable(get_method(run_of("validate")._target_))
