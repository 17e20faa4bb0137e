"""What is kept on disk of a submission, so that any later command can say how its jobs stand.

A submission has a folder ``<sweep>/.slurm/<time>/``: ``jobs.json`` says which jobs there are, ``job<i>.json`` is
written by job i itself, and ``<job id>_<node>_log.out`` is what it printed, tracebacks included.
"""

import contextlib
import dataclasses
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sign_recog.storage import atomic

FOLDER = ".slurm"  # below a sweep's


@dataclass(frozen=True)
class JobRecord:
    """One submitted job.

    Attributes:
        job: SLURM's id, "12" or in an array "12_0".
        overrides: In what it differs from the other jobs, "key=value".
        run_dir: Its run folder, absolute.
        folder: Of its submission.
    """

    job: str
    index: int
    overrides: list[str]
    run_dir: Path
    folder: Path

    @property
    def log(self) -> Path:
        """What its first node prints, over all starts."""
        return self.folder / f"{self.job}_0_log.out"

    @property
    def report_path(self) -> Path:
        """The file of :attr:`report`."""
        return JobReport.path(self.folder, self.index)

    @property
    def report(self) -> "JobReport":
        """What the job says about itself."""
        return JobReport.read(self.folder, self.index)


@dataclass
class JobReport:
    """What a job says about itself, over all its starts.

    Attributes:
        state: "submitted", "running", "requeued", "finished", "failed" or "stopped".
        starts: Time and machine of each start.
        timeouts: How often it ran into its time limit.
        error: The last one, without traceback.
        objective: What a finished job gave.
    """

    state: str = "submitted"
    starts: list[dict[str, str]] = field(default_factory=list)
    timeouts: int = 0
    error: str = ""
    objective: float | None = None
    updated: str = ""

    @staticmethod
    def path(folder: Path, index: int) -> Path:
        return folder / f"job{index}.json"

    @classmethod
    def read(cls, folder: Path, index: int) -> "JobReport":
        path = cls.path(folder, index)
        return cls(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else cls()

    def write(self, folder: Path, index: int, **changes: Any) -> None:
        """Change and keep it."""
        for name, value in changes.items():
            setattr(self, name, value)
        self.updated = stamp()
        atomic.write_json(self.path(folder, index), dataclasses.asdict(self))


def stamp() -> str:
    """The time, as all files of a run write it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


def new_folder(sweep: Path) -> Path:
    """A folder for a submission, which no other has."""
    name = time.strftime("%Y-%m-%d_%H-%M-%S")
    for number in range(1, 1000):
        folder = (sweep / FOLDER / (name if number == 1 else f"{name}_{number}")).absolute()
        with contextlib.suppress(FileExistsError):
            folder.mkdir(parents=True)
            return folder
    raise FileExistsError(folder)


def write_jobs(folder: Path, jobs: list[JobRecord]) -> None:
    """Keep which jobs a submission has."""
    rows = [
        {"job": job.job, "index": job.index, "overrides": job.overrides, "run_dir": str(job.run_dir)} for job in jobs
    ]
    atomic.write_json(folder / "jobs.json", {"submitted": stamp(), "jobs": rows})


def read_jobs(sweep: Path) -> Iterator[JobRecord]:
    """Every job that was ever submitted below ``sweep``, the latest submission first."""
    for path in sorted(sweep.glob(f"{FOLDER}/*/jobs.json"), reverse=True):
        for row in json.loads(path.read_text(encoding="utf-8"))["jobs"]:
            yield JobRecord(row["job"], row["index"], row["overrides"], Path(row["run_dir"]), path.parent.absolute())
