"""Training: it learns, resumes exactly, and refuses what cannot work before it starts."""

import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TINY, load_config, write_tiny_corpus

from sign_recog import stages
from sign_recog.errors import CheckpointError, ConfigError, DataError
from sign_recog.stages.run_folder import corpus_dir, prepared
from sign_recog.storage.checkpoint import read_checkpoint
from sign_recog.storage.manifest import read_manifest, write_manifest
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


def test_s1_early_stopping_stops_and_a_stopped_training_stays_stopped(tiny):
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


def test_s1_a_folder_with_other_settings_is_refused_and_the_change_named(tiny, tmp_path):
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


def test_an_unprepared_corpus_is_said(tiny, tmp_path):
    config = tiny("run=classify", "data.name=other")
    shutil.rmtree(tmp_path / "data/other")
    with pytest.raises(DataError, match="run=prepare first"):
        stages.run(config)


def test_categories_that_do_not_exist_are_said(tiny, tmp_path):
    config = tiny("run=classify", "loss.category_weight=0.5")
    manifest = next((tmp_path / "data/tiny/manifests").glob("*/manifest.tsv"))
    manifest_text = manifest.read_text().replace("kind0", "").replace("kind1", "")
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


def test_a_run_with_other_clips_is_refused(tiny, tmp_path):
    config = tiny("run=classify", "trainer.max_epochs=1")
    stages.run(config)
    (tmp_path / "data/tiny/keypoints/mediapipe_holistic/up/0.npz").unlink()
    with pytest.raises(DataError, match=r"18 train clips; now there are 17, and 1 are in only one of the two \(up/0\)"):
        stages.run(config)


def test_a_run_whose_labels_have_changed_is_refused(tiny, tmp_path):
    """The same clips under other names: the output layer's rows would have changed their meaning."""
    config = tiny("run=classify", "trainer.max_epochs=1")
    stages.run(config)
    manifest = next((tmp_path / "data/tiny/manifests").glob("*/manifest.tsv"))
    manifest.write_text(manifest.read_text().replace("\tup\t", "\ta\t"))
    with pytest.raises(DataError, match=r"training with other glosses: 3 then, 3 now, and a, up are in only one"):
        stages.run(config)


@pytest.mark.parametrize("content", [{}, {"sign_recog": {"format": 1}}])
def test_a_last_checkpoint_of_another_program_is_said(tiny, content):
    config = tiny("run=classify")
    path = Path(config.paths.run_dir) / "checkpoints" / "last.ckpt"
    path.parent.mkdir(parents=True)
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=r"last\.ckpt: is no sign_recog checkpoint of format \d.* another folder"):
        stages.run(config)


def test_a_category_accuracy_that_val_cannot_have_is_said_before_training(tiny, tmp_path):
    config = tiny(
        "run=classify", "loss.category_weight=1", "trainer.monitor=val_category_acc", "trainer.monitor_mode=max"
    )
    manifest = next((tmp_path / "data/tiny/manifests").glob("*/manifest.tsv"))
    header, *lines = manifest.read_text().splitlines()
    place = header.split("\t").index("category")
    cells = [line.split("\t") for line in lines]
    cells = [["" if i == place and "val" in row else cell for i, cell in enumerate(row)] for row in cells]
    manifest.write_text("\n".join([header, *("\t".join(row) for row in cells)]) + "\n")
    with pytest.raises(ConfigError, match=r"trainer\.monitor=val_category_acc, but no val clip of tiny has a category"):
        stages.run(config)


def test_s1_resume_does_not_train_n_more_epochs(tiny, monkeypatch):
    """Killed after two of four epochs, the same command ends with four; S1's would end with six."""
    from sign_recog.training.module import SignClassifier

    class Killed(BaseException):
        pass

    def kill(self) -> None:
        if self.current_epoch == 2:
            raise Killed

    config = tiny("run=classify", "trainer.max_epochs=4")
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(SignClassifier, "on_train_epoch_start", kill)
        stages.run(config)
    folder = Path(config.paths.run_dir)
    assert [row["epoch"] for row in metrics(folder)] == ["1", "2"]
    stages.run(config)
    assert [row["epoch"] for row in metrics(folder)] == ["1", "2", "3", "4"]
    last = read_checkpoint(folder / "checkpoints" / "last.ckpt")
    assert (last.epoch, last.step) == (4, 20)
    record = json.loads((folder / "provenance.json").read_text())
    assert len(record["earlier"]) == 1 and "ended" not in record["earlier"][0] and record["peak_memory_mb"] > 50


def test_a_larger_budget_is_another_experiment_with_a_folder_of_its_own(tiny):
    short, long = (tiny("run=classify", f"trainer.max_epochs={n}") for n in (2, 3))
    assert short.paths.run_dir != long.paths.run_dir


