"""The words of the queue on a SLURM cluster: its queue is SLURM's, and only jobs that were added here are touched.

``<folder>/slurm/<job id>.json`` keeps which those are; how they stand is read from SLURM and from what they say.
"""

import json
import os
import re
import subprocess
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sign_recog.console import print_summary, print_table
from sign_recog.launch import cluster
from sign_recog.launch.overview import Standing, last_line, standings
from sign_recog.launch.records import read_jobs
from sign_recog.queue.entries import CURRENT, DONE, FAILED, STATES, STOPPED, TO_RUN, QueueError
from sign_recog.queue.following import follow
from sign_recog.queue.plans import PROGRAM, Checked, changed_arguments, checked, without_needless
from sign_recog.storage import atomic

_SUBMIT = ("launcher.cluster=slurm", "launcher.wait=false")
_WORDS = {"waiting": TO_RUN, "running": CURRENT, "finished": DONE, "cancelled": STOPPED}
_PING_S = 5.0  # longest that a controller may take to say that it is there
_LAST = 10_000  # of "nice": behind all others of this user


@dataclass(frozen=True)
class _Job:
    standing: Standing
    arguments: list[str]
    folder: str
    path: Path

    @property
    def id(self) -> str:
        return self.standing.record.job

    @property
    def state(self) -> str:
        return _WORDS.get(self.standing.state, FAILED)

    @property
    def title(self) -> str:
        return " ".join(a for a in self.arguments if a not in _SUBMIT)


