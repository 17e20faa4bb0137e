"""The same words on a cluster: SLURM's commands are scripts that keep a table of jobs; the launcher is the real one."""

import json
import os
import sys

import pytest
from conftest import TINY

from sign_recog.launch.records import JobReport, read_jobs
from sign_recog.queue.main import main

FAKE = '''#!{python}
"""As sbatch, squeue, scancel and scontrol, as far as a queue asks them."""
import json, pathlib, re, sys
folder = pathlib.Path("{folder}")
table = folder / "jobs.json"
jobs = json.loads(table.read_text()) if table.exists() else {{"1": "RUNNING"}}  # job 1 is somebody else's
name, arguments = pathlib.Path(sys.argv[0]).name, sys.argv[1:]
with (folder / "asked").open("a") as file:
    file.write(" ".join([name, *arguments[-3:]]) + "\\n")
if name == "sbatch":
    script = pathlib.Path(arguments[-1]).read_text()
    array = re.search(r"--array=0-(\\d+)", script)
    number = str(max(int(job.split("_")[0]) for job in jobs) + 11)
    for job in [f"{{number}}_{{i}}" for i in range(int(array[1]) + 1)] if array else [number]:
        jobs[job] = "PENDING"
    print(f"Submitted batch job {{number}}")
elif name == "squeue":
    for job, state in jobs.items():
        reason = {{"HELD": "JobHeldUser", "REQUEUED": "job requeued in held state"}}.get(state, "None")
        print(f"{{job}}|{{'PENDING' if reason != 'None' else state}}|{{reason}}|1:00|UNLIMITED")
elif name == "scancel":
    jobs[arguments[0]] = "CANCELLED"
elif arguments[0] in ("hold", "requeuehold"):
    jobs[arguments[1]] = "HELD" if arguments[0] == "hold" else "REQUEUED"
elif arguments[0] == "ping":
    print("Slurmctld(primary) at here is UP")
elif arguments[0] == "release":
    jobs[arguments[1]] = "PENDING"
elif arguments[0] == "top":
    sys.exit("Access/permission denied")
table.write_text(json.dumps(jobs))
'''


@pytest.fixture
def slurm(tmp_path, monkeypatch, capsys):
    """Ask the queue on the cluster; ``.jobs`` and ``.set`` are SLURM's table."""

    class Cluster:
        asked = tmp_path / "asked"

        def __call__(self, *words, code=0):
            capsys.readouterr()
            returned = main(list(words))
            out = "".join(capsys.readouterr())
            assert returned == code, out
            return out

        def jobs(self):
            return json.loads((tmp_path / "jobs.json").read_text())

        def set(self, **changes):
            jobs = self.jobs() | {job.removeprefix("j"): state for job, state in changes.items()}
            (tmp_path / "jobs.json").write_text(json.dumps(jobs))

        def records(self):
            return {record.job: record for record in read_jobs(tmp_path / "outputs/tiny")}

    (tmp_path / "bin").mkdir()
    for name in ("sbatch", "squeue", "srun", "sacct", "scancel", "scontrol", "sinfo"):
        (tmp_path / "bin" / name).write_text(FAKE.format(python=sys.executable, folder=tmp_path))
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.chdir(tmp_path)
    cluster = Cluster()
    cluster("add", *TINY, "run=classify", "seed=1,2,3", "launcher.gpus_per_node=0")
    return cluster


