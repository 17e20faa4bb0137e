"""A command is checked when it is added, and becomes one entry a run."""

import json
import os
from pathlib import Path

import pytest
from small_queue import ask

from sign_recog.config.preflight import jobs_of
from sign_recog.errors import ConfigError
from sign_recog.queue.entries import Entry, QueueError
from sign_recog.queue.main import main
from sign_recog.queue.plans import CONF_DIR, checked, kept_environment, place_of, without_needless
from sign_recog.queue.store import Store

SMOKE = ("+experiment=smoke",)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def plans_of(*arguments):
    plans, left_out = without_needless(checked([*SMOKE, *arguments]), [])
    assert left_out == []
    return plans


def test_every_value_becomes_a_run_in_the_order_of_a_multirun():
    found = [" ".join(plan.arguments[1:]) for plan in plans_of("seed=1,2", "optim.lr=1e-3,1e-4", "evaluation=full")]
    assert found == [f"seed={s} optim.lr={lr} evaluation=full" for s in (1, 2) for lr in ("0.001", "0.0001")]


def test_the_folder_is_the_one_the_run_will_use():
    (one,) = plans_of("seed=3")
    (job,) = jobs_of(list(one.arguments), CONF_DIR)
    assert one.run_dir == Path(job.config.paths.run_dir).absolute() and one.run_dir.name == "seed3"


def test_a_file_of_conf_sweep_becomes_runs_that_are_one_each():
    folds = without_needless(checked(["data=manifest", "data.source=x.csv", "+sweep=kfold_signer"]), [])[0]
    assert len(folds) == 5 and len({plan.run_dir for plan in folds}) == 5
    for number, plan in enumerate(folds):
        (job,) = jobs_of(list(plan.arguments), CONF_DIR)
        assert not job.swept_by_file and job.problems == []
        assert (job.config.data.split.strategy.value, job.config.data.split.fold) == ("kfold_signer", number)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("optim.lrr=1", "no such key"),
        ("modle=s3d", "no such key"),
        ("model=s4d", "no such option"),
        ("trainer.max_epochs=many", "must be a whole number"),
        ("seed=1,-2", "must lie between"),
        ("launcher.cluster=slurm", "a run of this machine's queue runs here"),
        ("dry_run=true", "nothing to run"),
        ("seed=[1", "Write settings as key=value"),
    ],
)
def test_a_mistyped_command_is_refused_before_the_night(argument, message):
    with pytest.raises(ConfigError, match=message):
        plans_of(argument)


def test_runs_that_differ_in_nothing_that_counts_are_one_run():
    with pytest.raises(QueueError, match="no effect on its result"):
        plans_of("trainer.num_workers=0,2")


def finished_run(config_run_dir: Path):
    """What a training leaves that has ended; its scores are missing."""
    (config_run_dir / "checkpoints").mkdir(parents=True)
    (config_run_dir / "checkpoints/last.ckpt").touch()
    record = {"settings": config_run_dir.parent.name, "seed": int(config_run_dir.name[4:]), "trained": True}
    (config_run_dir / "run.json").write_text(json.dumps(record))
    (config_run_dir / "status.json").write_text('{"stage": "classify", "state": "finished"}')


def test_what_is_finished_is_refused_unless_it_is_to_be_left_out_or_trained_once_more():
    train = ("run=classify", "seed=1,2")
    finished_run(plans_of(*train)[0].run_dir)
    with pytest.raises(QueueError, match=r"seed=1: .* finished, .*\nNothing was added"):
        plans_of(*train)
    plans, left_out = without_needless(checked([*SMOKE, *train, "skip_existing=true"]), [])
    assert [plan.run_dir.name for plan in plans] == ["seed2"] and "seed=1" in left_out[0]
    assert len(plans_of(*train, "force=true")) == 2
    assert len(plans_of("seed=1")) == 1  # the whole pipeline, whose scores are missing: not finished


def test_the_same_training_in_another_folder_is_refused_as_training_itself_would():
    (one,) = plans_of("run=classify")
    finished_run(one.run_dir)
    with pytest.raises(QueueError, match="holds a finished training of the same settings"):
        plans_of("run=classify", "name=other")


def test_stages_that_train_nothing_share_a_folder_and_are_no_twins():
    keys = {plans_of(f"run={stage}")[0].key for stage in ("prepare", "extract_keypoints", "classify")}
    keys.add(plans_of("run=pipeline")[0].key)
    assert len(keys) == 3  # classify and pipeline would both train


