"""dry_run=true says what every job would do, and leaves nothing behind."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT, TINY

from sign_recog import cli, config, stages
from sign_recog.config.preflight import jobs_of
from sign_recog.errors import ConfigError
from sign_recog.stages.dry_run import describe, print_plan
from sign_recog.stages.earlier import trainings_below

SETTINGS = ("run=pipeline", "run.steps=[classify,evaluate]", "trainer.max_epochs=1")


def plan(tmp_path: Path, *overrides: str) -> list[str]:
    """What each job of a command would do."""
    config.register_schemas()
    paths = (f"paths.data_root={tmp_path / 'data'}", f"paths.output_root={tmp_path / 'outputs'}")
    jobs = list(jobs_of([*TINY, *paths, *SETTINGS, *overrides], cli.CONF_DIR))
    known = trainings_below(tmp_path / "outputs")
    return [" ".join(job.problems) if job.problems else describe(job.config, known) for job in jobs]


def test_each_job_says_what_would_become_of_it(tiny, tmp_path):
    assert plan(tmp_path, "seed=1,2") == ["new", "new"]
    first = tiny(*SETTINGS)
    stages.run(first)
    stages.run(tiny("run=classify", "trainer.max_epochs=1", "seed=2"))
    assert plan(tmp_path, "seed=1,2,3") == ["finished", "trained; goes on with what follows", "new"]
    assert plan(tmp_path, "skip_existing=true") == ["finished: skipped"]
    assert plan(tmp_path, "force=true") == ["new: sets the earlier run aside"]
    duplicate = f"duplicate of {first.paths.run_dir}: refused without force=true"
    assert plan(tmp_path, "name=again,tiny") == [duplicate, "finished"]
    assert plan(tmp_path, "name=again", "skip_existing=true") == [f"finished in {first.paths.run_dir}: skipped"]
    assert plan(tmp_path, "name=again", "force=true") == ["new"]


def test_a_stopped_training_says_from_where_it_goes_on(tiny, tmp_path, monkeypatch):
    from sign_recog.training.module import SignClassifier

    class Killed(BaseException):
        pass

    def kill(self) -> None:
        if self.current_epoch == 2:
            raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(SignClassifier, "on_train_epoch_start", kill)
        stages.run(tiny(*SETTINGS, "trainer.max_epochs=4"))
    assert plan(tmp_path, "trainer.max_epochs=4") == ["resumes at epoch 2 of 4"]


def test_problems_stand_beside_their_job(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    config.register_schemas()
    jobs = list(jobs_of(["trainer.max_epochs=5,0", "optim.lr=1e-3,2e-3"], cli.CONF_DIR))
    assert not print_plan(jobs, multirun=True)
    text = capsys.readouterr().out
    assert "4 jobs, nothing was started" in text and text.count("cannot run") == 2 and "must be at least 1" in text
    assert not print_plan(jobs[:2], multirun=False) and "need --multirun" in capsys.readouterr().out


def test_jobs_that_share_a_folder_are_said(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    config.register_schemas()
    print_plan(list(jobs_of(["trainer.num_workers=0,1"], cli.CONF_DIR)), multirun=True)
    assert "the same folder as job 0" in capsys.readouterr().out


@pytest.mark.parametrize(
    "more", [(), ("--multirun", "seed=1,2"), ("launcher.cluster=slurm",), ("+sweep=seeds",)], ids=lambda m: " ".join(m)
)
def test_nothing_is_written_or_submitted(tmp_path, more):
    paths = (f"paths.data_root={tmp_path / 'data'}", f"paths.output_root={tmp_path / 'outputs'}")
    before = set((ROOT / "outputs").iterdir()) if (ROOT / "outputs").exists() else set()
    command = [sys.executable, "run.py", *TINY, *paths, "dry_run=true", *more]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "nothing was started or written" in done.stdout and " new " in done.stdout
    assert list(tmp_path.iterdir()) == [] and not (ROOT / "multirun").exists()
    assert (set((ROOT / "outputs").iterdir()) if (ROOT / "outputs").exists() else set()) == before
    assert ("nothing was submitted" in done.stdout) is ("launcher.cluster=slurm" in more)


def test_fifty_jobs_are_planned_within_three_seconds(tmp_path):
    config.register_schemas()
    start = time.process_time()
    assert plan(tmp_path, "seed=range(1,51)") == ["new"] * 50
    assert time.process_time() - start < 3


def test_in_a_file_it_stops_the_command_before_anything_is_done(tiny):
    given = tiny(*SETTINGS, "dry_run=true")
    with pytest.raises(ConfigError, match="belongs on the command line"):
        stages.run(given)
    assert not Path(given.paths.run_dir).exists()


def test_s2_every_network_can_stand_in_a_sweep():
    """S2's queue took its own networks only, one GPU, and knew no sweep."""
    config.register_schemas()
    names = ["s3d", "mvit_v2_s", "videomae_base", "hiera_base", "r3d_18"]
    given = ["data=wlasl100", "data.video_dir=x", "modality=rgb", "launcher.cluster=slurm", "seed=1,2"]
    jobs = list(jobs_of([*given, f"model={','.join(names)}"], cli.CONF_DIR))
    assert [job.problems for job in jobs] == [[]] * 10
    assert len({job.config.paths.run_dir for job in jobs}) == 10
