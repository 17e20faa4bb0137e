"""Time-outs and preemptions: the job is requeued, goes on in its folder, and ends as if nothing had happened."""

import contextlib
import csv
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
import torch
from slurm_cluster import accounted, processes, until

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


def is_task(command):
    """Whether a process is what srun has started, neither srun itself nor a helper of a training."""
    return Path(command.split(b"\0")[0].decode()).name.startswith("python") and b"submitit.core._submit" in command


def status_of(process):
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines)


def paused(record):
    """Let a job train for three epochs and no further, however fast the machine is; its process."""
    until(lambda: epochs(record.run_dir) >= 3, what="three epochs")
    (process,) = (pid for pid, command in processes(record.job).items() if is_task(command))
    os.kill(process, signal.SIGSTOP)
    until(lambda: status_of(process)["State"].startswith("T"), what="pause")
    return process


def let_go_on_with(number, process):
    """Wait until SLURM has sent a signal to a paused process, and let that go on, as SLURM may already have."""

    def has_come():
        try:
            status = status_of(process)
        except (FileNotFoundError, ProcessLookupError):
            return True  # woken, and at its end
        pending = int(status["SigPnd"], 16) | int(status["ShdPnd"], 16)
        return not status["State"].startswith("T") or pending >> (number - 1) & 1

    until(has_come, what=signal.Signals(number).name)
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGCONT)


def test_a_preempted_job_saves_is_requeued_and_ends_in_the_same_weights_and_the_same_wandb_run(workplace):
    settings = ("trainer.max_epochs=20", "logger=wandb")
    gpus = ("launcher.partition=scavenge", "launcher.gpus_per_node=2")  # declared ones, which no other test asks for
    (record,) = workplace.submit(*TRAINING, *settings, *gpus)
    process = paused(record)
    # A job of a partition with priority takes the GPUs of both nodes; the other one gets SIGTERM and ten seconds.
    urgent = ["sbatch", "-p", "urgent", "-N", "2", "--gpus-per-node=2", "-o", "/dev/null", "--wrap", "sleep 3"]
    subprocess.run(urgent, check=True, cwd=workplace.folder)
    let_go_on_with(signal.SIGTERM, process)
    until(lambda: record.report.state == "requeued", what="requeue")
    assert "preemption (SIGTERM)" in record.report.error and epochs(record.run_dir) < 20
    until(lambda: standings([record])[0].state == "waiting", what="SLURM has taken it back")
    assert "start 2; Interrupted by preemption" in standings([record])[0].note
    until(lambda: record.report.state == "finished", what="second start")
    assert len(record.report.starts) == 2 and record.report.timeouts == 0
    assert accounted(record.job) == {record.job: ("COMPLETED", "0:0")}
    ids = {re.sub(r".*-", "", path.name) for path in record.run_dir.glob("wandb/offline-run-*")}
    assert len(list(record.run_dir.glob("wandb/offline-run-*"))) == 2 and len(ids) == 1
    assert_as_undisturbed(workplace, record.run_dir, *settings)


def test_a_job_that_meets_its_time_limit_is_requeued_and_ends_in_the_same_weights(workplace):
    # SLURM looks at limits every half a minute, and signals up to as much too early: 75 to 105 s after the start.
    # So much is left for beginning and for ending, on a machine at other work too.
    settings, limit = ("trainer.max_epochs=20",), ("launcher.timeout_min=3", "launcher.signal_s=75")
    (record,) = workplace.submit(*TRAINING, *settings, *limit)
    let_go_on_with(signal.SIGUSR2, paused(record))
    until(lambda: record.report.state == "requeued", what="requeue")
    assert "its time limit (SIGUSR2)" in record.report.error and 0 < epochs(record.run_dir) < 20
    until(lambda: record.report.state == "finished", what="further starts")
    assert record.report.timeouts >= 1 and len(record.report.starts) == record.report.timeouts + 1
    assert accounted(record.job) == {record.job: ("COMPLETED", "0:0")}
    assert_as_undisturbed(workplace, record.run_dir, *settings)


def test_a_job_that_meets_its_time_limit_too_often_has_failed(workplace):
    """It is failed for SLURM too if it has ended before its limit, so the signal of the limit comes well before it."""
    limit = ("launcher.timeout_min=3", "launcher.signal_s=90", "launcher.max_timeouts=0")
    (record,) = workplace.submit(*TRAINING, "trainer.max_epochs=100000", *limit)
    until(lambda: epochs(record.run_dir) > 0, what="an epoch")
    workplace.ask("scancel", "--signal=USR2", record.job)
    until(lambda: record.report.state == "failed", what="time limit")
    assert accounted(record.job) == {record.job: ("FAILED", "1:0")}
    assert "launcher.max_timeouts" in record.report.error and len(record.report.starts) == 1
    (standing,) = standings([record])
    assert standing.state == "failed" and "launcher.max_timeouts" in standing.note