def test_the_settings_and_the_commit_reach_every_logger(tiny):
    config = tiny("run=classify", "trainer.max_epochs=1", "logger=[tensorboard]")
    stages.run(config)
    text = (Path(config.paths.run_dir) / "tb/hparams.yaml").read_text()
    assert "git_commit" in text and "d_model" in text and "max_epochs" in text


def transferred(tiny, tmp_path, *overrides: str):
    """A training of the drawn movements, and the settings of one that starts from it."""
    stages.run(tiny("run=classify", "trainer.max_epochs=2", f"paths.run_dir={tmp_path / 'first'}"))
    given = f"transfer.checkpoint={tmp_path / 'first/checkpoints/last.ckpt'}"
    return tiny("run=classify", "trainer.max_epochs=1", "optim.lr=0", given, *overrides)


def test_transfer_starts_from_the_weights_of_another_run(tiny, tmp_path, capsys):
    config = transferred(tiny, tmp_path)
    stages.run(config)
    first, second = weights(tmp_path / "first"), weights(Path(config.paths.run_dir))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert "weights from" in capsys.readouterr().out


def test_s2_head_extension_keeps_the_old_glosses(tiny, tmp_path):
    """One gloss fewer in the first run: its two rows stay, whatever their place among three."""
    only = ("data.glosses=[up,across]", f"paths.run_dir={tmp_path / 'two'}")
    config = tiny("run=classify", "trainer.max_epochs=1", *only)
    for path in (tmp_path / "data/tiny/manifests").rglob("manifest.tsv"):
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(line for line in lines if "\tround\t" not in line))
    stages.run(config)
    given = ("transfer=extend", f"transfer.checkpoint={tmp_path / 'two/checkpoints/last.ckpt'}", "optim.lr=0")
    three = tiny("run=classify", "trainer.max_epochs=1", *given, f"paths.run_dir={tmp_path / 'three'}", "seed=2")
    stages.run(three)
    old, new = (read_checkpoint(tmp_path / name / "checkpoints/last.ckpt") for name in ("two", "three"))
    assert old.glosses == ["across", "up"] and new.glosses == ["across", "round", "up"]
    (head,) = (name for name, weight in new.weights.items() if weight.shape[:1] == (3,) and weight.ndim == 2)
    assert torch.equal(new.weights[head][[0, 2]], old.weights[head])


def test_an_unknown_part_to_freeze_is_said_before_training(tiny):
    config = tiny("run=classify", "transfer.freeze_parts=[layers.0,nose]")
    with pytest.raises(ConfigError, match=r"transfer.freeze_parts(.|\n)*'nose'"):
        stages.run(config)


