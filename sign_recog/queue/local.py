"""The words of the queue on this machine."""

import time
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from sign_recog.console import print_summary, print_table
from sign_recog.queue import processes
from sign_recog.queue.entries import AFTER, CURRENT, DONE, FAILED, NOW, STOPPED, TO_RUN, Entry, Plan, QueueError
from sign_recog.queue.following import follow
from sign_recog.queue.gpus import FreeGpus, chosen_gpus
from sign_recog.queue.listing import HEADER, row_of, selected, shown_time
from sign_recog.queue.plans import as_of, changed_arguments, checked, place_of, without_needless
from sign_recog.queue.store import Store
from sign_recog.queue.worker import Options, Worker, log_end, only_worker, recover, spawn, stop_runs, working

BEGINS_S = 60.0  # longest that a worker takes until it says that it is there


class LocalQueue:
    """Every method is a word, takes what the command line says, and returns the exit code."""

    def __init__(self, folder: Path):
        self._store = Store(folder)

    def add(self, options: Namespace) -> int:
        plans, left_out = without_needless(checked(options.settings), self._store.entries(TO_RUN, CURRENT))
        for line in left_out:
            print(line)
        ids = self._store.add(plans, top=options.top)
        for entry in map(self._store.entry, ids):
            print(f"Entry {entry.id}, place {entry.place}: {entry.title}")
        if ids and not working(self._store):
            print("No worker is at the queue; `python run.py queue start` starts one.")
        return 0

    def list(self, options: Namespace) -> int:
        entries = self._store.entries()
        if found := selected([e for e in entries if not options.state or e.state in options.state], options):
            print_table(f"queue in {self._store.folder}", HEADER, [row_of(entry) for entry in found])
        elif entries:
            print("No entry of the queue matches.")
        else:
            print(f"The queue in {self._store.folder} is empty; `queue add` adds a run.")
        print(self._worker_line())
        return 0

    def _worker_line(self) -> str:
        row = self._store.worker()
        if row is None or not processes.is_alive(row.process):
            said = f" The last one {row.note}." if row and row.note.startswith(("stopped", "ended")) else ""
            return f"No worker is at the queue.{said} `python run.py queue start` starts one."
        wishes = {NOW: "; stops now", AFTER: "; stops after the current run"}
        return (
            f"Worker: process {processes.pid_of(row.process)}{wishes.get(row.wish, '')}{row.note and f'; {row.note}'}."
        )

    def show(self, options: Namespace) -> int:
        for entry in self._chosen(options.ids):
            hidden = ("KEY", "TOKEN", "SECRET", "PASSWORD")
            kept = {k: "***" if any(h in k for h in hidden) else v for k, v in entry.environment.items()}
            print_summary(
                f"entry {entry.id}",
                {
                    "state": f"{entry.state}{f', place {entry.place}' if entry.place else ''}",
                    "settings": entry.title,
                    "run folder": entry.run_dir,
                    "added": f"{shown_time(entry.added)} at commit {entry.git_commit or 'unknown'}",
                    "began": f"{shown_time(entry.started)}{f', start {entry.starts}' if entry.starts > 1 else ''}",
                    "ended": shown_time(entry.ended),
                    "GPU": ", ".join(entry.gpus),
                    "process": processes.pid_of(entry.process) if entry.process else "",
                    "runs in": entry.folder,
                    "with": " ".join(entry.program),
                    "environment": " ".join(f"{name}={value}" for name, value in kept.items()),
                    "log": self._store.log(entry.id),
                    "error": entry.error,
                },
            )
        return 0

    def move(self, options: Namespace) -> int:
        *ids, place = options.ids_and_place
        known = {"top": 1, "bottom": 10**9}
        if not ids or not (place in known or place.isdigit()):
            raise QueueError("queue move ID... PLACE: the place, last, is top, bottom, or a number from 1.")
        moved = _ids(ids)
        self._store.move(moved, known[place] if place in known else int(place))
        print(f"Moved: {', '.join(f'entry {e.id} to place {e.place}' for e in map(self._store.entry, moved))}.")
        return 0

    def edit(self, options: Namespace) -> int:
        (entry,) = self._chosen([options.id])
        plans = self._changed(entry, options)
        if len(plans) != 1:
            raise QueueError(f"Entry {entry.id} is one run; `queue copy` makes several of it.")
        self._store.edit(entry.id, plans[0])
        print(f"Entry {entry.id}: {' '.join(plans[0].arguments)}")
        return 0

    def copy(self, options: Namespace) -> int:
        (entry,) = self._chosen([options.id])
        ids = self._store.add(self._changed(entry, options), top=options.top)
        for new in map(self._store.entry, ids):
            print(f"Entry {new.id}, place {new.place}: {new.title}")
        return 0

    def _changed(self, entry: Entry, options: Namespace) -> Sequence[Plan]:
        arguments = changed_arguments(entry.arguments, options.settings, options.without)
        with place_of(entry):
            plans, _ = without_needless(checked(arguments), [])  # twins are refused as it is stored
        return [as_of(entry, plan) for plan in plans]

    def remove(self, options: Namespace) -> int:
        return self._remove(_ids(options.ids))

    def clear(self, options: Namespace) -> int:
        states = (TO_RUN, DONE, FAILED, STOPPED) if options.what == "all" else (options.what,)
        return self._remove([entry.id for entry in self._store.entries(*states)])

    def _remove(self, ids: Sequence[int]) -> int:
        self._store.remove(ids)
        print(f"{len(ids)} removed; their run folders stay.")
        return 0

    def shuffle(self, options: Namespace) -> int:
        self._store.shuffle(options.seed)
        order = ", ".join(str(entry.id) for entry in self._store.entries(TO_RUN))
        print(f"Order of those to run: {order or 'there are none'}.")
        return 0

    def retry(self, options: Namespace) -> int:
        ids = _ids(options.ids) or [entry.id for entry in self._store.entries(FAILED, STOPPED)]
        self._store.retry(ids, top=options.top)
        print(f"Again to run: {', '.join(map(str, ids)) or 'none, since none has failed or was stopped'}.")
        return 0

    def recover(self, options: Namespace) -> int:
        if working(self._store):
            print("A worker is at the queue and sees to it.")
            return 0
        back = recover(self._store)
        print(f"Back at the head of the queue: {', '.join(str(e.id) for e in back) or 'none was cut off'}.")
        return 0

    def start(self, options: Namespace) -> int:
        gpus = chosen_gpus(options.gpus)  # says at once what is wrong with them
        if not options.foreground:
            return self._start_in_background(options, gpus)
        looks = {"below_gb": options.free_below, "looks": options.looks, "pause_s": options.pause}
        free = None if gpus is None else FreeGpus(gpus, **looks)
        how = Options(free, options.stop_on_failure, options.until_empty, options.grace)
        with only_worker(self._store):
            return 0 if Worker(self._store, how).run() else 1

    def _start_in_background(self, options: Namespace, gpus: Sequence[str] | None) -> int:
        log = self._store.folder / "worker.log"
        arguments = ["--folder", str(self._store.folder), "--local", "start", "--foreground"]
        if gpus or options.gpus:
            arguments += ["--gpus", ",".join(gpus or ["none"])]
        for name in ("free_below", "looks", "pause", "grace"):
            arguments += [f"--{name.replace('_', '-')}", str(getattr(options, name))]
        arguments += [f"--{n.replace('_', '-')}" for n in ("stop_on_failure", "until_empty") if getattr(options, n)]
        worker = spawn(arguments, log)
        until = time.monotonic() + BEGINS_S
        while worker.poll() is None and time.monotonic() < until:
            row = self._store.worker()
            if row is not None and row.process == processes.identity(worker.pid):
                where = f"on GPU {', '.join(gpus)}" if gpus else "without GPUs, one run at a time"
                print(f"Worker: process {worker.pid}, {where}. What it says: {log}")
                return 0
            time.sleep(0.05)
        if worker.returncode == 0:
            print(f"The worker has ended already. What it said: {log}")
            return 0
        raise QueueError(log_end(log, 1) or f"The worker did not begin; see {log}.")

    def stop(self, options: Namespace) -> int:
        if options.ids:
            for entry in self._chosen(options.ids):
                if entry.state != CURRENT:
                    raise QueueError(f"Entry {entry.id} does not run; it is {entry.state}.")
                processes.ask_to_end(entry.process)
            print("Asked to end; the queue goes on with the next. `queue retry` takes them up again.")
            return 0
        runs = self._store.entries(CURRENT)
        row = self._store.worker()
        if row is None or not processes.is_alive(row.process):
            if options.now and runs:
                back = stop_runs(self._store, runs, options.grace)
                print(f"Back at the head of the queue: {', '.join(str(e.id) for e in back) or 'none'}.")
            print("No worker is at the queue.")
            return 0
        self._store.ask_worker(NOW if options.now else AFTER)
        if not options.now:
            running = ", ".join(str(entry.id) for entry in runs)
            print(f"The worker stops {f'after what runs: entry {running}' if runs else 'now'}.")
            return 0
        while processes.is_alive(row.process):
            time.sleep(0.1)
        print("The worker has stopped; what ran is at the head of the queue and goes on from its last checkpoint.")
        return 0

    def logs(self, options: Namespace) -> int:
        if options.id == "worker":
            log, until = self._store.folder / "worker.log", lambda: not working(self._store)
        else:
            entry = self._one(options.id)
            log, until = self._store.log(entry.id), lambda: self._store.entry(entry.id).state != CURRENT
        if not log.exists():
            raise QueueError(f"{log}: nothing has been printed yet.")
        follow(log, until=until if options.follow else None, lines=options.lines)
        return 0

    def attach(self, options: Namespace) -> int:
        entry = self._one(options.id)
        if entry.state != CURRENT:
            raise QueueError(f"No run is at work{f' as entry {entry.id}: it is {entry.state}' if options.id else ''}.")
        try:
            follow(self._store.log(entry.id), until=lambda: self._store.entry(entry.id).state != CURRENT, lines=20)
        except KeyboardInterrupt:
            print(f"\nEntry {entry.id} runs on. `queue stop {entry.id}` ends it.")
            return 0
        state = self._store.entry(entry.id).state
        print(f"Entry {entry.id} is {state}.")
        return 1 if state == FAILED else 0

    def _one(self, given: str | None) -> Entry:
        """The entry of this id; without one that which runs, else that which ended last."""
        if given is not None:
            return self._chosen([given])[0]
        running = self._store.entries(CURRENT)
        if len(running) > 1:
            raise QueueError(f"Several run: {', '.join(str(e.id) for e in running)}. Give the id of one.")
        ended = self._store.entries(DONE, FAILED, STOPPED)
        if not running and not ended:
            raise QueueError("No run has begun yet.")
        return running[0] if running else ended[-1]

    def _chosen(self, given: Sequence[str]) -> Sequence[Entry]:
        return [self._store.entry(entry_id) for entry_id in _ids(given)]


def _ids(given: Sequence[str]) -> Sequence[int]:
    """From ids and ranges of them.

    >>> _ids(["3", "5-7"])
    [3, 5, 6, 7]
    """
    found: dict[int, None] = {}
    for text in given:
        first, dash, last = text.partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            raise QueueError(f"{text} is no id. Ids are whole numbers, or ranges as 3-7; `queue list` shows them.")
        found |= dict.fromkeys(range(int(first), int(last or first) + 1))
    return [*found]
