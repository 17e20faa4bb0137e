"""What is in a queue, and the states that it goes through."""

from dataclasses import dataclass
from pathlib import Path

from sign_recog.errors import SignRecogError

TO_RUN, CURRENT, DONE, FAILED, STOPPED = STATES = ("to-run", "current", "done", "failed", "stopped")
FILE = "queue.sqlite"  # in the queue's folder
NOW, AFTER = "now", "after"  # what a worker was asked: to end its runs, or to let them end first


class QueueError(SignRecogError):
    """What was asked of the queue cannot be done."""


@dataclass(frozen=True)
class Plan:
    """A run that may be added.

    Attributes:
        arguments: Of ``program``.
        key: What it has in common with every other entry that would do the same.
        program: That runs it, as ("python", "run.py").
        folder: In which it runs.
        environment: Variables that it has when it runs, as it had them when it was added.
        devices: GPUs that it needs, where there are any.
    """

    arguments: tuple[str, ...]
    run_dir: Path
    key: str
    program: tuple[str, ...]
    folder: Path
    environment: dict[str, str]
    git_commit: str | None = None
    devices: int = 1


@dataclass(frozen=True)
class Entry(Plan):
    """A run in the queue.

    Attributes:
        place: Among those to run, from 1; 0 = it is none of them.
        added, started, ended: In seconds since 1970; None = not yet.
        starts: How often it was started.
        process: Of its latest start, as :func:`sign_recog.queue.processes.identity` writes it.
        gpus: That it was given.
        error: Why it failed.
    """

    id: int = 0
    state: str = TO_RUN
    place: int = 0
    added: float = 0.0
    started: float | None = None
    ended: float | None = None
    starts: int = 0
    process: str | None = None
    gpus: tuple[str, ...] = ()
    error: str = ""

    @property
    def title(self) -> str:
        """Its arguments as one line."""
        return " ".join(self.arguments)


@dataclass(frozen=True)
class WorkerRow:
    """The worker that is at the queue, or was last: its process, what it was asked, and what it last said."""

    process: str
    wish: str
    note: str
