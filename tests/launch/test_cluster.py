"""What SLURM's commands print is understood."""

import pytest

from sign_recog.launch import cluster


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """A function that puts a command of that output on the PATH, before all others."""

    def put(name, output="", code=0):
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\nprintf '{output}' {'>&2' if code else ''}\nexit {code}\n")
        path.chmod(0o755)

    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return put


def test_the_accounting_knows_what_the_controller_has_forgotten(commands):
    commands("squeue", "12_1|RUNNING|None|1:05|58:55\\n12_3|PENDING|Priority|0:00|1:00:00\\n")
    commands("sacct", "12_0|COMPLETED|None|00:00:07\\n12_2|CANCELLED by 1000|None|00:00:01\\n")
    found = cluster.jobs(["12_0", "12_1", "12_2"])
    assert {job: info.state for job, info in found.items()} == {
        "12_0": "COMPLETED", "12_1": "RUNNING", "12_2": "CANCELLED",
    }  # fmt: skip
    assert found["12_1"].left_s == 58 * 60 + 55 and found["12_1"].is_active and not found["12_2"].is_active


def test_jobs_that_the_controller_has_forgotten_altogether_are_no_error(commands):
    commands("squeue", "slurm_load_jobs error: Invalid job id specified", code=1)
    commands("sacct", "7|FAILED|None|00:01:00\\n")
    assert cluster.jobs(["7"])["7"].state == "FAILED"


def test_an_error_is_slurm_s_own_words(commands):
    commands("squeue", "Unable to contact slurm controller", code=1)
    with pytest.raises(cluster.ClusterError, match="Unable to contact"):
        cluster.jobs(["7"])


def test_a_machine_without_slurm_is_told_so(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(cluster.ClusterError, match="squeue is not on the PATH"):
        cluster.jobs(["7"])
