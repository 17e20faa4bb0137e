"""A detector from training to report: it learns, resumes exactly, refuses what cannot work, and writes its files."""

import csv
import json
import signal
import time
from pathlib import Path

import pytest
import torch
from conftest import load_config
from small_train_pose import COUNTS, LOSSES, configure

from sign_recog import stages
from sign_recog.errors import CheckpointError, ConfigError, DataError, Stopped
from sign_recog.landmarks.named import NamedLandmarks
from sign_recog.storage.checkpoint import read_checkpoint, read_pose

LEARN = ("trainer.max_epochs=40", "optim.lr=5e-3", "trainer.early_stopping.patience=100")


def rows_of(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def metrics(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open() as file:
        return [{k: v for k, v in row.items() if k != "epoch_time_s"} for row in csv.DictReader(file)]


def sets(path: Path) -> dict[str, int]:
    column = [row[-1] for row in rows_of(path)[3 if path.name == "predictions.csv" else 1 :]]
    return {name: column.count(name) for name in dict.fromkeys(column)}


def test_it_learns_and_is_evaluated_predicts_and_reports(tmp_path):
    config = configure(tmp_path, *LEARN, "run.save_videos=true")
    error = stages.run(config).objective
    assert error < 3  # pixels of pictures 96 wide; the mean place is 12 away
    folder = Path(config.paths.run_dir)
    assert sets(folder / "predictions.csv") == {"train": COUNTS["train"], "validation": COUNTS["val"]}
    assert (folder / "video_preds/labeled_videos/walk_labeled.mp4").stat().st_size > 0
    video = rows_of(folder / "video_preds/walk.csv")
    assert len(video) == 3 + 24 and video[1][1::3] == ["left", "right", "top"]
    assert len(rows_of(folder / "video_preds/walk_temporal_norm.csv")) == 1 + 24
    stages.run(configure(tmp_path, *LEARN, run="evaluate"))
    scored = json.loads((folder / "metrics.json").read_text())
    every = {"train": COUNTS["train"], "validation": COUNTS["val"], "test": COUNTS["test"], "new": COUNTS["new"]}
    for name in ("predictions", "predictions_pixel_error", "predictions_pca_singleview_error"):
        assert sets(folder / f"{name}.csv") == every
    by_hand = [float(v) for row in rows_of(folder / "predictions_pixel_error.csv")[1:] if row[-1] == "test"
               for v in row[1:-1]]  # fmt: skip
    assert scored["task"] == "pose"
    assert scored["scores"]["pixel_error"] == pytest.approx(sum(by_hand) / len(by_hand), abs=1e-3)
    stages.run(configure(tmp_path, *LEARN, run="report"))
    assert "Error by landmark" in (folder / "report.html").read_text()
    given = f"run.input={tmp_path / 'project/videos/walk.mp4'}"
    stages.run(configure(tmp_path, *LEARN, given, "run.overlay=false", f"run.output_dir={tmp_path}", run="predict"))
    assert (tmp_path / "walk.csv").read_bytes() == (folder / "video_preds/walk.csv").read_bytes()


@pytest.mark.parametrize(
    "settings",
    [(), (*LOSSES, "trainer.eval_every_steps=3", "trainer.accumulate=2", "trainer.ema.enabled=true"),
     ("scheduler=cosine", "optim=adam", "augment=labelled_frames", "trainer.num_workers=1")],
    ids=["epochs", "unsupervised", "augmented"],
)  # fmt: skip
def test_s4_a_resumed_training_ends_as_an_undisturbed_one(tmp_path, monkeypatch, settings):
    """Optimiser, schedule and random numbers go on; S4 began its optimiser anew."""
    from sign_recog.training.pose import PoseModule

    class Killed(BaseException):
        pass

    def kill(self) -> None:
        if self.current_epoch == 2:
            raise Killed

    def settle(name: str):
        own = ("trainer.max_epochs=4", "run.predict_videos=false", f"paths.run_dir={tmp_path / name}")
        return configure(tmp_path, *settings, *own)

    stages.run(settle("whole"))
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(PoseModule, "on_train_epoch_start", kill)
        stages.run(settle("killed"))
    stages.run(settle("killed"))
    assert metrics(tmp_path / "killed") == metrics(tmp_path / "whole")
    for name in ("best", "last"):
        one, other = (read_pose(tmp_path / f / "checkpoints" / f"{name}.ckpt") for f in ("whole", "killed"))
        assert one.step == other.step and all(torch.equal(one.weights[k], other.weights[k]) for k in one.weights)


def test_s4_the_unsupervised_losses_count_on_a_machine_without_a_gpu(tmp_path):
    config = configure(tmp_path, *LOSSES, "run.predict_videos=false")
    stages.run(config)
    last = metrics(Path(config.paths.run_dir))[-1]
    assert float(last["train_temporal"]) >= 0 and float(last["train_pca_singleview"]) > 0
    assert last["train_pca_multiview"] == ""


def test_s4_early_stopping_stops(tmp_path):
    """S4's went on to the last epoch."""
    stop = ("trainer.max_epochs=30", "optim.lr=1e-9", "trainer.early_stopping.metric=val_pixel_error",
            "trainer.early_stopping.patience=2", "trainer.early_stopping.min_delta=5",
            "run.predict_videos=false")  # fmt: skip
    config = configure(tmp_path, *stop)
    stages.run(config)
    assert len(metrics(Path(config.paths.run_dir))) == 3


def test_s4_the_seed_is_the_users(tmp_path):
    """S4 set the global seed to 0 when it began to train."""
    own = ("trainer.max_epochs=1", "run.predict_videos=false")
    found = {}
    for name, seed in (("one", 1), ("again", 1), ("two", 2)):
        config = configure(tmp_path, *own, f"seed={seed}", f"paths.run_dir={tmp_path / name}")
        stages.run(config)
        found[name] = metrics(tmp_path / name)[0]["train_loss"]
    assert found["one"] == found["again"] != found["two"]


@pytest.mark.parametrize("scheduler", ["constant", "cosine", "plateau", "warm_restarts"])
def test_s4_other_schedules_than_multistep_are_there(tmp_path, scheduler):
    own = ("scheduler.monitor=val_pixel_error",) if scheduler == "plateau" else ()
    config = configure(tmp_path, f"scheduler={scheduler}", *own, "trainer.max_epochs=1", "run.predict_videos=false")
    assert stages.run(config).objective > 0


def test_s4_milestones_beyond_the_last_epoch_do_no_harm(tmp_path):
    own = ("trainer.max_epochs=1", "run.predict_videos=false", "scheduler=multistep", "scheduler.milestones=[150,200]")
    assert stages.run(configure(tmp_path, *own)).objective > 0


@pytest.mark.slow
def test_two_processes_train_and_evaluate_as_one_does(tmp_path):
    """The last batch of val leaves one of the two nothing; batch norms, which see half a batch each, are frozen."""
    rows = {}
    for devices in (1, 2):
        own = (f"trainer.devices={devices}", f"paths.run_dir={tmp_path / str(devices)}", "trainer.batch_size=4",
               "transfer.freeze_parts=[backbone,head]", "run.predict_videos=false", "optim=sgd")  # fmt: skip
        stages.run(configure(tmp_path, *own))
        rows[devices] = metrics(tmp_path / str(devices))
    for one, two in zip(rows[1], rows[2], strict=True):
        for name in ("train_pixel_error", "val_loss", "val_pixel_error"):
            assert float(one[name]) == pytest.approx(float(two[name]), rel=2e-3), name


def test_a_checkpoint_needs_nothing_else_and_its_kind_is_told(tmp_path):
    config = configure(tmp_path, "trainer.max_epochs=1", "run.predict_videos=false")
    stages.run(config)
    path = Path(config.paths.run_dir) / "checkpoints/best.ckpt"
    stored = read_pose(path)
    assert NamedLandmarks.from_json(stored.landmarks).names == ("left", "right", "top")
    assert (stored.height, stored.width, stored.context, len(stored.train_clips)) == (32, 64, 0, COUNTS["train"])
    with pytest.raises(CheckpointError, match=r"a detector of landmarks, and a recogniser is needed.*run=classify"):
        read_checkpoint(path)
    with pytest.raises(CheckpointError, match="detector of landmarks"):
        stages.run(configure(tmp_path, f"run.checkpoint={path}", run="export"))


def test_another_detectors_weights_are_a_beginning(tmp_path, capsys):
    config = configure(tmp_path, *LEARN, "run.predict_videos=false")
    learned = stages.run(config).objective
    best = Path(config.paths.run_dir) / "checkpoints/best.ckpt"
    own = (f"transfer.checkpoint={best}", "trainer.max_epochs=1", "optim.lr=1e-6", "run.predict_videos=false")
    assert stages.run(configure(tmp_path, *own)).objective == pytest.approx(learned, rel=0.2)
    assert "loaded" in capsys.readouterr().out


def test_losses_without_videos_and_planes_without_frames_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"pca_multiview.*data\.views"):
        stages.run(configure(tmp_path, "pose.losses.pca_multiview.enabled=true"))
    with pytest.raises(ConfigError, match="unlabelled videos"):
        stages.run(configure(tmp_path, *LOSSES, "data.video_dir=null"))


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (("tokenizer=words",), "reads no text"),
        (("modality.image_height=100",), "multiple of 32.*Use 96"),
        (("modality.context=2",), "modality.context=0"),
        (("augment=rgb",), "augment=labelled_frames"),
        (("trainer.monitor=val_gloss_acc", "trainer.monitor_mode=max"), "run=train_pose"),
        (("pose.unfreeze_epoch=3",), "random"),
        (("trainer.train_on_val=true", "trainer.select=last", "trainer.early_stopping.enabled=false"), "train_on_val"),
        (("model.backbone=resnet1000",), "resnet1000"),
        (("transfer.freeze_parts=[nose]",), "nose"),
    ],
)
def test_what_does_not_go_together_is_said_at_once(tmp_path, overrides, words):
    with pytest.raises((ConfigError, DataError), match=words):
        stages.run(configure(tmp_path, *overrides))