class SlurmQueue:
    """Every method is a word, takes what the command line says, and returns the exit code."""

    def __init__(self, folder: Path):
        self._folder = folder.absolute() / "slurm"

    def _jobs(self, ids: Sequence[str] = ()) -> Sequence[_Job]:
        """Those of ``ids``, or all that were added here.

        Raises:
            QueueError: If one was not.
        """
        kept = {path.stem: (path, json.loads(path.read_text(encoding="utf-8"))) for path in self._folder.glob("*.json")}
        missing = [job for job in ids if job not in kept]
        if missing:
            raise QueueError(f"{', '.join(missing)}: no job of this queue, which leaves others alone. `queue list`.")
        sweeps = sorted({Path(content["sweep"]) for _, content in kept.values()})
        records = [r for sweep in sweeps for r in read_jobs(sweep) if r.job in kept and (not ids or r.job in ids)]
        rows = standings(sorted(records, key=lambda r: [int(part) for part in r.job.split("_")]))
        found = [(row, *kept[row.record.job]) for row in rows]
        return [_Job(row, content["arguments"], content["folder"], path) for row, path, content in found]

    def add(self, options: Namespace) -> int:
        self._refuse_top(options)
        return self._submit(options.settings)

    def _refuse_top(self, options: Namespace) -> None:
        if options.top:
            raise QueueError("SLURM orders its queue by priority: leave --top out, then try `queue move ID top`.")

    def _submit(self, settings: Sequence[str]) -> int:
        runs = checked(settings, local=False)
        plans, left_out = without_needless(runs, [])
        print(*left_out, sep="\n", end="\n" if left_out else "")
        if not plans:
            return 0
        before = {record.job for run in runs for record in read_jobs(run.sweep)}
        done = subprocess.run([*PROGRAM, "--multirun", *settings, *_SUBMIT], check=False)
        new = {r.job: (run, r) for run in runs for r in read_jobs(run.sweep) if r.job not in before}
        for job, (run, record) in new.items():
            own = _arguments_of(record.run_dir, record.overrides, runs)
            content = {"sweep": str(run.sweep.absolute()), "arguments": list(own), "folder": str(Path.cwd())}
            atomic.write_json(self._folder / f"{job}.json", content)
        return done.returncode

    def list(self, options: Namespace) -> int:
        if options.sort not in (None, "id", "state"):
            raise QueueError(f"--sort {options.sort} is for this machine's own queue; SLURM's has --sort id and state.")
        known = self._jobs()
        jobs = [
            job
            for job in known
            if (not options.state or job.state in options.state)
            and all(text.lower() in f"{job.title} {job.standing.note}".lower() for text in options.match)
        ]
        if options.sort == "state":
            jobs.sort(key=lambda job: STATES.index(job.state))
        if options.reverse:
            jobs.reverse()
        jobs = jobs if options.last is None else jobs[-options.last :]
        rows = [(job.id, job.state, job.title, job.standing.elapsed, job.standing.note) for job in jobs]
        if rows:
            print_table("queue of the SLURM cluster", ("id", "state", "run", "took", "note"), rows)
        elif known:
            print("No job of the queue matches.")
        else:
            print(f"The queue is empty: {self._folder} names no job. `queue add` submits one.")
        return 0

    def show(self, options: Namespace) -> int:
        for job in self._jobs(options.ids):
            record = job.standing.record
            shown = {"state": job.standing.line, "settings": job.title, "run folder": record.run_dir, "log": record.log}
            starts = ", ".join(f"{start['time']} on {start['host']}" for start in record.report.starts)
            shown |= {"starts": starts, "error": record.report.error or ""}
            print_summary(f"job {job.id}", shown)
        return 0

    def move(self, options: Namespace) -> int:
        *ids, place = options.ids_and_place
        if place not in ("top", "bottom") or not ids:
            raise QueueError("SLURM orders its queue by priority: queue move ID... top, or bottom.")
        for job in self._jobs(ids):
            ask = ("top", job.id) if place == "top" else ("update", f"JobId={job.id}", f"Nice={_LAST}")
            _ask("scontrol", *ask)
        print(f"Moved to the {place}: {', '.join(ids)}.")
        return 0

    def edit(self, options: Namespace) -> int:
        raise QueueError(
            "A submitted job keeps the settings with which it was added. `queue copy ID SETTING` adds it changed, "
            "`queue remove ID` takes the old one out."
        )

    def copy(self, options: Namespace) -> int:
        self._refuse_top(options)
        (job,) = self._jobs([options.id])
        os.chdir(job.folder)
        return self._submit(changed_arguments(job.arguments, options.settings, options.without))

    def remove(self, options: Namespace) -> int:
        jobs = self._jobs(options.ids)
        running = [job.id for job in jobs if job.state == CURRENT]
        if running:
            raise QueueError(f"{', '.join(running)} runs. `queue stop {' '.join(running)}` cancels it.")
        return self._forget(jobs)

    def clear(self, options: Namespace) -> int:
        states = (TO_RUN, DONE, FAILED, STOPPED) if options.what == "all" else (options.what,)
        return self._forget([job for job in self._jobs() if job.state in states])

    def _forget(self, jobs: Sequence[_Job]) -> int:
        for job in jobs:
            if job.state == TO_RUN:
                _ask("scancel", job.id)
            job.path.unlink(missing_ok=True)
        print(f"{len(jobs)} removed; their run folders stay.")
        return 0

    def shuffle(self, options: Namespace) -> int:
        raise QueueError("SLURM orders its queue by priority, so it cannot be shuffled.")

    def retry(self, options: Namespace) -> int:
        self._refuse_top(options)
        jobs = self._jobs(options.ids)
        again = [job for job in jobs if job.state in (FAILED, STOPPED)]
        if options.ids and len(again) < len(jobs):
            raise QueueError("Only jobs that failed or were cancelled can be submitted again. `queue list` shows them.")
        code = 0
        for job in again:
            os.chdir(job.folder)
            if self._submit(job.arguments):
                code = 1
            else:
                job.path.unlink(missing_ok=True)
        print(f"Submitted again: {', '.join(job.id for job in again) or 'none, since none has failed'}.")
        return code

    def recover(self, options: Namespace) -> int:
        options.ids, options.top = [], False
        return self.retry(options)

    def start(self, options: Namespace) -> int:
        if options.gpus or options.foreground or options.stop_on_failure or options.until_empty:
            raise QueueError("On a cluster SLURM starts the jobs, as the group launcher says; `queue start` releases.")
        held = [job for job in self._jobs() if job.state == TO_RUN and "held" in job.standing.note.lower()]
        for job in held:
            _ask("scontrol", "release", job.id)
        print(f"Released: {', '.join(job.id for job in held) or 'none was held'}.")
        return 0

    def stop(self, options: Namespace) -> int:
        if options.ids:
            for job in self._jobs(options.ids):
                _ask("scancel", job.id)
            print(f"Cancelled: {', '.join(options.ids)}. `queue retry` submits again what had not finished.")
            return 0
        jobs = self._jobs()
        waiting, running = ([job.id for job in jobs if job.state == state] for state in (TO_RUN, CURRENT))
        for job_id in waiting:
            _ask("scontrol", "hold", job_id)
        for job_id in running if options.now else []:
            _ask("scontrol", "requeuehold", job_id)
        verb = "job waits and is" if len(waiting) == 1 else "jobs wait and are"
        held = f"{len(waiting)} {verb} held until `queue start`." if waiting else "No job waits, so none is held."
        after = "ends and waits again, held, to go on from its last checkpoint" if options.now else "runs on"
        print(held, *([f"{', '.join(running)} {after}."] if running else []))
        return 0

    def logs(self, options: Namespace) -> int:
        job = self._one(options.id)
        log = job.standing.record.log
        if not log.exists():
            raise QueueError(f"{log}: nothing has been printed yet. The job is {job.standing.line}.")
        follow(log, until=(lambda: not self._is_active(job)) if options.follow else None, lines=options.lines)
        return 0

    def attach(self, options: Namespace) -> int:
        job = self._one(options.id)
        if not job.standing.is_active:
            raise QueueError(f"Job {job.id} does not run: it is {job.standing.line}.")
        try:
            follow(job.standing.record.log, until=lambda: not self._is_active(job), lines=20)
        except KeyboardInterrupt:
            print(f"\nJob {job.id} runs on. `queue stop {job.id}` cancels it.")
            return 0
        (ended,) = self._jobs([job.id])
        print(f"Job {job.id} is {ended.standing.line}.")
        return 1 if ended.state == FAILED else 0

    def _is_active(self, job: _Job) -> bool:
        return standings([job.standing.record])[0].is_active

    def _one(self, given: str | None) -> _Job:
        jobs = self._jobs([given] if given is not None else [])
        running = [job for job in jobs if job.state == CURRENT] if given is None else list(jobs)
        if len(running) > 1:
            raise QueueError(f"Several run: {', '.join(job.id for job in running)}. Give the id of one.")
        begun = running or [job for job in jobs if last_line(job.standing.record.log)]
        if not begun:
            raise QueueError("No job has begun yet.")
        return begun[-1]


def _arguments_of(run_dir: Path, overrides: Sequence[str], runs: Sequence[Checked]) -> Sequence[str]:
    """Those of the run that became a job: of its run folder, and where several share that with its settings."""
    found = [run.plan.arguments for run in runs if run.plan.run_dir == run_dir]
    return max(found, key=lambda arguments: len(set(arguments) & set(overrides)), default=tuple(overrides))


def controller_answers() -> bool:
    """Whether a controller of SLURM is up, by one short ``scontrol ping``."""
    try:
        said = subprocess.run(["scontrol", "ping"], capture_output=True, text=True, timeout=_PING_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return re.search(r"\bUP\b", said.stdout) is not None


def _ask(*command: str) -> Any:
    try:
        return cluster.ask(*command)
    except cluster.ClusterError as error:
        raise QueueError(f"{' '.join(command)}: SLURM says: {error}") from error
