"""What was trained before is neither repeated nor lost: duplicates, force, skip_existing, and what resuming needs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import ROOT, TINY, load_config, write_tiny_corpus

from sign_recog import stages
from sign_recog.errors import ConfigError
from sign_recog.evaluation.runs import find_runs
from sign_recog.stages.earlier import missing_scores, read_training, trainings_below
from sign_recog.storage.checkpoint import read_checkpoint
from sign_recog.storage.run_record import is_set_aside, read_record

ONE = ("run=classify", "trainer.max_epochs=1")
BOTH = ("run=pipeline", "run.steps=[classify,evaluate]", "trainer.max_epochs=1")


def folder_of(config) -> Path:
    return Path(config.paths.run_dir)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return read_checkpoint(folder / "checkpoints" / "last.ckpt").weights


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_a_training_that_another_folder_holds_is_refused_and_the_folder_named(tiny):
    first = tiny(*ONE)
    stages.run(first)
    again = tiny(*ONE, "name=again")
    with pytest.raises(ConfigError, match="holds a finished training of the same settings and seed 1") as caught:
        stages.run(again)
    assert first.paths.run_dir in str(caught.value) and "skip_existing=true" in str(caught.value)
    assert not folder_of(again).exists()
    stages.run(tiny(*ONE, "name=again", "seed=2"))  # another seed is another training
    stages.run(tiny(*ONE, "name=again", "run.force=true"))
    assert same(weights(folder_of(first)), weights(folder_of(again)))


def test_an_unfinished_training_elsewhere_is_no_duplicate(tiny):
    first = tiny(*ONE)
    stages.run(first)
    record = folder_of(first) / "run.json"
    record.write_text(record.read_text().replace('"trained": true', '"trained": false'))
    stages.run(tiny(*ONE, "name=again"))


def test_a_run_of_an_earlier_version_is_known_by_its_folder(tiny):
    """Before run.json there was only the end in provenance.json, and the settings in the folder's name."""
    first = tiny(*ONE)
    stages.run(first)
    (folder_of(first) / "run.json").unlink()
    assert read_training(folder_of(first)).trained
    with pytest.raises(ConfigError, match="holds a finished training"):
        stages.run(tiny(*ONE, "name=again"))


def test_thousands_of_runs_are_looked_through_at_once(tmp_path):
    import time

    from sign_recog.storage.run_record import RunRecord, write_record

    for i in range(2000):
        folder = tmp_path / f"{i:08x}" / "seed1"
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text("seed: 1\n")
        write_record(folder, RunRecord(f"{i:08x}", 1))
    start = time.process_time()
    assert len(trainings_below(tmp_path)) == 2000
    assert time.process_time() - start < 2


def test_force_sets_the_earlier_run_aside_and_trains_anew(tiny):
    config = tiny(*BOTH)
    stages.run(config)
    folder = folder_of(config)
    (folder / ".hydra").mkdir()
    (folder / "run.log").write_text("of the command at hand")
    before = weights(folder)
    stages.run(tiny(*BOTH, "run.classify.force=true"))
    (aside,) = (path for path in folder.parent.iterdir() if is_set_aside(path))
    assert same(before, weights(aside)) and same(before, weights(folder))
    assert (aside / "metrics.json").exists() and (folder / ".hydra").is_dir() and (folder / "run.log").exists()
    assert not (aside / "run.log").exists()
    assert find_runs(folder.parent) == [folder]


def test_a_running_run_is_not_set_aside_and_a_requeued_job_goes_on(tiny, monkeypatch):
    config = tiny(*ONE, "run.force=true")
    stages.run(config)
    folder = folder_of(config)
    (folder / "status.json").write_text(json.dumps({"state": "running"}))
    with pytest.raises(ConfigError, match="says that it is running, so it is not set aside"):
        stages.run(config)
    provenance = json.loads((folder / "provenance.json").read_text()) | {"slurm_job_id": "77"}
    (folder / "provenance.json").write_text(json.dumps(provenance))
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    stages.run(config)
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_skip_existing_ends_at_once_with_the_earlier_objective(tiny, caplog):
    caplog.set_level("INFO")
    first = tiny(*BOTH)
    expected = stages.run(first).objective
    stamps = {path: path.stat().st_mtime_ns for path in folder_of(first).rglob("*")}
    for given in ((), ("name=again",)):
        result = stages.run(tiny(*BOTH, "run.classify.skip_existing=true", *given))
        assert result.objective == expected and result.summary == {"finished before": folder_of(first)}
    assert stamps == {path: path.stat().st_mtime_ns for path in folder_of(first).rglob("*")}
    assert "finished before; nothing to do (skip_existing=true)" in caplog.text


