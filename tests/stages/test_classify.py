"""Training: it learns, resumes exactly, and refuses what cannot work before it starts."""

import csv
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TINY, write_tiny_corpus

from sign_recog import stages
from sign_recog.errors import ConfigError, DataError
from sign_recog.storage.checkpoint import read_checkpoint
from sign_recog.storage.sequences import read_keypoints, write_keypoints

ROOT = Path(__file__).parents[2]
LEARN = (
    "run=classify",
    "trainer.max_epochs=40",
    "optim.lr=2e-2",
    "trainer.select=last",
    "trainer.early_stopping.enabled=false",
)


def metrics(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open() as file:
        return [{k: v for k, v in row.items() if k != "epoch_time_s"} for row in csv.DictReader(file)]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return read_checkpoint(folder / "checkpoints" / "last.ckpt").weights


def test_it_learns_the_drawn_movements(tiny):
    config = tiny(*LEARN)
    assert stages.run(config).objective < 0.5  # val_loss; guessing gives 1.1
    rows = metrics(Path(config.paths.run_dir))
    assert [row["epoch"] for row in rows] == [str(i) for i in range(1, 41)]
    assert float(rows[-1]["train_loss"]) < 0.6 * float(rows[0]["train_loss"])


def test_the_logged_training_loss_is_the_mean_over_all_clips(tiny, monkeypatch):
    """Without learning, dropout or shuffling effects it must equal the loss of one batch of all clips."""
    settings = ("run=classify", "trainer.max_epochs=1", "optim.lr=0", "model.dropout=0", "model.head_dropout=0")
    losses = {}
    for size in (5, 18):
        config = tiny(*settings, f"trainer.batch_size={size}")
        stages.run(config)
        losses[size] = float(metrics(Path(config.paths.run_dir))[0]["train_loss"])
    assert losses[5] == pytest.approx(losses[18], abs=2e-5)


def test_a_finished_training_is_not_repeated(tiny):
    config = tiny("run=classify", "trainer.max_epochs=2")
    stages.run(config)
    last = Path(config.paths.run_dir) / "checkpoints" / "last.ckpt"
    before = last.stat().st_mtime_ns
    stages.run(config)
    assert last.stat().st_mtime_ns == before


def test_early_stopping_stops_and_a_stopped_training_stays_stopped(tiny):
    config = tiny("run=classify", "trainer.max_epochs=50", "optim.lr=0", "trainer.early_stopping.patience=3")
    stages.run(config)
    stages.run(config)
    assert len(metrics(Path(config.paths.run_dir))) == 4  # the first epoch is best, then three without improvement


@pytest.mark.parametrize("workers", [1, 2])
def test_loader_processes_change_nothing(tiny, workers):
    alone, beside = (
        tiny(*LEARN, "trainer.max_epochs=3"),
        tiny(*LEARN, "trainer.max_epochs=3", f"trainer.num_workers={workers}"),
    )
    stages.run(alone)
    expected = weights(Path(alone.paths.run_dir))
    (Path(alone.paths.run_dir) / "checkpoints" / "last.ckpt").unlink()
    stages.run(beside)
    found = weights(Path(beside.paths.run_dir))
    assert alone.paths.run_dir == beside.paths.run_dir
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_a_folder_with_other_settings_is_refused_and_the_change_named(tiny, tmp_path):
    place = f"paths.run_dir={tmp_path / 'run'}"
    stages.run(tiny("run=classify", "trainer.max_epochs=1", place))
    with pytest.raises(ConfigError, match=r"optim.lr: 0.001 then, 0.1 now(.|\n)*seed: 1 then, 2 now"):
        stages.run(tiny("run=classify", "trainer.max_epochs=1", "optim.lr=0.1", "seed=2", place))


def test_missing_keypoints_are_said_before_training(tiny, tmp_path):
    config = tiny("run=classify")
    for path in (tmp_path / "data/tiny/keypoints").rglob("*.npz"):
        path.unlink()
    with pytest.raises(DataError, match="Run run=extract_keypoints"):
        stages.run(config)


def test_an_unprepared_corpus_is_said(tiny):
    with pytest.raises(DataError, match="run=prepare first"):
        stages.run(tiny("run=classify", "data.name=other"))


def test_categories_that_do_not_exist_are_said(tiny, tmp_path):
    manifest = tmp_path / "data/tiny/manifest.tsv"
    manifest_text = manifest.read_text().replace("kind0", "").replace("kind1", "")
    config = tiny("run=classify", "loss.category_weight=0.5")
    manifest.write_text(manifest_text)
    with pytest.raises(ConfigError, match="no train clip of tiny has a category"):
        stages.run(config)


def test_a_keypoint_file_that_turns_into_nan_names_its_clips(tiny, tmp_path):
    config = tiny("run=classify", "trainer.max_epochs=2", "optim.lr=1e30", "trainer.gradient_clip=null")
    with pytest.raises(DataError, match=r"The loss is .* with the clips"):
        stages.run(config)


def test_all_missing_hands_still_train(tiny, tmp_path):
    for path in (tmp_path / "data/tiny/keypoints").rglob("*.npz"):
        sequence = read_keypoints(path)
        sequence.keypoints[:, 33:] = np.nan
        write_keypoints(path, sequence)
    assert np.isfinite(stages.run(tiny("run=classify", "trainer.max_epochs=1")).objective)


@pytest.mark.slow
def test_killed_at_random_moments_and_repeated_it_ends_in_the_same_weights(tmp_path):
    write_tiny_corpus(tmp_path / "data")
    command = [sys.executable, "run.py", *TINY, "run=classify", "trainer.max_epochs=60", "model.dropout=0.3"]
    command += [f"paths.data_root={tmp_path / 'data'}", "trainer.early_stopping.patience=60"]

    def start(name: str) -> subprocess.Popen:
        return subprocess.Popen(
            [*command, f"paths.run_dir={tmp_path / name}"],
            cwd=ROOT,
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )

    assert start("undisturbed").wait() == 0
    rng, folder, kills = random.Random(0), tmp_path / "killed", 0
    while kills < 3:
        process, seen = start("killed"), len(metrics(folder)) if (folder / "metrics.csv").exists() else 0
        while process.poll() is None and (not (folder / "metrics.csv").exists() or len(metrics(folder)) <= seen):
            time.sleep(0.01)
        time.sleep(rng.random() * 0.3)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "the training ended before it was killed: give it more epochs"
        kills += 1
    assert start("killed").wait() == 0
    assert metrics(folder) == metrics(tmp_path / "undisturbed")
    for name in ("best", "last"):
        ours, theirs = (
            read_checkpoint(tmp_path / f / "checkpoints" / f"{name}.ckpt") for f in ("killed", "undisturbed")
        )
        assert ours.epoch == theirs.epoch
        assert all(torch.equal(ours.weights[key], theirs.weights[key]) for key in ours.weights)
