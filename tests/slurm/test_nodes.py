"""A training over two nodes is that of as many processes on one, and only the first node writes."""

import os
import signal

import pytest
import torch
from slurm_cluster import accounted, processes, until

pytestmark = pytest.mark.slow
TRAINING = ("seed=1", "run=classify", "trainer.early_stopping.enabled=false")
TWO_NODES = ("launcher.nodes=2", "trainer.devices=2", "launcher.cpus_per_task=2")


def weights(run_dir):
    return torch.load(run_dir / "checkpoints/last.ckpt", weights_only=True)["state_dict"]


def test_two_nodes_learn_what_as_many_processes_of_one_machine_learn(workplace):
    settings = ("trainer.max_epochs=3",)
    (record,) = workplace.submit(*TRAINING, *settings, *TWO_NODES)
    until(lambda: record.report.state in ("finished", "failed"), what="end of the training")
    assert record.report.state == "finished", record.report.error
    assert accounted(record.job) == {record.job: ("COMPLETED", "0:0")}
    workplace.run(*TRAINING, *settings, "trainer.devices=4", "paths.output_root=alone")
    (alone,) = (workplace.folder / "alone/tiny").glob("*/seed1")
    ours, theirs = weights(record.run_dir), weights(alone)
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-6) for name in theirs)
    own = {path.name for path in alone.iterdir()}
    assert {path.name for path in record.run_dir.iterdir()} == own  # no file of a second process
    assert len((record.run_dir / "metrics.csv").read_text().splitlines()) == 4
    second = (record.folder / f"{record.job}_1_log.out").read_text()
    assert "INFO] step" not in second and "Traceback" not in second


def test_a_training_on_two_nodes_is_requeued_and_goes_on(workplace):
    settings = ("trainer.max_epochs=60",)
    (record,) = workplace.submit(*TRAINING, *settings, *TWO_NODES)
    table = record.run_dir / "metrics.csv"
    until(lambda: table.exists() and len(table.read_text().splitlines()) > 3, what="three epochs")
    workplace.ask("scancel", "--signal=USR2", record.job)
    until(lambda: record.report.state == "requeued", what="requeue")
    done = len(table.read_text().splitlines()) - 1
    until(lambda: record.report.state in ("finished", "failed"), what="second start")
    assert record.report.state == "finished", record.report.error
    assert done < 60 and len(record.report.starts) == 2
    assert [line.split(",")[0] for line in table.read_text().splitlines()[1:]] == [str(i) for i in range(1, 61)]


def test_a_process_killed_on_the_second_node_fails_the_job(workplace):
    (record,) = workplace.submit(*TRAINING, "trainer.max_epochs=100000", *TWO_NODES)
    until(lambda: (record.run_dir / "metrics.csv").exists(), what="an epoch")
    victim = next(pid for pid, command in processes(record.job, node=1).items() if b"multiprocessing.spawn" in command)
    os.kill(victim, signal.SIGKILL)
    assert accounted(record.job)[record.job][0] == "FAILED"
    assert record.report.state == "failed"
    assert "On node 2" in record.report.error and "SIGKILL" in record.report.error
