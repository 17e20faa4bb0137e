"""What both extractions share as stages: retries, augmented copies, SSVP-SLT's tree, balanced shards, names."""

import csv
import dataclasses
import json

import numpy as np
import pytest
from conftest import load_config

from sign_recog import stages
from sign_recog.config.runs.extract_keypoints import Retry
from sign_recog.errors import ConfigError, DataError
from sign_recog.stages.extraction import jobs_of, own_share
from sign_recog.stages.run_folder import prepared
from sign_recog.storage.features import read_features
from sign_recog.video.writer import write_video

COLOUR = {"_target_": "extractor_fakes.ColourExtractor"}


@pytest.fixture
def own(tmp_path):
    """A function from overrides to the configuration of a corpus of 6 short videos, by a light extractor."""
    folder, rng = tmp_path / "originals", np.random.default_rng(0)
    for gloss in "ab":
        (folder / gloss).mkdir(parents=True)
        for length in (2, 4, 6):
            picture = np.tile(np.linspace(0, 255, 64), (48, 1))[
                None, :, :, None
            ]  # dark to bright, so that a flip shows
            frames = np.clip(picture + rng.integers(-9, 9, (length, 48, 64, 3)), 0, 255).astype(np.uint8)
            write_video(folder / gloss / f"{length} e.mp4", frames, 10)
    common = [
        "data=manifest", f"data.source={folder}", "data.name=own", "data.split.strategy=random",
        "data.split.val_share=0.17", "data.split.test_share=0.17", f"paths.data_root={tmp_path / 'data'}",
        f"paths.output_root={tmp_path / 'outputs'}",
    ]  # fmt: skip
    stages.run(load_config(*common, "run=prepare"))

    def configure(*overrides, extractor=COLOUR):
        settings = ("run=extract_features", "extractor=inception_v3", "modality=features", "run.num_workers=0")
        return dataclasses.replace(load_config(*common, *settings, *overrides), extractor=extractor)

    return configure


def features(folder):
    return {path.stem: read_features(path).features for path in sorted(folder.rglob("*.npz"))}


def test_augmented_copies_are_of_training_clips_and_each_is_another(tmp_path, own):
    config = own("run.augmented_copies=2", "augment@run.augment=rgb_strong")
    summary = stages.run(config).summary
    assert (summary["clips"], summary["augmented copy 1"]) == (6, "4 extracted now, 0 before, 0 failed")
    root, corpus = tmp_path / "data/own", prepared(config)
    copies = [features(corpus.augmented_dir("extractor_fakes", copy)) for copy in (1, 2)]
    assert sorted(path.name for path in (root / "features_augmented/extractor_fakes").iterdir()) == ["1", "2"]
    for copy in (1, 2):
        found = corpus.augmented_dir("extractor_fakes", copy).rglob("*.npz")
        names = {str(path.relative_to(corpus.augmented_dir("extractor_fakes", copy)))[:-4] for path in found}
        assert names == {clip.clip_id for clip in corpus.of_split("train")}
    assert any(not np.allclose(copies[0][name], copies[1][name]) for name in copies[0])
    again = stages.run(config).summary
    assert again["augmented copy 2"] == "0 extracted now, 4 before, 0 failed"
    with pytest.raises(DataError, match="made with other settings"):
        stages.run(own("run.augmented_copies=2", "augment@run.augment=rgb"))


def test_copies_that_nothing_changes_are_refused():
    settings = ("run=extract_features", "extractor=inception_v3", "modality=features")
    with pytest.raises(ConfigError, match=r"run\.augmented_copies=2 would all be the same"):
        load_config(*settings, "run.augmented_copies=2", "augment@run.augment=none")
    with pytest.raises(ConfigError, match=r"run\.augmented_copies=-1 must be at least 0"):
        load_config(*settings, "run.augmented_copies=-1")
    with pytest.raises(ConfigError, match=r"run\.augment\.flip\.q=1: .* has no such setting"):
        load_config(*settings, "+run.augment.flip.q=1")


