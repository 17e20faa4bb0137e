"""run=extract_features on good and bad videos, with InceptionV3's random weights."""

import csv
import json

import numpy as np
import pytest
from conftest import load_config

from sign_recog import stages
from sign_recog.errors import CheckpointError, ConfigError, DataError
from sign_recog.extractors.base import RANDOM_WEIGHTS
from sign_recog.storage.features import read_features
from sign_recog.video.writer import write_video


@pytest.fixture
def originals(tmp_path):
    """Two glosses with a clip of 2 frames and one of 1 each, and one truncated video."""
    folder, rng = tmp_path / "originals", np.random.default_rng(0)
    for gloss in "ab":
        (folder / gloss).mkdir(parents=True)
        for length in (1, 2):
            write_video(folder / gloss / f"{length}.mp4", rng.integers(0, 256, (length, 48, 64, 3), np.uint8), 10)
    (folder / "b" / "truncated.mp4").write_bytes((folder / "b" / "1.mp4").read_bytes()[:900])
    return folder


@pytest.fixture
def own(tmp_path, originals):
    """A function from overrides to a configuration of the prepared corpus."""
    common = [
        "data=manifest", f"data.source={originals}", "data.name=own", "data.split.strategy=random",
        "data.split.val_share=0.3", "data.split.test_share=0.3", f"paths.data_root={tmp_path / 'data'}",
        f"paths.output_root={tmp_path / 'outputs'}",
    ]  # fmt: skip
    stages.run(load_config(*common, "run=prepare"))
    extract = ("run=extract_features", "run.max_failed_share=0.5", "modality=features")

    def configure(*overrides, extractor="inception_v3"):
        return load_config(*common, *extract, f"extractor={extractor}", *overrides)

    return configure


def test_every_clip_has_2048_values_a_frame_and_bad_ones_a_reason(tmp_path, own, caplog):
    summary = stages.run(own()).summary
    assert (summary["clips"], summary["extracted now"], summary["failed"], summary["frames"]) == (5, 4, 1, 6)
    folder = tmp_path / "data/own/features/inception_v3"
    sequence = read_features(folder / "a/2.npz")
    assert sequence.features.shape == (2, 2048) and sequence.timestamps_ms.tolist() == [0, 100]
    with (folder / "failed.tsv").open() as file:
        assert [row["clip_id"] for row in csv.DictReader(file, delimiter="\t")] == ["b/truncated"]
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.npz")}
    assert stages.run(own()).summary["finished before"] == 4
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.npz")} == before


def test_random_weights_are_named_wherever_their_features_are_looked_at(tmp_path, own, caplog):
    summary = stages.run(own()).summary
    folder = tmp_path / "data/own/features/inception_v3"
    extraction = json.loads((folder / "extraction.json").read_text())
    said = [summary["weights"], extraction["weights"], read_features(folder / "a/1.npz").meta["extraction"]["weights"]]
    assert said == [RANDOM_WEIGHTS] * 3
    assert "not pretrained: features mean nothing beyond tests" in caplog.text


def test_shards_together_do_every_clip_once(own):
    done = [stages.run(own("run.num_shards=2", f"run.shard={i}", "run.max_failed_share=1")).summary for i in (0, 1)]
    assert sum(s["clips"] for s in done) == 5 and sum(s["extracted now"] for s in done) == 4
    assert stages.run(own()).summary["extracted now"] == 0


def test_other_settings_are_refused_not_mixed(own):
    stages.run(own())
    with pytest.raises(DataError, match=r"extractor\.target_fps was None, is now 5"):
        stages.run(own("extractor.target_fps=5"))


def test_too_many_failures_end_with_an_error_that_keeps_what_is_done(tmp_path, own):
    with pytest.raises(DataError, match=r"1 of 5 clips failed, more than run.max_failed_share=0.1"):
        stages.run(own("run.max_failed_share=0.1", "run.num_workers=0"))
    assert len(list((tmp_path / "data/own/features").rglob("*.npz"))) == 4


def test_extractors_and_stages_that_do_not_belong_together_are_named(own):
    with pytest.raises(ConfigError, match=r"extractor=mediapipe_holistic makes keypoints.* run=extract_keypoints"):
        stages.run(own(extractor="mediapipe_holistic"))
    with pytest.raises(ConfigError, match=r"extractor=inception_v3 makes features.* run=extract_features"):
        stages.run(own("run=extract_keypoints"))


def test_weights_that_are_not_there_are_refused_before_anything_is_written(tmp_path, own):
    with pytest.raises(CheckpointError, match=r"extractor\.weights=gone\.pth: no such file"):
        stages.run(own("extractor.weights=gone.pth"))
    assert not (tmp_path / "data/own/features").exists()
