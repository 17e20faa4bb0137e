"""What `queue list` of this machine shows: which entries, in which order, and a row of each."""

import time
from argparse import Namespace
from collections.abc import Callable, Sequence

from sign_recog.launch.overview import one_line, progress
from sign_recog.queue.entries import CURRENT, DONE, STATES, TO_RUN, Entry

HEADER = ("id", "state", "run", "began", "took", "note")
SORTS: dict[str, Callable[[Entry], float]] = {
    "id": lambda e: e.id,
    "place": lambda e: e.place or 10**9,
    "state": lambda e: STATES.index(e.state),
    "added": lambda e: e.added,
    "started": lambda e: e.started or 0,
    "ended": lambda e: e.ended or 0,
}


def selected(entries: Sequence[Entry], options: Namespace) -> list[Entry]:
    """Those that the command line asks for, in its order."""
    found = [e for e in entries if all(text.lower() in f"{e.title} {e.error}".lower() for text in options.match)]
    if options.sort is not None:
        found.sort(key=SORTS[options.sort])
    if options.reverse:
        found.reverse()
    return found if options.last is None else found[-options.last :]


def row_of(entry: Entry) -> tuple[str, ...]:
    """Cells below :data:`HEADER`."""
    end = entry.ended or (time.time() if entry.state == CURRENT else None)
    took = "" if entry.started is None or end is None or entry.state == TO_RUN else _duration(end - entry.started)
    gpu = f"GPU {', '.join(entry.gpus)}" if entry.gpus and entry.state == CURRENT else ""
    how_far = progress(entry.run_dir) if entry.state in (CURRENT, DONE) else ""
    note = "; ".join(part for part in (gpu, how_far, one_line(entry.error)) if part)
    state = f"{entry.state} {entry.place}" if entry.place else entry.state
    return str(entry.id), state, entry.title, shown_time(entry.started), took, note


def shown_time(seconds: float | None) -> str:
    """Of seconds since 1970, in this machine's time zone; None gives no text."""
    return "" if seconds is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def _duration(seconds: float) -> str:
    """
    >>> [_duration(s) for s in (5, 3700, 90061)]
    ['0:05', '1:01:40', '25:01:01']
    """
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
