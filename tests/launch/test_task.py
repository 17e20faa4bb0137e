"""What a signal makes of a job, by what SLURM says of it."""

import signal

import pytest

from sign_recog.errors import Stopped
from sign_recog.launch import cluster
from sign_recog.launch.cluster import JobInfo
from sign_recog.launch.records import JobReport
from sign_recog.launch.task import SIGNALS, Interruption, handled


@pytest.fixture
def interrupt(monkeypatch):
    """A function from what SLURM says, in order, to the interruption after a signal and the jobs that were requeued."""

    def run(*said, number=signal.SIGTERM, timeouts=0, elsewhere="", during_requeue=lambda interruption: None):
        answers, requeued, kept = list(said), [], {}

        def requeue(job):
            during_requeue(interruption)
            requeued.append(job)

        monkeypatch.setenv("SLURM_JOB_ID", "7")
        monkeypatch.delenv("SLURM_ARRAY_JOB_ID", raising=False)
        monkeypatch.setattr(cluster, "jobs", lambda ids: {"7": answers.pop(0)})
        monkeypatch.setattr(cluster, "requeue", requeue)
        interruption = Interruption(
            JobReport(timeouts=timeouts), 90, 2, keep=kept.update, failure_elsewhere=lambda: elsewhere
        )
        with pytest.raises(Stopped):
            interruption.handle(number, None)
        # What SLURM kills before its work has ended has said why.
        assert kept == {"state": interruption.state, "error": interruption.why}
        return interruption, requeued

    return run


def test_a_preempted_job_is_requeued_once(interrupt):
    interruption, requeued = interrupt(JobInfo("RUNNING", left_s=5000))
    interruption.handle(signal.SIGTERM, None)  # SLURM's own, when it ends the job to requeue it
    assert (interruption.state, requeued) == ("requeued", ["7"]) and "preemption" in interruption.why


def test_the_signal_that_a_requeue_sends_changes_nothing_even_if_it_comes_before_the_requeue_returns(interrupt):
    interruption, requeued = interrupt(
        JobInfo("RUNNING", left_s=5000), JobInfo("COMPLETING"),
        during_requeue=lambda interruption: interruption.handle(signal.SIGTERM, None),
    )  # fmt: skip
    assert (interruption.state, requeued) == ("requeued", ["7"])


def test_a_job_that_slurm_ends_because_another_node_failed_has_failed(interrupt):
    interruption, requeued = interrupt(JobInfo("RUNNING", left_s=5000), elsewhere="On node 2: DataError: no disk")
    assert (interruption.state, interruption.why, requeued) == ("failed", "On node 2: DataError: no disk", [])


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
    interruption = Interruption(JobReport(), 90, 2, keep=lambda **changes: None, failure_elsewhere=lambda: "")
    interruption.over = True
    interruption.handle(signal.SIGTERM, None)
    assert interruption.state is None


def test_a_signal_while_the_process_ends_does_not_kill_it():
    """As it ends, Python gives up every handler but that which ignores."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    interruption = Interruption(JobReport(), 90, 2, keep=lambda **changes: None, failure_elsewhere=lambda: "")
    try:
        with pytest.raises(ZeroDivisionError), handled(interruption):
            assert all(signal.getsignal(number) == interruption.handle for number in SIGNALS)
            raise ZeroDivisionError
        assert all(signal.getsignal(number) == signal.SIG_IGN for number in SIGNALS)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
