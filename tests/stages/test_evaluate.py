"""Evaluation: the same figures as training's, test opened by nobody else, and nothing mixed up."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from sign_recog import stages
from sign_recog.errors import CheckpointError, DataError
from sign_recog.storage.checkpoint import read_checkpoint
from sign_recog.storage.sequences import read_keypoints, write_keypoints

TRAIN = ("trainer.max_epochs=40", "optim.lr=2e-2", "loss.category_weight=0.3", "trainer.early_stopping.enabled=false")


@pytest.fixture
def trained(tiny):
    stages.run(tiny("run=classify", *TRAIN))
    return tiny


def change_line(path: Path, start: str, old: str, new: str) -> None:
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line.replace(old, new) if line.startswith(start) else line for line in lines))


def metrics(config, split: str = "") -> dict:
    return json.loads((Path(config.paths.run_dir) / split / "metrics.json").read_text())


def test_scoring_val_again_gives_what_training_saw(trained):
    config = trained("run=evaluate", "run.split=val", *TRAIN)
    stages.run(config)
    seen = read_checkpoint(Path(config.paths.run_dir) / "checkpoints" / "best.ckpt").metrics
    scores = metrics(config, "val")["scores"]
    assert scores["top1_per_instance"] == pytest.approx(seen["val_gloss_acc"])
    assert scores["category_top1_per_instance"] == pytest.approx(seen["val_category_acc"])


def test_it_recognises_test_and_says_on_what(trained):
    config = trained("run=evaluate", *TRAIN)
    assert stages.run(config).objective >= 2 / 3
    data = metrics(config)["data"]
    assert data["clips"] == 3 and data["clips_without_keypoints"] == [] and data["split_strategy"] == "given"
    with (Path(config.paths.run_dir) / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["clip_id"] for row in rows) == ["across/7", "round/7", "up/7"]


def test_training_never_opens_test(tiny, tmp_path):
    for path in (tmp_path / "data/tiny/keypoints").rglob("7.npz"):
        path.write_bytes(b"not to be opened")
    stages.run(tiny("run=classify", "trainer.max_epochs=1"))
    with pytest.raises(DataError, match=r"7.npz: cannot be read"):
        stages.run(tiny("run=evaluate", "trainer.max_epochs=1"))


def test_clips_without_keypoints_are_counted_in_the_result(trained, tmp_path):
    (tmp_path / "data/tiny/keypoints/mediapipe_holistic/up/7.npz").unlink()
    config = trained("run=evaluate", *TRAIN)
    stages.run(config)
    assert metrics(config)["data"]["clips_without_keypoints"] == ["up/7"]


def test_without_a_checkpoint_it_says_how_to_get_one(tiny):
    with pytest.raises(CheckpointError, match="Train with run=classify"):
        stages.run(tiny("run=evaluate"))


@pytest.mark.parametrize("content", [b"", b"no checkpoint"])
def test_a_damaged_checkpoint_is_said(tiny, tmp_path, content):
    (tmp_path / "a.ckpt").write_bytes(content)
    with pytest.raises(CheckpointError, match="cannot be read as a checkpoint"):
        stages.run(tiny("run=evaluate", f"run.checkpoint={tmp_path / 'a.ckpt'}"))


def test_a_checkpoint_that_would_run_code_is_refused(tiny, tmp_path):
    torch.save({"bomb": Path}, tmp_path / "a.ckpt")
    with pytest.raises(CheckpointError, match="cannot be read as a checkpoint"):
        stages.run(tiny("run=evaluate", f"run.checkpoint={tmp_path / 'a.ckpt'}"))


def test_another_programs_checkpoint_is_refused(tiny, tmp_path):
    torch.save({"state_dict": {}, "epoch": 0}, tmp_path / "a.ckpt")
    with pytest.raises(CheckpointError, match="no sign_recog checkpoint"):
        stages.run(tiny("run=evaluate", f"run.checkpoint={tmp_path / 'a.ckpt'}"))


def test_keypoints_of_another_layout_are_refused(trained, tmp_path):
    from sign_recog.errors import ConfigError
    from sign_recog.landmarks.layout import get_layout

    path = tmp_path / "data/tiny/keypoints/mediapipe_holistic/up/7.npz"
    sequence = read_keypoints(path)
    sequence.keypoints, sequence.confidence = sequence.keypoints[:, :67], sequence.confidence[:, :67]
    sequence.layout, sequence.meta["layout"] = get_layout("signon_67"), "signon_67"
    write_keypoints(path, sequence)
    with pytest.raises(ConfigError, match="Layout holistic_75 needs 8 points that layout signon_67 does not hold"):
        stages.run(tiny_of_layout(trained))


def tiny_of_layout(configure):
    settings = ("modality.layout=holistic_75", "trainer.max_epochs=1")
    stages.run(configure("run=classify", *settings))
    return configure("run=evaluate", *settings)


def test_keypoints_extracted_in_another_way_are_refused(trained, tmp_path):
    folder = tmp_path / "data/tiny/keypoints/mediapipe_holistic"
    settings = ("trainer.max_epochs=1",)
    (folder / "extraction.json").write_text('{"model_complexity": 1}')
    stages.run(trained("run=classify", *settings))
    (folder / "extraction.json").write_text('{"model_complexity": 2}')
    with pytest.raises(CheckpointError, match="model_complexity was 1, is 2"):
        stages.run(trained("run=evaluate", *settings))


def test_a_clip_that_was_trained_on_cannot_be_tested(trained, tmp_path):
    manifest = tmp_path / "data/tiny/manifest.tsv"
    lines = [
        line.replace("\ttrain\t", "\ttest\t") if line.startswith("up/0") else line
        for line in manifest.read_text().splitlines()
    ]
    manifest.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match="1 clips of test were trained on"):
        stages.run(trained("run=evaluate", *TRAIN))


def test_a_test_label_outside_the_vocabulary_is_said(trained, tmp_path):
    manifest = tmp_path / "data/tiny/manifest.tsv"
    lines = [
        line.replace("\tup\t", "\tdown\t") if line.startswith("up/7") else line
        for line in manifest.read_text().splitlines()
    ]
    manifest.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match="gloss 'down': 1 clips, none of them in train"):
        stages.run(trained("run=evaluate", *TRAIN))


def test_a_checkpoint_alone_is_enough(trained, tmp_path):
    """With run.checkpoint the other settings may be anything: the checkpoint knows its own."""
    own = trained("run=evaluate", *TRAIN)
    stages.run(own)
    expected = metrics(own)["scores"]
    path = Path(own.paths.run_dir) / "checkpoints" / "best.ckpt"
    stages.run(trained("run=evaluate", f"run.checkpoint={path}", "optim.lr=9", "modality.layout=holistic_75"))
    assert metrics(own)["scores"] == expected
    assert np.isfinite(expected["loss"])
