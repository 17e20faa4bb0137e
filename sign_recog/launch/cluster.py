"""What SLURM knows of jobs, and what it is asked to do, through its own commands."""

import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass

WAITING = ("PENDING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT")
ACTIVE = ("RUNNING", "COMPLETING", "CONFIGURING", "RESIZING", "SIGNALING", "STAGE_OUT", "STOPPED", "SUSPENDED")
_SECONDS = 60  # longest that a command of SLURM's may take


class ClusterError(Exception):
    """A command of SLURM's failed, or is not there; the message is its own."""


@dataclass(frozen=True)
class JobInfo:
    """A job as SLURM sees it.

    Attributes:
        state: Its word, as PENDING, RUNNING, COMPLETED, FAILED, CANCELLED, TIMEOUT, NODE_FAIL, OUT_OF_MEMORY.
        reason: Why it waits or has ended; "" = not known.
        elapsed: Of its latest start, as [days-][hours:]minutes:seconds.
        left_s: Seconds until its time limit; None = not known.
    """

    state: str
    reason: str = ""
    elapsed: str = ""
    left_s: int | None = None

    @property
    def is_active(self) -> bool:
        """Whether it waits or runs."""
        return self.state in WAITING + ACTIVE


def ask(*command: str) -> str:
    """The output of one of SLURM's commands.

    Raises:
        ClusterError: If it fails, does not answer in a minute, or is not installed.
    """
    if shutil.which(command[0]) is None:
        raise ClusterError(f"{command[0]} is not on the PATH, so this machine is none of a SLURM cluster.")
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise ClusterError(f"{command[0]} did not answer within {_SECONDS} s.") from error
    if done.returncode:
        raise ClusterError(done.stderr.strip() or f"{' '.join(command)} ended with code {done.returncode}.")
    return done.stdout


def jobs(ids: Iterable[str]) -> dict[str, JobInfo]:
    """The jobs of ``ids`` ("12" or, in an array, "12_0") that SLURM still knows.

    The controller is asked first: it is up to date. What it has forgotten, after some minutes, the accounting has.

    Raises:
        ClusterError: If neither answers.
    """
    wanted = set(ids)
    arrays = ",".join(sorted({i.partition("_")[0] for i in wanted}))
    if not wanted:
        return {}
    try:
        out = ask("squeue", "-h", "-r", "--states=all", "-j", arrays, "-o", "%i|%T|%r|%M|%L")
    except ClusterError as error:
        if "Invalid job id" not in str(error):
            raise
        out = ""
    found = {}
    for line in out.splitlines():
        job, state, reason, elapsed, left = line.split("|")
        if job in wanted:
            found[job] = JobInfo(state, "" if reason == "None" else reason, elapsed, _seconds(left))
    if wanted - found.keys():
        found |= {job: info for job, info in _accounted(arrays).items() if job in wanted - found.keys()}
    return found


def _accounted(arrays: str) -> dict[str, JobInfo]:
    try:
        out = ask("sacct", "-n", "-X", "-P", "-j", arrays, "-o", "JobID,State,Reason,Elapsed")
    except ClusterError:
        return {}  # a cluster may have no accounting
    rows = [line.split("|") for line in out.splitlines()]
    return {
        job: JobInfo(state.split()[0], "" if reason == "None" else reason, elapsed)  # "CANCELLED by 1000"
        for job, state, reason, elapsed in rows
        if state
    }


def requeue(job: str) -> None:
    """Let SLURM end a job and start it again later.

    Raises:
        ClusterError: If it refuses.
    """
    ask("scontrol", "requeue", job)


def partitions() -> list[str]:
    """The partitions of this cluster."""
    return sorted(set(ask("sinfo", "-h", "-o", "%R").split()))


def _seconds(text: str) -> int | None:
    """From SLURM's notation of a duration; None for UNLIMITED, INVALID and the like.

    >>> [_seconds(text) for text in ("1-02:03:04", "2:00", "UNLIMITED")]
    [93784, 120, None]
    """
    match = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)", text)
    if match is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