def test_skip_existing_of_a_training_alone_returns_its_val_metric(tiny):
    expected = stages.run(tiny(*ONE)).objective
    again = tiny(*ONE, "name=again", "run.skip_existing=true")
    assert stages.run(again).objective == expected
    record = next(Path(again.paths.output_root).rglob("run.json"))
    record.unlink()  # as a run of an earlier version: then the checkpoint says it
    assert stages.run(again).objective == expected


def test_skip_existing_runs_what_is_missing(tiny):
    stages.run(tiny(*ONE))
    result = stages.run(tiny(*BOTH, "run.classify.skip_existing=true"))  # trained, and not evaluated yet
    assert "results" in result.summary
    stages.run(tiny(*ONE, "seed=2"))
    with pytest.raises(ConfigError, match=r"It was not evaluated on test. Use it \(run=evaluate"):
        stages.run(tiny(*BOTH, "run.classify.skip_existing=true", "name=again", "seed=2"))


FULL = ("evaluation=full", "evaluation.num_permutations=2")


def test_skip_existing_makes_an_evaluation_that_was_never_made(tiny):
    """The scores of test alone are not those of test, val and shuffled frames."""
    folder = folder_of(first := tiny(*BOTH))
    stages.run(first)
    again = (*BOTH, *FULL, "run.classify.skip_existing=true")
    with pytest.raises(ConfigError, match=r"not evaluated on val, test with shuffled frames\. Use it"):
        stages.run(tiny(*again, "name=again"))
    stages.run(tiny(*again))
    assert all((folder / place / "metrics.json").is_file() for place in ("val", "shuffled"))
    assert stages.run(tiny(*again)).summary == {"finished before": folder}
    for more in ((), ("evaluation.shuffled=false", "evaluation.num_permutations=1")):
        assert stages.run(tiny(*again, *more, "name=again")).summary == {"finished before": folder}


def written(folder: Path, place: str, *path: str, value) -> None:
    """Change one value of a metrics.json."""
    file = folder / place / "metrics.json"
    node = content = json.loads(file.read_text())
    for name in path[:-1]:
        node = node[name]
    node[path[-1]] = value
    file.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("place", "path", "value", "missing"),
    [
        ("", ("run", "checkpoint"), "last.ckpt", ["test as asked for here"]),
        ("val", ("run", "checkpoint"), "last.ckpt", ["val as asked for here"]),
        ("shuffled", ("run", "checkpoint"), "last.ckpt", ["test with shuffled frames as asked for here"]),
        ("val", ("data", "views"), {"num_clips": 10, "num_crops": 3}, ["val as asked for here"]),
        ("val", ("data", "views"), None, []),
        ("shuffled", ("permutations",), [{}], ["test with shuffled frames as asked for here"]),
    ],
)  # fmt: skip
def test_scores_of_another_checkpoint_or_other_views_are_not_the_ones_asked_for(tmp_path, place, path, value, missing):
    config = load_config(*TINY, *BOTH, *FULL, f"paths.run_dir={tmp_path}")
    assert missing_scores(config, read_training(tmp_path)) == ["test", "val", "test with shuffled frames"]
    content = {"run": {"checkpoint": "best.ckpt"}, "data": {"views": {"num_clips": 1, "num_crops": 1}}}
    for name in ("", "val", "shuffled"):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "metrics.json").write_text(json.dumps({**content, "permutations": [{}, {}]}))
    assert missing_scores(config, read_training(tmp_path)) == []
    written(tmp_path, place, *path, value=value)
    assert missing_scores(config, read_training(tmp_path)) == missing
    elsewhere = load_config(*TINY, *BOTH, "run.evaluate.corpus=other", f"paths.run_dir={tmp_path}")
    assert missing_scores(elsewhere, read_training(tmp_path)) == ["test as asked for here"]