def test_a_run_takes_along_what_it_needs_of_the_environment(monkeypatch):
    for name, value in {"SIGN_RECOG_DATA": "/there", "WANDB_API_KEY": "k", "CUDA_VISIBLE_DEVICES": "3"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SOMETHING_ELSE", "x")
    kept = kept_environment()
    assert kept["SIGN_RECOG_DATA"] == "/there" and kept["WANDB_API_KEY"] == "k" and "PATH" in kept
    assert not {"CUDA_VISIBLE_DEVICES", "SOMETHING_ELSE"} & kept.keys()


def test_a_changed_entry_is_composed_in_its_own_place(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setenv("WANDB_API_KEY", "now")
    entry = Entry(**vars(plans_of()[0]) | {"folder": tmp_path / "elsewhere", "environment": {"WANDB_API_KEY": "then"}})
    with place_of(entry):
        assert Path.cwd() == tmp_path / "elsewhere" and os.environ["WANDB_API_KEY"] == "then"
    assert Path.cwd() == tmp_path and os.environ["WANDB_API_KEY"] == "now"


def test_a_folder_without_a_queue_is_named_and_left_as_it_is(tmp_path):
    assert "holds no queue" in ask(tmp_path, "list", code=1)
    assert list(tmp_path.iterdir()) == []


def test_the_words_that_change_the_queue(tmp_path):
    settings = [*SMOKE, "seed=1,2", "evaluation=full"]
    out = ask(tmp_path, "add", "--multirun", *settings)
    assert "Entry 1, place 1: +experiment=smoke seed=1 evaluation=full" in out and "queue start" in out
    assert "entry 1 is the same run" in ask(tmp_path, "add", *settings, code=1)
    assert "Did you mean seed" in ask(tmp_path, "edit", "1", "sede=3", code=1)
    assert "entry 2 is to run" in ask(tmp_path, "edit", "1", "seed=2", code=1)
    ask(tmp_path, "edit", "1", "seed=5", "--without", "evaluation")
    ask(tmp_path, "copy", "2", "seed=7,8", "--top")
    assert "Moved: entry 2 to place 1, entry 4 to place 2." in ask(tmp_path, "move", "2", "4", "top")
    ask(tmp_path, "move", "4", "3")
    store = Store(tmp_path / "queue")
    found = [" ".join(entry.arguments[1:]) for entry in store.entries()]
    assert found == [*(f"seed={s} evaluation=full" for s in (2, 7, 8)), "seed=5"]
    assert [line for line in ask(tmp_path, "list", "--match", "seed=7").splitlines() if "smoke" in line and "7" in line]
    assert "2 removed; their run folders stay." in ask(tmp_path, "remove", "3-4")
    shuffled = ask(tmp_path, "shuffle", "--seed", "1")
    assert f"Order of those to run: {', '.join(str(entry.id) for entry in store.entries())}." in shuffled
    assert "No entry of the queue matches." in ask(tmp_path, "list", "--state", "failed")
    assert "2 removed" in ask(tmp_path, "clear", "to-run")
    assert store.entries() == [] and "there are none" in ask(tmp_path, "shuffle")
    out = ask(tmp_path, "list")
    assert f"The queue in {store.folder} is empty; `queue add` adds a run." in out and "began" not in out


@pytest.mark.parametrize("where", ["--local", "--slurm"])
def test_add_without_a_setting_is_refused_with_an_example(tmp_path, capsys, where):
    assert main([where, "add", "--top"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    example = line.partition("python run.py queue add ")[2].split()
    assert len(checked(example)) == 2  # it would be taken
    assert list(tmp_path.iterdir()) == []


def test_keys_are_not_shown(tmp_path):
    ask(tmp_path, "add", *SMOKE, env={"WANDB_API_KEY": "secret-key", "WANDB_MODE": "offline"})
    out = ask(tmp_path, "show", "1")
    assert "secret-key" not in out and "WANDB_MODE=offline" in out and "at commit" in out


@pytest.mark.parametrize(
    "words",
    [("show", "1"), ("move", "1"), ("move", "1", "sideways"), ("remove", "x"), ("logs",), ("attach",), ("nonsense",),
     ("clear",), ("start", "--gpus", "17"), ("add", "seed")],
)  # fmt: skip
def test_what_cannot_be_done_is_one_message_and_exit_code_1(tmp_path, words):
    assert ask(tmp_path, *words, code=1).strip()


def test_list_and_help_answer_without_loading_what_trains(tmp_path):
    import subprocess
    import sys

    from small_queue import ROOT

    code = "import sys, run; sys.argv = ['run.py']; from sign_recog.queue.main import main; main(['--local', 'list']);"
    code += "print('torch' in sys.modules, 'hydra.core.global_hydra' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path,
                          env={**os.environ, "PYTHONPATH": str(ROOT)})  # fmt: skip
    assert done.stdout.split()[-2] == "False"
    assert "WORD" in ask(tmp_path, "--help")
