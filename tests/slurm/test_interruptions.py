"""Time-outs and preemptions: the job is requeued, goes on in its folder, and ends as if nothing had happened."""

import csv
import re
import subprocess

import pytest
import torch
from slurm_cluster import accounted, until

from sign_recog.launch.overview import standings

pytestmark = pytest.mark.slow
TRAINING = ("seed=1", "run=classify", "trainer.early_stopping.enabled=false")


def trained(run_dir):
    """Weights, and what metrics.csv says except how long it took."""
    content = torch.load(run_dir / "checkpoints/last.ckpt", weights_only=True)
    with (run_dir / "metrics.csv").open() as file:
        rows = [{k: v for k, v in row.items() if "time" not in k and "memory" not in k} for row in csv.DictReader(file)]
    return content["state_dict"], rows


def assert_as_undisturbed(workplace, run_dir, *settings):
    """The interrupted training has the weights and the table of one that was left alone."""
    workplace.run(*TRAINING, *settings, "paths.output_root=undisturbed")
    (alone,) = (workplace.folder / "undisturbed/tiny").glob("*/seed1")
    (weights, rows), (other_weights, other_rows) = trained(run_dir), trained(alone)
    assert rows == other_rows
    assert weights.keys() == other_weights.keys()
    assert all(torch.equal(weights[name], other_weights[name]) for name in weights)


def epochs(run_dir):
    path = run_dir / "metrics.csv"
    return len(path.read_text().splitlines()) - 1 if path.exists() else 0


def test_a_preempted_job_saves_is_requeued_and_ends_in_the_same_weights_and_the_same_wandb_run(workplace):
    settings = ("trainer.max_epochs=200", "logger=wandb")
    (record,) = workplace.submit(*TRAINING, *settings, "launcher.partition=scavenge")
    until(lambda: epochs(record.run_dir) >= 3, what="three epochs")
    # A job of a partition with priority takes both nodes for itself; the other one gets SIGTERM and ten seconds.
    urgent = ["sbatch", "-p", "urgent", "-N", "2", "--exclusive", "-o", "/dev/null", "--wrap", "sleep 3"]
    subprocess.run(urgent, check=True, cwd=workplace.folder)
    until(lambda: record.report.state == "requeued", what="requeue")
    assert "preemption (SIGTERM)" in record.report.error and epochs(record.run_dir) < 200
    (standing,) = standings([record])
    assert standing.state == "waiting" and "start 2; Interrupted by preemption" in standing.note
    until(lambda: record.report.state == "finished", seconds=120, what="second start")
    assert len(record.report.starts) == 2 and record.report.timeouts == 0
    assert accounted(record.job) == {record.job: ("COMPLETED", "0:0")}
    ids = {re.sub(r".*-", "", path.name) for path in record.run_dir.glob("wandb/offline-run-*")}
    assert len(list(record.run_dir.glob("wandb/offline-run-*"))) == 2 and len(ids) == 1
    assert_as_undisturbed(workplace, record.run_dir, *settings)


@pytest.mark.timeout(1200)  # SLURM's shortest limit is a minute, and it looks at limits every half
def test_a_job_that_meets_its_time_limit_is_requeued_and_ends_in_the_same_weights(workplace):
    settings = ("trainer.max_epochs=700",)
    (record,) = workplace.submit(*TRAINING, *settings, "launcher.timeout_min=1", "launcher.signal_s=10")
    until(lambda: record.report.state == "requeued", what="time limit")
    assert "its time limit (SIGUSR2)" in record.report.error and 0 < epochs(record.run_dir) < 700
    until(lambda: record.report.state == "finished", seconds=600, what="further starts")
    assert record.report.timeouts >= 1 and len(record.report.starts) == record.report.timeouts + 1
    assert accounted(record.job) == {record.job: ("COMPLETED", "0:0")}
    assert_as_undisturbed(workplace, record.run_dir, *settings)


def test_a_job_that_meets_its_time_limit_too_often_has_failed(workplace):
    limit = ("launcher.timeout_min=1", "launcher.signal_s=20", "launcher.max_timeouts=0")
    (record,) = workplace.submit(*TRAINING, "trainer.max_epochs=100000", *limit)
    until(lambda: record.report.state == "failed", what="time limit")
    assert "launcher.max_timeouts" in record.report.error
    assert accounted(record.job)[record.job][0] == "FAILED"
