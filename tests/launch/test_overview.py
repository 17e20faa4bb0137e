"""The table joins what SLURM says with what the jobs say."""

import pytest

from sign_recog.launch import cluster, overview
from sign_recog.launch.cluster import JobInfo
from sign_recog.launch.records import JobRecord, JobReport


@pytest.fixture
def job(tmp_path):
    (tmp_path / "submission").mkdir()
    return JobRecord("12_0", 0, ["seed=1"], tmp_path / "run", tmp_path / "submission")


def standing_of(job, monkeypatch, info):
    monkeypatch.setattr(cluster, "jobs", lambda ids: {} if info is None else {job.job: info})
    return overview.standings([job])[0]


@pytest.mark.parametrize(
    ("said", "info", "state", "note"),
    [
        ({}, JobInfo("PENDING", "Resources"), "waiting", "Resources"),
        ({"state": "running"}, JobInfo("RUNNING", elapsed="1:02"), "running", ""),
        ({"state": "requeued", "starts": [{}], "error": "time limit"}, JobInfo("COMPLETING"), "waiting", "start 2"),
        ({"state": "finished"}, JobInfo("COMPLETING"), "finished", ""),
        ({"state": "failed", "error": "no clips\nmore"}, JobInfo("FAILED"), "failed", "no clips"),
        ({"state": "running"}, JobInfo("COMPLETED"), "failed", "never said"),  # SLURM alone would call it a success
        ({"state": "running"}, JobInfo("OUT_OF_MEMORY"), "out of memory", ""),
        ({"state": "running"}, JobInfo("CANCELLED"), "cancelled", ""),
        ({}, None, "cancelled", "before it began"),
        ({"state": "running"}, None, "failed", "no longer knows"),
    ],
)
def test_state_and_note(job, monkeypatch, said, info, state, note):
    JobReport().write(job.folder, job.index, **said)
    standing = standing_of(job, monkeypatch, info)
    assert standing.state == state and note in standing.note


def test_a_killed_job_s_note_is_the_last_line_of_its_log(job, monkeypatch):
    job.log.write_text("epoch 1\nslurmstepd: error: killed by the cgroup\n\n")
    assert "cgroup" in standing_of(job, monkeypatch, JobInfo("OUT_OF_MEMORY")).note


def test_where_slurm_does_not_answer_the_jobs_own_words_count(job, monkeypatch):
    def refuse(ids):
        raise cluster.ClusterError("squeue is not on the PATH")

    JobReport().write(job.folder, job.index, state="failed", error="no clips")
    monkeypatch.setattr(cluster, "jobs", refuse)
    (standing,) = overview.standings([job])
    assert (standing.state, standing.note) == ("failed", "no clips")
