"""The words of the queue on a real SLURM."""

import csv

import pytest
from slurm_cluster import SMALL_JOB, until

from sign_recog.launch.records import read_jobs
from sign_recog.queue.main import main

pytestmark = pytest.mark.slow


def epochs(run_dir):
    path = run_dir / "metrics.csv"
    if not path.exists():
        return []
    with path.open() as file:
        return [int(row["epoch"]) for row in csv.DictReader(file)]


def test_stopped_now_held_and_released_a_training_goes_on_where_it_was(workplace, monkeypatch, capsys):
    monkeypatch.chdir(workplace.folder)
    monkeypatch.setenv("COLUMNS", "300")
    settings = workplace.arguments("run=classify", "trainer.max_epochs=100000", *SMALL_JOB)[2:]

    def queue(*words, code=0):
        capsys.readouterr()
        assert main(["--slurm", *words]) == code
        return "".join(capsys.readouterr())

    queue("add", *settings, "trainer.num_workers=0")
    (record,) = read_jobs(workplace.sweep)
    until(lambda: epochs(record.run_dir), what="the first epoch")
    assert f"{record.job} ends and waits again" in queue("stop", "--now")
    until(lambda: "requeued in held state" in queue("list", "--state", "to-run"), what="held")
    before = len(epochs(record.run_dir))
    assert f"Released: {record.job}" in queue("start")
    until(lambda: len(epochs(record.run_dir)) > before + 1, what="further epochs")
    queue("stop", record.job)
    until(lambda: record.job in queue("list", "--state", "stopped"), what="cancelled")
    assert epochs(record.run_dir) == list(range(1, len(epochs(record.run_dir)) + 1))
    queue("remove", record.job)
    assert "no job of this queue" in queue("stop", record.job, code=1)