STATEFUL = ("trainer.ema.enabled=true", "trainer.accumulate=2", "scheduler=plateau", "scheduler.patience=3")
IN_STEPS = (
    "trainer.max_epochs=null", "trainer.max_steps=100", "trainer.eval_every_steps=3", "trainer.ema.enabled=true",
    "trainer.num_workers=1", "loss.category_weight=0.5",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("settings", [("trainer.max_epochs=40", *STATEFUL), IN_STEPS], ids=["epochs", "steps"])
def test_killed_at_random_moments_and_repeated_it_ends_in_the_same_weights(tmp_path, settings):
    write_tiny_corpus(load_config(*TINY, f"paths.data_root={tmp_path / 'data'}"))
    given = [*TINY, "run=classify", *settings, "model.dropout=0.3", "trainer.early_stopping.patience=60"]
    given += [f"paths.data_root={tmp_path / 'data'}"]
    command = [sys.executable, "run.py", *given, f"paths.run_dir={tmp_path / 'killed'}"]

    def start() -> subprocess.Popen:
        return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    stages.run(load_config(*given, f"paths.run_dir={tmp_path / 'undisturbed'}"))
    rng, folder, kills = random.Random(0), tmp_path / "killed", 0
    while kills < 2:
        process, seen = start(), len(metrics(folder)) if (folder / "metrics.csv").exists() else 0
        while process.poll() is None and (not (folder / "metrics.csv").exists() or len(metrics(folder)) <= seen):
            time.sleep(0.01)
        time.sleep(rng.random() * 0.3)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "the training ended before it was killed: give it more epochs"
        kills += 1
    assert start().wait() == 0
    assert len(json.loads((folder / "provenance.json").read_text())["earlier"]) == 2
    assert metrics(folder) == metrics(tmp_path / "undisturbed")
    for name in ("best", "last"):
        ours, theirs = (
            read_checkpoint(tmp_path / f / "checkpoints" / f"{name}.ckpt") for f in ("killed", "undisturbed")
        )
        assert ours.epoch == theirs.epoch
        assert all(torch.equal(ours.weights[key], theirs.weights[key]) for key in ours.weights)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_stopped_by_hand_it_says_how_to_go_on(tmp_path, name):
    write_tiny_corpus(load_config(*TINY, f"paths.data_root={tmp_path / 'data'}"))
    # A test runner in the background may pass on "ignore SIGINT".
    program = "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    program += "runpy.run_path('run.py', run_name='__main__')"
    command = [sys.executable, "-c", program, *TINY, "run=classify", "trainer.max_epochs=500"]
    command += [f"paths.data_root={tmp_path / 'data'}", f"paths.run_dir={tmp_path / 'run'}"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    while process.poll() is None and not (tmp_path / "run/metrics.csv").exists():
        time.sleep(0.02)
    time.sleep(0.5)
    process.send_signal(getattr(signal, name))
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1, output
    assert "Training was stopped." in output and "the same command goes on from there" in output
    assert "Traceback" not in output
    assert read_checkpoint(tmp_path / "run/checkpoints/last.ckpt").epoch >= 1
    assert json.loads((tmp_path / "run/status.json").read_text())["state"] == "stopped"


def test_training_on_val_too_learns_from_both_and_refuses_a_score_on_val(tiny, caplog):
    last = ("trainer.train_on_val=true", "trainer.select=last", "trainer.early_stopping.enabled=false")
    config = tiny("run=classify", "trainer.max_epochs=1", *last)
    stages.run(config)
    trained = read_checkpoint(Path(config.paths.run_dir) / "checkpoints" / "last.ckpt")
    clips = prepared(config).clips
    assert sorted(trained.train_clips) == sorted(clip.clip_id for clip in clips if clip.split != "test")
    assert "val_ metrics are those of seen clips" in caplog.text
    with pytest.raises(DataError, match="trained on train and val"):
        stages.run(tiny("run=evaluate", "run.split=val", "trainer.max_epochs=1", *last))
    for stage in ("evaluate", "report"):
        stages.run(tiny(f"run={stage}", "trainer.max_epochs=1", *last))
    assert "val are clips it has seen" in (Path(config.paths.run_dir) / "report.html").read_text()


def test_two_devices_train_in_the_folder_of_one_what_one_trains(tiny):
    """Whoever evaluates, resumes or reports need not know how many there were."""
    # Adam makes whole steps of gradients that are 0 but for rounding, as those of the bias of attention's keys.
    still = ("run=classify", "trainer.max_epochs=2", "model.dropout=0", "model.head_dropout=0", "optim=sgd")
    config = tiny(*still, "trainer.devices=2", "trainer.num_threads=null")
    stages.run(config)
    folder = Path(config.paths.run_dir)
    shared, shared_rows = weights(folder), metrics(folder)
    record = json.loads((folder / "provenance.json").read_text())
    assert record["peak_memory_mb"] > 50 and json.loads((folder / "progress.json").read_text())["step"] == 10
    stages.run(tiny(*still))  # has nothing to do
    assert len(json.loads((folder / "provenance.json").read_text())["earlier"]) == 0
    shutil.rmtree(folder)
    alone = tiny(*still)
    assert alone.paths.run_dir == config.paths.run_dir
    stages.run(alone)
    assert all(torch.allclose(value, shared[name], atol=1e-5) for name, value in weights(folder).items())
    for one, two in zip(metrics(folder), shared_rows, strict=True):
        assert all(float(one[name]) == pytest.approx(float(two[name]), abs=1e-4) for name in one if one[name])


def test_what_fails_in_a_device_ends_the_command_with_one_message(tmp_path):
    write_tiny_corpus(load_config(*TINY, f"paths.data_root={tmp_path / 'data'}"))
    command = [sys.executable, "run.py", *TINY, "run=classify", "trainer.devices=2", "optim.lr=1e30"]
    command += [
        "trainer.gradient_clip=null",
        f"paths.data_root={tmp_path / 'data'}",
        f"paths.run_dir={tmp_path / 'run'}",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert (done.stdout + done.stderr).count("The loss is") == 1
    assert "Traceback" not in done.stdout + done.stderr and "leaked" not in done.stderr
    assert json.loads((tmp_path / "run/status.json").read_text())["state"] == "failed"


def test_clips_without_a_category_cannot_be_shared_among_devices(tiny):
    config = tiny("run=classify", "trainer.devices=2", "loss.category_weight=0.5")
    manifest = corpus_dir(config) / "manifest.tsv"
    clips = read_manifest(manifest)
    next(clip for clip in clips if clip.split == "train" and clip.gloss == "up").category = ""
    write_manifest(manifest, clips)
    with pytest.raises(ConfigError, match=r"1 clips have no category .* Use trainer\.devices=1"):
        stages.run(config)
