"""One process at a time in a folder; the system gives the lock back when its owner ends, however it ends."""

import errno
import fcntl
import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from sign_recog.errors import DataError

logger = logging.getLogger(__name__)

WITHOUT_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)  # what some cluster file systems answer


class FolderInUse(DataError):
    """Another process is at work in the folder."""


_LOOK_S = 0.5  # how often one who waits looks


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold ``folder`` for this process, by ``.lock`` in it, which names the owner.

    Raises:
        FolderInUse: If another process holds it.
    """
    with _opened(folder) as file:
        if (owner := _owner(file, folder, "two trainings")) is not None:
            raise FolderInUse(
                f"{folder}: {owner} is at work in this folder. Wait until it has "
                "ended, or stop it; the same command then goes on from its last checkpoint."
            )
        _sign(file)
        yield


@contextmanager
def locked_in_turn(folder: Path, what: str) -> Iterator[bool]:
    """As :func:`locked`, but wait for the other process, and say once whom for; yields whether it waited.

    Args:
        what: That is done in the folder, as in "preparing".
    """
    with _opened(folder) as file:
        waited = False
        while (owner := _owner(file, folder, f"two that are {what}")) is not None:
            if not waited:
                logger.info("%s: %s is %s here; waiting for it.", folder, owner, what)
                waited = True
            time.sleep(_LOOK_S)
        _sign(file)
        yield waited


@contextmanager
def _opened(folder: Path) -> Iterator[TextIO]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a+", encoding="utf-8") as file:
        yield file


def _owner(file: TextIO, folder: Path, kept_apart: str) -> str | None:
    """Take the lock, or say who has it."""
    try:
        # A lock of lockf is the process's own: loader processes that outlive a killed training do not hold it.
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        file.seek(0)
        return file.read().strip() or "another process"
    except OSError as error:
        if error.errno not in WITHOUT_LOCKS:
            raise
        logger.warning("%s: this file system has no locks, so nothing keeps %s apart here.", folder, kept_apart)
    return None


def _sign(file: TextIO) -> None:
    file.seek(0)
    file.truncate()
    file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
    file.flush()
