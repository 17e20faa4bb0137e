"""A sweep as one SLURM array gives what the same command gives here, and how each job ended is told."""

import json
import shutil

import pytest
import yaml
from slurm_cluster import ROOT, SMALL_JOB, accounted, until

from sign_recog.launch.records import read_jobs

pytestmark = pytest.mark.slow
STEPS = ("run=pipeline", "run.steps=[classify,evaluate,report]", "trainer.max_epochs=2")
HELD = "+launcher.sbatch.hold=true"  # until `scontrol release`
LONG = ("run=classify", "trainer.max_epochs=100000", "trainer.early_stopping.enabled=false")


def scores(report):
    """The numbers of a sweep's report, without paths and times."""
    groups = json.loads(report.read_text())["sweep"]["groups"]
    return [([run["seed"] for run in group["runs"]], group["scores"]) for group in groups]


def test_five_seeds_are_one_array_and_give_the_numbers_that_the_same_command_gives_here(workplace):
    out = workplace.run("--multirun", "seed=1,2,3,4,5", *STEPS, *SMALL_JOB)
    records = list(read_jobs(workplace.sweep))
    (array,) = {record.job.partition("_")[0] for record in records}
    assert accounted(array) == {f"{array}_{i}": ("COMPLETED", "0:0") for i in range(5)}
    assert all(f"seed={seed}" in out for seed in range(1, 6)) and out.count("finished") >= 5
    workplace.run("run=report", f"run.folder={workplace.sweep}")
    there = scores(workplace.sweep / "report.json")
    assert there[0][0] == [1, 2, 3, 4, 5]

    shutil.move(workplace.sweep, workplace.folder / "on_the_cluster")
    workplace.run("--multirun", "seed=1,2,3,4,5", *STEPS, *SMALL_JOB, "launcher.cluster=local")
    workplace.run("run=report", f"run.folder={workplace.sweep}")
    assert scores(workplace.sweep / "report.json") == there


def test_a_failed_job_is_failed_for_slurm_too_and_takes_no_other_result_with_it(workplace):
    # The failing one comes first: whoever reads results in order and stops at an error, loses the other.
    out = workplace.run("--multirun", "data.name=missing,tiny", "name=tiny", *STEPS, *SMALL_JOB, code=1)
    missing, sound = sorted(read_jobs(workplace.sweep), key=lambda record: record.index)
    states = accounted(missing.job.partition("_")[0])
    assert states == {missing.job: ("FAILED", "1:0"), sound.job: ("COMPLETED", "0:0")}
    assert (sound.run_dir / "metrics.json").exists() and sound.report.state == "finished"
    assert "Traceback" in missing.log.read_text() and "DataError" in missing.log.read_text()
    assert f"1 of 2 jobs did not finish: {missing.job}" in out and "Traceback" not in out
    row = next(line for line in out.splitlines() if "data.name=missing" in line and "failed" in line and "│" in line)
    assert "holds no prepared corpus" in row
    status = workplace.run("run=status", f"run.folder={workplace.sweep}")
    assert "failed" in status and "finished" in status and "holds no prepared corpus" in status


def test_without_waiting_the_ids_are_told_and_status_works_while_jobs_run(workplace):
    out = workplace.run("--multirun", "seed=1,2", *LONG, *SMALL_JOB, "launcher.wait=false")
    first, second = sorted(read_jobs(workplace.sweep), key=lambda record: record.index)
    array = first.job.partition("_")[0]
    assert f"scancel {array}" in out and "run=status" in out
    until(lambda: (second.run_dir / "progress.json").exists(), what="training begins")
    until(lambda: (first.run_dir / "progress.json").exists(), what="training begins")
    status = workplace.run("run=status", f"run.folder={workplace.sweep}")
    assert status.count("running") >= 2 and "of 100000" in status

    # The same command again finds its jobs at work, instead of a second one in the same folder.
    out = workplace.run("--multirun", "seed=1,2", *LONG, *SMALL_JOB, "launcher.wait=false")
    assert f"job {first.job} of an earlier command" in out and len(list(read_jobs(workplace.sweep))) == 2

    # A cancelled job stays cancelled, also where it was told by a signal that means preemption elsewhere.
    workplace.ask("scancel", array)
    assert {state.split()[0] for state, _ in accounted(array).values()} == {"CANCELLED"}
    assert first.report.starts and len(first.report.starts) == 1
    until(lambda: not workplace.jobs(), what="both are gone")
    status = workplace.run("run=status", f"run.folder={workplace.sweep}")
    assert status.count("cancelled") >= 2


