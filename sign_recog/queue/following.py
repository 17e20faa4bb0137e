"""Show a log as it grows."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

from sign_recog.queue.worker import log_end

_PAUSE_S = 0.2


def follow(log: Path, *, until: Callable[[], bool] | None, lines: int) -> None:
    """Print the last ``lines`` of ``log``, then what is added until ``until()``; None = nothing more."""
    while until is not None and not log.exists() and not until():
        time.sleep(_PAUSE_S)
    end = log.stat().st_size if log.exists() else 0
    print(log_end(log, lines), flush=True)
    if until is None:
        return
    over = False
    with log.open("rb") as file:
        file.seek(end)
        while True:
            if new := file.read():
                sys.stdout.write(new.decode("utf-8", "replace"))
                sys.stdout.flush()
            elif over:
                return
            over = until()
            if not over:
                time.sleep(_PAUSE_S)