def test_another_tasks_network_is_refused():
    with pytest.raises(ConfigError, match="model=heatmap_tracker"):
        load_config("run=train_pose", "data=pose_csv", "data.source=x", "modality=labelled_frames", "model=transformer")


def test_s4_a_training_shorter_than_an_interval_of_evaluation_is_evaluated_all_the_same(tmp_path):
    """S4's ended without a checkpoint, in "Checkpoint file not found"."""
    own = ("trainer.max_epochs=1", "trainer.eval_every_steps=1000", "run.predict_videos=false")
    config = configure(tmp_path, *own)
    assert stages.run(config).objective > 0
    (row,) = metrics(Path(config.paths.run_dir))
    assert float(row["val_pixel_error"]) > 0
    assert read_pose(Path(config.paths.run_dir) / "checkpoints/best.ckpt").step == 4  # 26 frames, 8 a step


def test_s4_sigterm_ends_a_training_at_once_and_the_same_command_goes_on(tmp_path, monkeypatch):
    """S4 answered after 50 seconds."""
    from sign_recog.training.pose import PoseModule

    config = configure(tmp_path, "trainer.max_epochs=3", "run.predict_videos=false")
    told = []

    def interrupt(self, *_) -> None:
        if self.current_epoch == 1:
            told.append(time.monotonic())
            signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patched, pytest.raises(Stopped, match="the same command goes on from there"):
        patched.setattr(PoseModule, "on_train_batch_start", interrupt)
        stages.run(config)
    assert len(told) == 1 and time.monotonic() - told[0] < 5
    assert json.loads((Path(config.paths.run_dir) / "status.json").read_text())["state"] == "stopped"
    stages.run(config)
    assert len(metrics(Path(config.paths.run_dir))) == 3