THREE = ("run=classify", "trainer.max_epochs=3", "optim.lr=1e-2", "trainer.ema.enabled=true")


def test_s2_resuming_with_only_best_loads_it(tiny, tmp_path, caplog, monkeypatch):
    """S2's -r with best.pth alone loaded nothing and began anew. Here it ends as the training left alone."""
    from sign_recog.training.module import SignClassifier

    whole = tiny(*THREE, f"paths.run_dir={tmp_path / 'whole'}")
    stages.run(whole)
    starts = []
    monkeypatch.setattr(SignClassifier, "on_train_epoch_start", lambda self: starts.append(self.current_epoch))
    config = tiny(*THREE, f"paths.run_dir={tmp_path / 'part'}")

    class Killed(BaseException):
        pass

    def kill(self) -> None:
        if self.current_epoch == 2:
            raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(SignClassifier, "on_train_epoch_start", kill)
        stages.run(config)
    (tmp_path / "part/checkpoints/last.ckpt").unlink()
    best = read_checkpoint(tmp_path / "part/checkpoints/best.ckpt")
    stages.run(config)
    assert f"last.ckpt is missing, so training goes on from {best.path}, epoch {best.epoch}" in caplog.text
    assert starts == list(range(best.epoch, 3))
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "part"))
    rows = [(tmp_path / name / "metrics.csv").read_text().splitlines() for name in ("whole", "part")]
    assert [row.split(",")[:3] for row in rows[0]] == [row.split(",")[:3] for row in rows[1]]


def test_s2_without_last_the_checkpoint_with_most_steps_is_resumed(tiny, tmp_path, caplog):
    config = tiny(*THREE, "trainer.keep=2", f"paths.run_dir={tmp_path / 'run'}")
    stages.run(config)
    expected = weights(tmp_path / "run")
    (tmp_path / "run/run.json").unlink()
    (tmp_path / "run/provenance.json").unlink()  # so that its end is not known
    for name in ("last", "step0000015"):
        (tmp_path / f"run/checkpoints/{name}.ckpt").unlink()
    assert read_checkpoint(tmp_path / "run/checkpoints/best.ckpt").epoch == 1  # and the other is of epoch 2
    stages.run(config)
    assert "training goes on from" in caplog.text and "step0000010.ckpt, epoch 2" in caplog.text
    assert same(expected, weights(tmp_path / "run"))


def test_a_finished_training_without_last_stays_finished(tiny):
    config = tiny(*BOTH)
    stages.run(config)
    last = folder_of(config) / "checkpoints/last.ckpt"
    epochs = read_record(folder_of(config)).epochs
    last.unlink()
    summary = stages.run(tiny(*ONE)).summary
    assert not last.exists() and summary["epochs"] == epochs == 1


def test_s2_a_job_in_a_sweep_equals_the_job_alone(tmp_path):
    """S2's queue trained several runs in one process, each from the random state the one before had left."""
    data = f"paths.data_root={tmp_path / 'data'}"
    write_tiny_corpus(load_config(*TINY, data))
    settings = [*TINY, data, "run=classify", "trainer.max_epochs=2", "augment=keypoints", "model.dropout=0.3"]

    def start(name: str, *arguments: str) -> Path:
        command = [sys.executable, "run.py", *settings, f"paths.output_root={tmp_path / name}", *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        (last,) = (tmp_path / name).glob("tiny/*/seed2/checkpoints/last.ckpt")
        return last.parents[1]

    sweep, alone = start("sweep", "--multirun", "seed=1,2"), start("alone", "seed=2")
    assert same(weights(sweep), weights(alone))
    assert read_record(sweep).choices["model"] == "transformer" and read_record(sweep).trained
