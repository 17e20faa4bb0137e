"""The program as people start it: exit codes, messages, sweeps."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import TINY, load_config, write_fsl105, write_tiny_corpus
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode

from sign_recog import cli, stages
from sign_recog.errors import Stopped

ROOT = Path(__file__).parents[1]


def run(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess:
    paths = (f"paths.data_root={tmp_path / 'data'}", f"paths.output_root={tmp_path / 'outputs'}")
    command = [sys.executable, "run.py", *TINY, *paths, *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)


def report_of(folder: Path) -> dict:
    """What run=report says of a sweep."""
    stages.run(load_config(*TINY, "run=report", f"run.folder={folder}"))
    return json.loads((folder / "report.json").read_text())["sweep"]


def test_an_error_the_user_can_mend_is_one_message_and_exit_code_1(tmp_path):
    done = run(tmp_path, "run=classify")
    assert done.returncode == 1
    assert "run=prepare first" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_s4_a_failed_run_says_why_in_two_lines_and_in_its_folder_and_a_refused_one_leaves_none(tmp_path):
    """S4 printed its whole configuration in every run, and left empty folders."""
    detector = ("data=pose_csv", "data.source=x.csv", "modality=labelled_frames", "model=heatmap_tracker")
    command = [sys.executable, "run.py", "run=train_pose", *detector, f"paths.data_root={tmp_path / 'data'}"]
    command += [f"paths.output_root={tmp_path / 'outputs'}"]
    for wrong, folders in (("modality.image_height=100", 0), ("modality.image_height=96", 1)):
        done = subprocess.run([*command, wrong], capture_output=True, text=True, cwd=ROOT, check=False)
        assert done.returncode == 1 and len((done.stdout + done.stderr).strip().splitlines()) <= 2
        found = list(tmp_path.glob("outputs/**/status.json"))
        assert len(found) == folders == len(list(tmp_path.glob("outputs/*")))
    assert "run=prepare first" in json.loads(found[0].read_text())["error"]


def test_ctrl_c_is_one_message_and_the_run_says_that_it_was_stopped(tmp_path):
    paths = (f"paths.data_root={tmp_path / 'data'}", f"paths.output_root={tmp_path / 'outputs'}")
    command = [sys.executable, "run.py", *paths, "run=prepare", "data.corpus.num_glosses=600"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT) as running:
        while not (status := list(tmp_path.glob("outputs/**/status.json"))) and running.poll() is None:
            time.sleep(0.1)
        running.send_signal(signal.SIGINT)
        try:
            output, _ = running.communicate(timeout=60)
        finally:
            running.kill()
    assert running.returncode == 1, output
    assert "the same command goes on" in output and "Traceback" not in output
    assert json.loads(status[0].read_text())["state"] == "stopped"


@pytest.mark.parametrize(("launcher", "ends"), [("hydra.x.BasicLauncher", KeyboardInterrupt), ("x.Slurm", Stopped)])
def test_a_job_that_was_stopped_here_ends_its_sweep_and_on_a_cluster_only_itself(monkeypatch, launcher, ends):
    hydra = SimpleNamespace(mode=RunMode.MULTIRUN, launcher={"_target_": launcher})
    monkeypatch.setattr(HydraConfig, "get", lambda: hydra)

    def stopped() -> None:
        raise Stopped("by Ctrl-C")

    with pytest.raises(ends):
        cli.run_to_exit_code(stopped)


def test_help_answers_within_a_second():
    seconds = []
    while not seconds or (min(seconds) >= 1 and len(seconds) < 5):  # other work on the machine may slow one down
        start = time.perf_counter()
        command = [sys.executable, "run.py", "--help"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=30, check=True)
        seconds.append(time.perf_counter() - start)
    assert "Groups" in done.stdout and min(seconds) < 1


def test_cfg_job_prints_the_composed_configuration(tmp_path):
    done = run(tmp_path, "--cfg", "job")
    assert done.returncode == 0 and "d_model: 16" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("cluster", ["local", "local_parallel"])
def test_a_sweep_over_seeds_and_its_report(tmp_path, cluster):
    write_tiny_corpus(load_config(*TINY, f"paths.data_root={tmp_path / 'data'}"))
    settings = ("trainer.max_epochs=1", "run=pipeline", "run.steps=[classify,evaluate,report]")
    done = run(tmp_path, *settings, "--multirun", "seed=1,2", f"launcher.cluster={cluster}")
    assert done.returncode == 0, done.stderr
    (group,) = report_of(tmp_path / "outputs/tiny")["groups"]
    assert [r["seed"] for r in group["runs"]] == [1, 2]


@pytest.mark.slow
def test_a_failed_job_of_a_sweep_is_reported_and_the_others_run(tmp_path):
    write_tiny_corpus(load_config(*TINY, f"paths.data_root={tmp_path / 'data'}"))
    settings = ("run=classify", "trainer.max_epochs=1", "trainer.gradient_clip=null")
    done = run(tmp_path, *settings, "--multirun", "optim.lr=1e30,1e-3")
    assert done.returncode == 1 and "The loss is" in done.stdout + done.stderr
    states = sorted(json.loads(p.read_text())["state"] for p in (tmp_path / "outputs").rglob("status.json"))
    assert states == ["failed", "finished"]


@pytest.mark.slow
def test_one_setting_runs_a_cross_validation_with_unseen_signers(tmp_path):
    source = write_fsl105(tmp_path / "originals")
    paths = (f"paths.data_root={tmp_path / 'data'}", f"paths.output_root={tmp_path / 'outputs'}")
    settings = ("data=fsl105", f"data.source={source}", "modality=features", "augment=none", "extractor=inception_v3")
    fast = ("model=gru", "trainer.max_epochs=1", "trainer.accelerator=cpu", "run.steps=[prepare,classify,evaluate]")
    command = [sys.executable, "run.py", *settings, *fast, *paths, "+sweep=kfold_vs_kfold_signer", "data.split.folds=3"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    sweep = report_of(tmp_path / "outputs/fsl105")
    assert [group["folds"]["pooled"]["num_clips"] for group in sweep["groups"]] == [30, 30]
    assert {len(group["folds"]["folds"]) for group in sweep["groups"]} == {3}
    assert [gap["paired"] for gap in sweep["gaps"]] == [True]
    assert len(list((tmp_path / "data/fsl105/manifests").iterdir())) == 6
    assert len(list((tmp_path / "data/fsl105/features/given").glob("*.npz"))) == 30  # shared by the folds
