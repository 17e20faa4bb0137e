"""How the jobs of a sweep stand: what SLURM says and what the jobs say, in one table."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sign_recog.console import print_table
from sign_recog.launch import cluster
from sign_recog.launch.cluster import JobInfo
from sign_recog.launch.records import JobRecord

logger = logging.getLogger(__name__)

_SHOWN = ("val_loss", "val_gloss_acc", "val_bleu4")  # of a training that runs
UNFINISHED = {  # SLURM's word for an end -> ours
    "CANCELLED": "cancelled", "TIMEOUT": "timed out", "NODE_FAIL": "node failed", "OUT_OF_MEMORY": "out of memory",
    "PREEMPTED": "preempted", "DEADLINE": "timed out", "BOOT_FAIL": "node failed",
}  # fmt: skip


@dataclass(frozen=True)
class Standing:
    """How a job stands.

    Attributes:
        state: "waiting", "running", "finished", "failed", or a word of :data:`UNFINISHED`; "unknown" if neither SLURM
            nor the job says anything.
        elapsed: Of its latest start, in SLURM's notation.
        note: Why it waits, how far it is, or the last line of its error.
    """

    record: JobRecord
    state: str
    elapsed: str
    note: str

    @property
    def is_active(self) -> bool:
        """Whether it waits or runs."""
        return self.state in ("waiting", "running")

    @property
    def line(self) -> str:
        """State and note."""
        return f"{self.state}{f': {self.note}' if self.note else ''}"


def standings(records: Sequence[JobRecord]) -> list[Standing]:
    """How each of ``records`` stands; where SLURM does not answer, as the jobs themselves last said."""
    try:
        known = cluster.jobs([record.job for record in records])
    except cluster.ClusterError as error:
        logger.warning("SLURM does not answer, so this is what the jobs last said: %s", one_line(str(error)))
        return [_by_itself(record) for record in records]
    return [_standing(record, known.get(record.job)) for record in records]


def _standing(record: JobRecord, info: JobInfo | None) -> Standing:
    report = record.report
    if info is None:
        return _forgotten(record)
    if report.state == "finished":  # SLURM may still be tidying up
        return Standing(record, "finished", info.elapsed, progress(record.run_dir))
    ending_to_go_on = info.state == "COMPLETING" and report.state == "requeued"
    if info.state in cluster.WAITING or ending_to_go_on:
        again = f"start {len(report.starts) + 1}; {report.error}" if report.starts else ""
        return Standing(record, "waiting", "", "; ".join(part for part in (again, info.reason) if part))
    if info.is_active:
        return Standing(record, "running", info.elapsed, progress(record.run_dir))
    error = report.error or last_line(record.log)
    if info.state == "COMPLETED":
        error = error or "SLURM says COMPLETED, but the job never said that it has finished."
    return Standing(record, UNFINISHED.get(info.state, "failed"), info.elapsed, one_line(error))


def _forgotten(record: JobRecord) -> Standing:
    """SLURM answers, but does not know the job: cancelled before it began, or long past."""
    state = record.report.state
    if state == "submitted":
        return Standing(record, "cancelled", "", "before it began; SLURM no longer knows it")
    if state in ("running", "requeued"):
        return Standing(record, "failed", "", last_line(record.log) or "SLURM no longer knows it")
    return _by_itself(record)


def _by_itself(record: JobRecord) -> Standing:
    report = record.report
    words = {"finished": "finished", "failed": "failed", "stopped": "cancelled", "running": "running"}
    words["requeued"] = "waiting"
    note = report.error or f"as of {report.updated}; SLURM says nothing" if report.updated else ""
    return Standing(record, words.get(report.state, "unknown"), "", one_line(note))


def progress(run_dir: Path) -> str:
    """How far a training is, by its progress.json; "" if there is none."""
    try:
        content = json.loads((run_dir / "progress.json").read_text(encoding="utf-8"))
        metrics = {k: v for k, v in content["metrics"].items() if k in _SHOWN and v is not None}
        return ", ".join(
            [f"epoch {content['epoch']} of {content['epochs']}", *(f"{k} {v:.3f}" for k, v in metrics.items())]
        )
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def last_line(log: Path) -> str:
    """The last line of a log that is not empty; "" if there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 8192))
            lines = [line.strip() for line in file.read().decode("utf-8", "replace").splitlines()]
    except OSError:
        return ""
    return next((line for line in reversed(lines) if line), "")


def one_line(text: str, most: int = 160) -> str:
    """The first line of a message, cut to a table's width."""
    lines = [line for line in text.splitlines() if line.strip()]
    line = lines[0] if lines else ""
    return line if len(line) <= most else f"{line[: most - 3]}..."


def print_standings(title: str, rows: Sequence[Standing]) -> None:
    """One line a job: what it is, its id, its state, its time, and the last line of its error or how far it is."""
    cells = [(" ".join(s.record.overrides), s.record.job, s.state, s.elapsed, s.note) for s in rows]
    print_table(title, ("job", "id", "state", "time", "note"), cells)
