"""One process at a time in a folder; the system gives the lock back when its owner ends, however it ends."""

import errno
import fcntl
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sign_recog.errors import DataError

logger = logging.getLogger(__name__)

WITHOUT_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)  # what some cluster file systems answer


class FolderInUse(DataError):
    """Another process is at work in the folder."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold ``folder`` for this process, by ``.lock`` in it, which names the owner.

    Raises:
        FolderInUse: If another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ".lock"
    with path.open("a+", encoding="utf-8") as file:
        try:
            # A lock of lockf is the process's own: loader processes that outlive a killed training do not hold it.
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            file.seek(0)
            raise FolderInUse(
                f"{folder}: {file.read().strip() or 'another process'} is at work in this folder. Wait until it has "
                "ended, or stop it; the same command then goes on from its last checkpoint."
            ) from error
        except OSError as error:
            if error.errno not in WITHOUT_LOCKS:
                raise
            logger.warning("%s: this file system has no locks, so nothing keeps two trainings apart here.", folder)
        file.seek(0)
        file.truncate()
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        yield
