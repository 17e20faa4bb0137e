"""What becomes of signals while processes of a training live."""

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

OF_THE_PARENT = {signal.SIGTERM, signal.SIGUSR2}  # a cluster sends them to all processes of a job


@contextlib.contextmanager
def sigterm_exits() -> Iterator[None]:
    """SIGTERM raises SystemExit, as Lightning has it in a training of one process; once, as `timeout` sends it twice.

    The second would come amid the ending of the processes, and leave some of them to be waited for without end.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, _: Any) -> None:
        signal.signal(number, signal.SIG_IGN)
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def signals_blocked() -> Iterator[None]:
    """Processes started here never get what a cluster sends to all of a job's; the parent alone decides."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, OF_THE_PARENT)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
