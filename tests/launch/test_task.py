"""What a signal makes of a job, by what SLURM says of it."""

import signal

import pytest

from sign_recog.errors import Stopped
from sign_recog.launch import cluster
from sign_recog.launch.cluster import JobInfo
from sign_recog.launch.records import JobReport
from sign_recog.launch.task import Interruption


@pytest.fixture
def interrupt(monkeypatch):
    """A function from what SLURM says, in order, to the interruption after a signal and the jobs that were requeued."""

    def run(*said, number=signal.SIGTERM, timeouts=0):
        answers, requeued = list(said), []
        monkeypatch.setenv("SLURM_JOB_ID", "7")
        monkeypatch.delenv("SLURM_ARRAY_JOB_ID", raising=False)
        monkeypatch.setattr(cluster, "jobs", lambda ids: {"7": answers.pop(0)})
        monkeypatch.setattr(cluster, "requeue", requeued.append)
        interruption = Interruption(JobReport(timeouts=timeouts), signal_s=90, max_timeouts=2)
        with pytest.raises(Stopped):
            interruption.handle(number, None)
        return interruption, requeued

    return run


def test_a_preempted_job_is_requeued_once(interrupt):
    interruption, requeued = interrupt(JobInfo("RUNNING", left_s=5000))
    interruption.handle(signal.SIGTERM, None)  # SLURM's own, when it ends the job to requeue it
    assert (interruption.state, requeued) == ("requeued", ["7"]) and "preemption" in interruption.why


def test_a_cancelled_job_does_not_come_back(interrupt):
    interruption, requeued = interrupt(JobInfo("COMPLETING", left_s=5000))
    assert (interruption.state, requeued) == ("stopped", [])


def test_a_signal_that_is_still_being_delivered_is_no_end(interrupt):
    interruption, requeued = interrupt(JobInfo("SIGNALING", left_s=60), JobInfo("RUNNING", left_s=60))
    assert requeued == ["7"] and "time limit" in interruption.why


def test_a_job_that_meets_its_limit_too_often_has_failed(interrupt):
    interruption, requeued = interrupt(JobInfo("RUNNING", left_s=60), number=signal.SIGUSR2, timeouts=2)
    assert (interruption.state, requeued) == ("failed", []) and "launcher.max_timeouts=2" in interruption.why


def test_a_signal_after_the_end_of_the_work_changes_nothing():
    interruption = Interruption(JobReport(), signal_s=90, max_timeouts=2)
    interruption.over = True
    interruption.handle(signal.SIGTERM, None)
    assert interruption.state is None
