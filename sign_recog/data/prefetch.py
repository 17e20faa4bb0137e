"""Batches made ahead of time without loader processes."""

import queue
import threading
from collections.abc import Generator, Iterator
from typing import Any

from torch.utils.data import DataLoader

AHEAD = 2  # batches that wait at most

_END = object()


class PrefetchLoader(DataLoader):
    """A DataLoader that, where it has no processes, lets a thread make the next batches while this one is worked on.

    Reading files and NumPy's and torch's arithmetic leave the interpreter to others, so the two overlap on a second
    core, without copies between processes. The batches are the same and come in the same order.
    """

    def __iter__(self) -> Any:
        batches = super().__iter__()  # in the caller's thread: it draws from torch's global generator
        return batches if self.num_workers else ahead(batches)


def ahead(batches: Iterator[Any]) -> Generator[Any, None, None]:
    """Yield what ``batches`` yields; its errors are raised here."""
    waiting: queue.Queue[Any] = queue.Queue(AHEAD)
    stopped = threading.Event()

    def put(item: Any) -> None:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=0.1)
                return
            except queue.Full:
                continue

    def work() -> None:
        try:
            for batch in batches:
                put((batch, None))
                if stopped.is_set():
                    return
            put((_END, None))
        except BaseException as error:
            put((_END, error))

    threading.Thread(target=work, name="prefetch", daemon=True).start()
    try:
        while True:
            batch, error = waiting.get()
            if error is not None:
                raise error
            if batch is _END:
                return
            yield batch
    finally:
        stopped.set()
