"""What the tests on a real SLURM share: commands in a folder with a small corpus, and questions to the cluster.

Tests run side by side on one cluster: each asks for, and ends, only the jobs of its own folder.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from conftest import ROOT, TINY

from sign_recog.launch.records import JobRecord, read_jobs

SMALL_JOB = (
    "launcher.cluster=slurm", "launcher.cpus_per_task=1", "launcher.mem_gb=2", "launcher.gpus_per_node=0",
    "launcher.timeout_min=30", "launcher.signal_s=30",
)  # fmt: skip


@dataclass
class Workplace:
    """A folder with a small prepared corpus, and commands in it."""

    folder: Path
    program: Path = ROOT / "run.py"
    corpus: tuple[str, ...] = tuple(TINY)

    @property
    def sweep(self) -> Path:
        return self.folder / "outputs/tiny"

    def arguments(self, *overrides: str) -> list[str]:
        paths = ("paths.data_root=data", "paths.output_root=outputs")
        return [sys.executable, str(self.program), *self.corpus, *paths, *overrides]

    def run(self, *overrides: str, code: int = 0, env: dict[str, str] | None = None) -> str:
        """The output of a command, which must end with ``code``."""
        done = subprocess.run(
            self.arguments(*overrides), capture_output=True, text=True, cwd=self.folder, env=self.environment(env),
            timeout=600, check=False,
        )  # fmt: skip
        assert done.returncode == code, f"exit code {done.returncode}\n{done.stdout[-5000:]}\n{done.stderr[-5000:]}"
        return done.stdout + done.stderr

    def start(self, *overrides: str) -> "subprocess.Popen[str]":
        """A command that runs beside the test."""
        return subprocess.Popen(
            self.arguments(*overrides), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=self.folder,
            env=self.environment(),
        )  # fmt: skip

    def ask(self, *command: str) -> str:
        """One of SLURM's commands."""
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout

    def jobs(self, *which: str) -> list[str]:
        """The jobs submitted in this folder that wait or run; ``which`` narrows that, as for squeue."""
        lines = self.ask("squeue", "-h", "-r", *which, "-o", "%i|%Z").splitlines()
        return [job for job, folder in (line.split("|") for line in lines) if Path(folder) == self.folder]

    def submit(self, *overrides: str) -> list[JobRecord]:
        """Submit without waiting; the jobs of this submission."""
        before = {record.job for record in read_jobs(self.sweep)}
        self.run("--multirun", *SMALL_JOB, *overrides, "launcher.wait=false")
        return [record for record in read_jobs(self.sweep) if record.job not in before]

    def environment(self, more: dict[str, str] | None = None) -> dict[str, str]:
        own = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
        return {**os.environ, **own, **(more or {})}


def processes(job: str, node: int = 0) -> dict[int, bytes]:
    """The living processes of a job's task on one of its nodes, and how each was called."""
    wanted, found = {f"SLURM_JOB_ID={job}".encode(), f"SLURM_NODEID={node}".encode()}, {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment, command = (process / "environ").read_bytes(), (process / "cmdline").read_bytes()
        except OSError:
            continue  # ended, or somebody else's
        if command and wanted <= set(environment.split(b"\0")):
            found[int(process.name)] = command
    return found


def until(condition: Callable[[], object], *, seconds: float = 480, what: str = "") -> None:
    """Wait for ``condition``; long, as the machine may be at other work."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.2)


def accounted(array: str) -> dict[str, tuple[str, str]]:
    """What the accounting, which comes a moment later, says of a job's or an array's end: id -> (state, exit code)."""
    command = ["sacct", "-n", "-X", "-P", "-j", array, "-o", "JobID,State,ExitCode"]
    found: dict[str, tuple[str, str]] = {}

    def all_ended() -> bool:
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        found.clear()
        found.update({job: (state, code) for job, state, code in (line.split("|") for line in out.splitlines())})
        going_on = ("RUNNING", "PENDING", "COMPLETING", "REQUEUED")
        return bool(found) and not any(state in going_on for state, _ in found.values())

    until(all_ended, what=f"end of {array}")
    return found
