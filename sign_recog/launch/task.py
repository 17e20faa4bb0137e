"""What a submitted job does on its node: run what was submitted, say how it goes, and go on later when interrupted.

A job carries its whole configuration, as it was when it was submitted: files under conf/ may change while it waits.
Two signals interrupt it. ``SIGUSR2`` comes ``launcher.signal_s`` before the time limit, ``SIGTERM`` with a preemption
that leaves a grace time. The job then asks SLURM to requeue it and ends; started again, it finds its run folder as it
left it. A job that is being cancelled gets SIGTERM too, but SLURM then says that it is no longer running, and it stays
ended.
"""

import contextlib
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from omegaconf import DictConfig, OmegaConf

from sign_recog.config.identity import changed_settings
from sign_recog.errors import ConfigError, SignRecogError, Stopped
from sign_recog.launch import cluster
from sign_recog.launch.records import JobReport, stamp
from sign_recog.storage import atomic, meeting

logger = logging.getLogger(__name__)

SIGNALS = (signal.SIGUSR2, signal.SIGTERM)


@dataclass
class SubmittedJob:
    """One job, as it is pickled into its submission's folder; calling it runs it.

    Attributes:
        folder: Of its submission.
        config: As composed, everything resolved, with Hydra's own node.
        task: From a configuration to what a sweep compares.
    """

    folder: Path
    index: int
    config: DictConfig
    task: Callable[[DictConfig], float | None]

    def __call__(self) -> float | None:
        """Run, unless it has finished before; an error ends the process, so that SLURM calls the job failed."""
        place = self.folder / f"job{self.index}_start{os.environ.get('SLURM_RESTART_COUNT', 0)}"
        os.environ[meeting.NODES] = os.environ.get("SLURM_JOB_NUM_NODES", "1")
        os.environ[meeting.MEETING] = str(place)
        node = int(os.environ.get("SLURM_NODEID", "0"))
        if node > 0:
            _help(place, node)
            return None
        try:
            return self._lead(place)
        finally:
            if meeting.num_nodes() > 1:
                atomic.write_text(place / "over", "")

    def _lead(self, place: Path) -> float | None:
        """What the first node does: everything but the other nodes' shares of a training."""
        report = JobReport.read(self.folder, self.index)
        if report.state == "finished":
            print("This job has finished before; nothing to do.", flush=True)
            return report.objective
        starts = [*report.starts, {"time": stamp(), "host": os.environ.get("SLURMD_NODENAME", socket.gethostname())}]
        report.write(self.folder, self.index, state="running", starts=starts, error="")
        settings = self.config.launcher
        interruption = Interruption(
            report,
            settings.signal_s,
            settings.max_timeouts,
            keep=lambda **changes: report.write(self.folder, self.index, **changes),
            failure_elsewhere=lambda: _failure_elsewhere(place, wait=False),
        )
        with handled(interruption):
            try:
                self._refuse_another_folder()
                objective = self._run()
            except BaseException as error:
                interruption.over = True
                kind = "" if isinstance(error, SignRecogError) else f"{type(error).__name__}: "
                elsewhere = _failure_elsewhere(place, wait=not isinstance(error, Stopped | SystemExit))
                if not elsewhere:
                    interruption.settle(told=isinstance(error, Stopped | SystemExit))
                state = interruption.state or "failed"
                why = interruption.why or elsewhere or f"{kind}{error}"
                report.write(self.folder, self.index, state=state, error=why.strip())
                if state == "requeued":
                    sys.exit(0)
                raise
            interruption.over = True
        report.write(self.folder, self.index, state="finished", objective=objective, error="")
        return objective

    def _run(self) -> float | None:
        from hydra import version
        from hydra._internal.callbacks import Callbacks
        from hydra.core.utils import run_job, setup_globals
        from hydra.types import HydraContext

        setup_globals()
        version.setbase("1.3")  # as in run.py: an older one would change the working directory
        done = run_job(
            task_function=self.task,
            config=self.config,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
            hydra_context=HydraContext(config_loader=None, callbacks=Callbacks()),  # type: ignore[arg-type]
        )
        return done.return_value  # raises what the task raised

    def _refuse_another_folder(self) -> None:
        """Between two starts somebody may have put another run into the folder."""
        folder = Path(self.config.paths.run_dir)
        path = folder / "config.yaml"
        if not path.exists():
            return
        own: Any = OmegaConf.to_container(self.config, enum_to_str=True)
        there: Any = OmegaConf.to_container(OmegaConf.load(path))
        changed = changed_settings({k: v for k, v in own.items() if k != "hydra"}, there)
        if changed:
            listed = "\n  - ".join(f"{key}: {then} in the folder, {now} submitted" for key, then, now in changed)
            raise ConfigError(
                f"{folder} holds a run with other settings than those that were submitted:\n  - {listed}\n"
                "Delete or move the folder, and submit again."
            )