def test_the_tree_of_ssvp_slt_is_written_by_setting(tmp_path, own):
    summary = stages.run(own(f"run.tree_dir={tmp_path / 'tree'}", "run.augmented_copies=1")).summary
    assert summary["tensors written"] == 6 + 4
    assert len(list((tmp_path / "tree/features/0").rglob("*.pt"))) == 6
    assert len(list((tmp_path / "tree/features/1").rglob("*.pt"))) == 4
    assert not list((tmp_path / "data").rglob("*.pt"))


def test_only_what_failed_is_tried_again(tmp_path, own):
    good = (tmp_path / "originals/a/4 e.mp4").read_bytes()
    (tmp_path / "originals/a/4 e.mp4").write_bytes(good[:300])
    assert stages.run(own("run.max_failed_share=0.5")).summary["failed"] == 1
    folder = tmp_path / "data/own/features/extractor_fakes"
    with (folder / "failed.tsv").open() as file:
        (row,) = csv.DictReader(file, delimiter="\t")
    assert row["clip_id"] == "a/4 e" and row["time"] and row["worker"]
    (tmp_path / "originals/a/4 e.mp4").write_bytes(good)
    (folder / "b/2 e.npz").unlink()
    config = own("run.retry=failed")
    assert config.run.retry is Retry.failed
    summary = stages.run(config).summary
    assert (summary["clips tried again"], summary["extracted now"], summary["failed"]) == (1, 1, 0)
    assert not {"clips", "finished before"} & summary.keys()  # of 6 clips, one was tried
    assert (folder / "a/4 e.npz").exists() and not (folder / "b/2 e.npz").exists()
    assert not (folder / "failed.tsv").exists()


def test_shards_are_by_duration_and_stay_as_they_are_when_clips_are_finished(own):
    corpus = prepared(own())
    jobs = jobs_of(corpus, corpus.clips)
    shards = [{job.clip_id for job in own_share(own("run.num_shards=2", f"run.shard={i}"), jobs)} for i in (0, 1)]
    assert shards[0] | shards[1] == {job.clip_id for job in jobs} and not shards[0] & shards[1]
    assert stages.run(own("run.num_shards=2", "run.shard=0")).summary["extracted now"] == len(shards[0])
    again = [{job.clip_id for job in own_share(own("run.num_shards=2", f"run.shard={i}"), jobs)} for i in (0, 1)]
    assert again == shards


def test_a_duration_in_the_manifest_is_used_where_clips_have_no_end(tmp_path, own):
    corpus = prepared(own())
    for number, clip in enumerate(corpus.clips):
        clip.extra["duration"] = str(number + 0.5)
    assert [job.duration_s for job in jobs_of(corpus, corpus.clips)] == [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]
    corpus.clips[0].extra["duration"] = "unknown"
    assert jobs_of(corpus, corpus.clips)[0].duration_s is None


def test_other_settings_are_refused_and_where_the_extractor_has_a_name_another_is_proposed(own):
    named = COLOUR | {"name": "colours"}
    config = own(extractor=named)
    folder = prepared(config).features_dir("colours")
    folder.mkdir(parents=True)
    np.savez(folder / "x.npz", x=1)
    (folder / "extraction.json").write_text(json.dumps({"extractor": "colours", "options": {"image_size": 7}}))
    from sign_recog.extractors.batched import extract_all
    from sign_recog.stages.build import build
    from sign_recog.stages.extraction import extract

    with pytest.raises(DataError, match=r"extractor\.image_size was 7, is now \d+.*extractor\.name=ANOTHER"):
        extract(config, [], folder, extract_all, build(COLOUR))
    with pytest.raises(DataError) as caught:
        extract(own(), [], folder, extract_all, build(COLOUR))
    assert "extractor.name" not in str(caught.value)
