"""Folders that are made once from other files and named by their state: changed sources make a new folder."""

import contextlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from sign_recog.storage import atomic

INDEX = "index.json"  # in every such folder


def made_once(folder: Path, name: str, key: str, make: Callable[[Path], None]) -> Path:
    """Return ``<folder>/<name>-<key>``, which ``make`` fills if it is not there.

    Killed at any moment, this leaves the whole folder or none. Others of the same name, made from an earlier state,
    are deleted; whoever has their files open keeps them.

    Args:
        make: Fills an empty folder, among others with ``INDEX``.
    """
    target = folder / f"{name}-{key}"
    if not (target / INDEX).exists():
        folder.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(dir=folder, prefix=".", suffix=atomic.PARTIAL))
        try:
            make(partial)
            _rename(partial, target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        for other in folder.glob(f"{name}-*"):
            if other != target:
                _remove(other)
    return target


def _rename(partial: Path, target: Path) -> None:
    try:
        partial.rename(target)
    except OSError:
        if not (target / INDEX).exists():  # another process was first; its folder is as good as ours
            raise


def _remove(folder: Path) -> None:
    """Delete a folder; it loses its name first, so that nobody takes what a killed deletion leaves for a whole one."""
    doomed = folder.with_name(f".{folder.name}{atomic.PARTIAL}")
    with contextlib.suppress(OSError):  # another process was first
        folder.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)