def test_a_cancelled_job_does_not_hide_the_others(workplace):
    process = workplace.start("--multirun", "seed=1,2", "trainer.max_epochs=30", "run=classify", *SMALL_JOB)
    until(lambda: len(list(read_jobs(workplace.sweep))) == 2, what="submission")
    first, second = sorted(read_jobs(workplace.sweep), key=lambda record: record.index)
    workplace.ask("scancel", first.job)
    out = process.communicate(timeout=600)[0]
    assert process.returncode == 1, out
    assert f"1 of 2 jobs did not finish: {first.job}" in out and "cancelled" in out
    assert second.report.state == "finished" and second.report.objective is not None


def test_a_waiting_job_keeps_the_configuration_it_was_submitted_with(workplace):
    """The program is a copy, whose conf/ is changed while the job waits."""
    shutil.copytree(ROOT / "conf", workplace.folder / "conf")
    workplace.program = shutil.copy(ROOT / "run.py", workplace.folder / "run.py")
    settings = ("seed=1", "run=classify", "trainer.max_epochs=2")
    submitted = yaml.safe_load(workplace.run(*settings, "--cfg", "job", "--resolve"))
    (record,) = workplace.submit(*settings, HELD)
    path = workplace.folder / "conf/optim/adamw.yaml"
    path.write_text(path.read_text().replace("lr: ", "lr: 7.0  # was "))
    (workplace.folder / "conf/config.yaml").unlink()
    workplace.ask("scontrol", "release", record.job)
    until(lambda: record.report.state == "finished", what="end")
    ran = yaml.safe_load((record.run_dir / "config.yaml").read_text())
    assert submitted["optim"]["lr"] == 0.001
    assert {key for key in ran.keys() | submitted.keys() if ran.get(key) != submitted.get(key)} == {"launcher"}


def test_a_folder_with_other_settings_is_refused_when_the_job_starts(workplace):
    (record,) = workplace.submit("seed=1", "run=classify", "trainer.max_epochs=2", HELD)
    record.run_dir.mkdir(parents=True)
    own = workplace.run("run=classify", "trainer.max_epochs=2", "--cfg", "job", "--resolve")
    (record.run_dir / "config.yaml").write_text(own.replace("lr: 0.0", "lr: 0.7"))
    workplace.ask("scontrol", "release", record.job)
    until(lambda: record.report.state == "failed", what="refusal")
    assert "optim.lr: 0.701 in the folder, 0.001 submitted" in record.report.error
    assert accounted(record.job) == {record.job: ("FAILED", "1:0")}


def test_a_finished_job_that_slurm_starts_again_does_nothing(workplace):
    (record,) = workplace.submit("seed=1", "run=classify", "trainer.max_epochs=2")
    until(lambda: accounted(record.job)[record.job][0] == "COMPLETED")
    before = {path: path.stat().st_mtime_ns for path in record.run_dir.rglob("*") if path.is_file()}
    workplace.ask("scontrol", "requeue", record.job)
    until(lambda: "This job has finished before" in record.log.read_text(), what="second start")
    accounted(record.job)
    assert {path: path.stat().st_mtime_ns for path in record.run_dir.rglob("*") if path.is_file()} == before
    assert len(record.report.starts) == 1


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("launcher.partition=nope", ("nope", "debug, scavenge, urgent")),
        ("launcher.cpus_per_task=5000", ("SLURM refused", "sinfo")),
    ],
)
def test_what_slurm_refuses_is_said_in_its_words_with_what_there_is(workplace, setting, words):
    out = workplace.run("--multirun", "seed=1,2", *STEPS, *SMALL_JOB, setting, code=1)
    assert all(word in out for word in words) and "Traceback" not in out
    assert list(read_jobs(workplace.sweep)) == []


def test_without_slurm_s_commands_the_error_names_them(workplace):
    out = workplace.run("--multirun", "seed=1,2", *STEPS, *SMALL_JOB, code=1, env={"PATH": "/nowhere"})
    assert "squeue" in out or "srun" in out
    assert "launcher.cluster=local" in out and "Traceback" not in out