def test_s4_a_training_has_the_threads_of_its_setting_and_one_unless_told(tmp_path, monkeypatch):
    """S4 took what torch gives, and beside other work two threads were up to ten times slower than one."""
    from sign_recog.training.pose import PoseModule

    seen = []
    monkeypatch.setattr(PoseModule, "on_train_epoch_start", lambda self: seen.append(torch.get_num_threads()))
    detector = ("data=pose_csv", "data.source=x", "modality=labelled_frames", "model=heatmap_tracker")
    assert load_config("run=train_pose", *detector).trainer.num_threads == 1
    before = torch.get_num_threads()
    try:
        for threads in (1, 2):
            own = (f"trainer.num_threads={threads}", "trainer.max_epochs=1", "run.predict_videos=false")
            stages.run(configure(tmp_path, *own, f"paths.run_dir={tmp_path / str(threads)}"))
    finally:
        torch.set_num_threads(before)
    assert seen == [1, 2]


def test_s4_a_detector_can_be_trained_without_any_data(tmp_path):
    """The data of S4's example are not in its package."""
    few = {"num_signers": (2, 1, 1), "num_frames": (6, 2, 2), "num_clips": (1, 0, 0)}
    sizes = [f"data.corpus.{key}={{train: {t}, val: {v}, test: {e}}}" for key, (t, v, e) in few.items()]
    small = ("data.corpus.image_size=128", "data.corpus.num_glosses=2", "modality.image_height=64",
             "modality.image_width=64", "model.backbone=test_resnet", "trainer.max_epochs=1", "trainer.accelerator=cpu",
             f"paths.data_root={tmp_path / 'data'}", f"paths.output_root={tmp_path / 'outputs'}")  # fmt: skip
    for run in ("prepare", "train_pose"):
        config = load_config(f"run={run}", "+experiment=synthetic_pose", *sizes, *small)
        stages.run(config)
    assert len(rows_of(Path(config.paths.run_dir) / "predictions.csv")) == 3 + 8