def test_the_words_act_on_slurm_s_queue_and_on_no_job_but_the_queue_s_own(slurm):
    """One story, since each step starts where the one before it ended."""
    assert slurm.jobs() == {"1": "RUNNING", "12_0": "PENDING", "12_1": "PENDING", "12_2": "PENDING"}
    rows = [line for line in slurm("list", "--state", "to-run").splitlines() if "12_" in line]
    assert len(rows) == 3 and all(f"seed={i + 1}" in row for i, row in enumerate(rows))

    slurm.set(j12_0="RUNNING")
    assert "2 jobs wait and are held until `queue start`. 12_0 runs on." in slurm("stop")
    assert slurm.jobs() == {"1": "RUNNING", "12_0": "RUNNING", "12_1": "HELD", "12_2": "HELD"}
    assert "Released: 12_1, 12_2" in slurm("start")
    assert "12_0 ends and waits again" in slurm("stop", "--now")
    assert slurm.jobs() == {"1": "RUNNING", "12_0": "REQUEUED", "12_1": "HELD", "12_2": "HELD"}
    assert "Released: 12_0, 12_1, 12_2" in slurm("start")

    assert "1 removed" in slurm("remove", "12_2")
    assert slurm.jobs()["12_2"] == "CANCELLED" and "12_2" not in slurm("list")
    assert "no job of this queue" in slurm("remove", "1", code=1)
    assert "No job of the queue matches." in slurm("list", "--state", "failed")
    assert "Cancelled: 12_0." in slurm("stop", "12_0")
    assert "1 job waits and is held" in slurm("stop")
    slurm("clear", "all")
    assert slurm.jobs() == {"1": "RUNNING", "12_0": "CANCELLED", "12_1": "CANCELLED", "12_2": "CANCELLED"}
    assert "no job of this queue" in slurm("stop", "1", code=1)
    assert slurm("stop").strip() == "No job waits, so none is held."
    assert "The queue is empty" in slurm("list")


@pytest.mark.slow
def test_what_failed_is_shown_with_its_error_and_submitted_again_alone(slurm):
    record = slurm.records()["12_1"]
    JobReport().write(record.folder, record.index, state="failed", error="no clips. Add some.")
    record.log.write_text("first line\nthe end\n")
    slurm.set(j12_0="RUNNING", j12_1="FAILED")
    assert "no clips" in slurm("list", "--state", "failed") and "12_0" not in slurm("list", "--state", "failed")
    assert "no clips. Add some." in slurm("show", "12_1") and "the end" in slurm("logs", "12_1")
    assert "Submitted again: 12_1" in slurm("recover")
    assert slurm.jobs()["23"] == "PENDING" and "24" not in slurm.jobs()
    again = slurm.records()["23"]
    assert again.run_dir == record.run_dir and "seed=2" in again.overrides
    (row,) = [line for line in slurm("list").splitlines() if "seed=2" in line]
    assert " 23 " in row and "to-run" in row
    slurm("copy", "12_0", "seed=9")
    assert "seed=9" in slurm.records()["34"].overrides


def test_what_slurm_cannot_do_is_said(slurm):
    for words in (("edit", "12_0", "seed=9"), ("shuffle",), ("move", "12_0", "3"), ("start", "--gpus", "0"),
                  ("retry", "12_0"), ("add", "--top", "seed=4"), ("list", "--sort", "added")):  # fmt: skip
        assert slurm(*words, code=1).strip(), words
    assert "Access/permission denied" in slurm("move", "12_0", "top", code=1)
    assert "Moved to the bottom: 12_0." in slurm("move", "12_0", "bottom")
    assert "update JobId=12_0 Nice=" in slurm.asked.read_text()


PINGS = {
    "down": "echo 'Slurmctld(primary) at here is DOWN'",
    "no settings": "echo 'scontrol: error: Could not establish a configuration source' >&2; exit 1",
    "silent": "exec sleep 60",
    "missing": None,
}


@pytest.mark.parametrize("ping", PINGS)
@pytest.mark.parametrize("words", [("add", *TINY, "run=classify"), ("list",)])
def test_where_sbatch_is_and_no_controller_one_sentence_names_both_flags(tmp_path, monkeypatch, capsys, ping, words):
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    for name, line in (("sbatch", f"touch {tmp_path}/submitted; exit 1"), ("scontrol", PINGS[ping])):
        if line is not None:
            (bin_dir / name).write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{line}\n")
            (bin_dir / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(bin_dir))
    monkeypatch.setattr("sign_recog.queue.slurm._PING_S", 0.5)
    monkeypatch.chdir(tmp_path)
    assert main(list(words)) == 1
    out, err = capsys.readouterr()
    (line,) = err.splitlines()
    assert out == "" and "--local" in line and "--slurm" in line and "no SLURM controller answers" in line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bin"]  # neither a queue nor a submission
    assert main(["--slurm", "list"]) == 0