class Interruption:
    """What a signal made of this job.

    Attributes:
        state: None, "requeued", "stopped" or "failed".
        over: The work has ended, and no signal interrupts it any more.

    Args:
        keep: Writes the report. A decision is kept at once: what SLURM kills before it has ended can say nothing later.
        failure_elsewhere: Why another node has failed, "" = none has. SLURM then ends this one too, by SIGTERM.
    """

    def __init__(
        self,
        report: JobReport,
        signal_s: int,
        max_timeouts: int,
        *,
        keep: Callable[..., None],
        failure_elsewhere: Callable[[], str],
    ):
        self._report, self._signal_s, self._max_timeouts = report, signal_s, max_timeouts
        self._keep, self._failure_elsewhere = keep, failure_elsewhere
        self.state: str | None = None
        self.why = ""
        self.over = False
        self._received: int | None = None
        self._deciding = False

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Decide what becomes of the job, then end the work as Ctrl-C does."""
        if self._deciding:
            return  # a requeue sends SIGTERM, often before `scontrol requeue` has returned
        self._received = number
        if self.over or self.state is not None:
            return
        self.settle()
        raise Stopped(self.why)

    def settle(self, *, told: bool = False) -> None:
        """Requeue if a signal has come, and the job runs on as far as SLURM is concerned.

        Args:
            told: The work says that it was stopped; while it trains, SIGTERM reaches it first.
        """
        if told and self._received is None:
            self._received = signal.SIGTERM
        if self._received is None or self.state is not None:
            return
        self._deciding = True
        try:
            self.state, self.why = self._decide(signal.Signals(self._received).name)
        finally:
            self._deciding = False
        self._keep(state=self.state, error=self.why)

    def _decide(self, name: str) -> tuple[str, str]:
        """State and reason after the signal ``name``."""
        failure = self._failure_elsewhere()
        if failure:
            return "failed", failure
        job = job_id()
        try:
            info = _settled_info(job)
        except cluster.ClusterError as error:
            return "stopped", f"{name} came, and SLURM does not answer: {error}"
        if info is None or info.state != "RUNNING":
            word = "it has forgotten the job" if info is None else info.state
            return "stopped", f"Ended by SLURM, which says: {word}."
        timed_out = info.left_s is not None and info.left_s <= self._signal_s + 90
        if timed_out and self._report.timeouts >= self._max_timeouts:
            times = self._report.timeouts + 1
            return "failed", f"The job ran into its time limit {times} times, and launcher.max_timeouts={times - 1}."
        try:
            cluster.requeue(job)
        except cluster.ClusterError as error:
            return "stopped", f"{name} came, and SLURM does not requeue the job: {error}"
        self._report.timeouts += timed_out
        why = f"Interrupted by {'its time limit' if timed_out else 'preemption'} ({name}); requeued to go on."
        logger.warning("%s", why)
        return "requeued", why


@contextlib.contextmanager
def handled(interruption: Interruption) -> Iterator[None]:
    """Handle :data:`SIGNALS`, instead of submitit's own handlers; afterwards they are ignored.

    Python gives every other handler up before its process has ended, and a signal that came then would kill it: SLURM
    would call a finished job failed.
    """
    in_main_thread = threading.current_thread() is threading.main_thread()
    if in_main_thread:
        for number in SIGNALS:
            signal.signal(number, interruption.handle)
    try:
        yield
    finally:
        if in_main_thread:
            for number in SIGNALS:
                signal.signal(number, signal.SIG_IGN)


def _help(place: Path, node: int) -> None:
    """What every other node does: its share of each training that the first one calls to. The first one decides."""
    from sign_recog.training.processes import take_part

    for received in SIGNALS:
        signal.signal(received, signal.SIG_IGN)
    number = 0
    try:
        while (invitation := meeting.await_invitation(place, number)) is not None:
            take_part(invitation, node)
            number += 1
    except Exception as error:
        atomic.write_text(place / f"failed{node}", f"On node {node + 1}: {type(error).__name__}: {error}")
        raise


def _failure_elsewhere(place: Path, *, wait: bool) -> str:
    """Why another node has failed, if one has: what fails there makes the first one fail too, with less to say."""
    for _ in range(10 if wait and meeting.num_nodes() > 1 else 1):
        for path in sorted(place.glob("failed*")):
            return path.read_text(encoding="utf-8")
        time.sleep(0.5 if wait and meeting.num_nodes() > 1 else 0)
    return ""


def _settled_info(job: str) -> cluster.JobInfo | None:
    """What SLURM says of a job once it is done with sending it a signal."""
    for _ in range(50):
        info = cluster.jobs([job]).get(job)
        if info is None or info.state != "SIGNALING":
            break
        time.sleep(0.2)
    return info


def job_id() -> str:
    """This job's id as SLURM's commands write it."""
    array = os.environ.get("SLURM_ARRAY_JOB_ID")
    return f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}" if array else os.environ["SLURM_JOB_ID"]
