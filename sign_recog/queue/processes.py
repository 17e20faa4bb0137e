"""Processes that outlive the one that started them, told apart from later ones that got the same number.

The kernel gives numbers of processes again, and after a restart of the machine all of them. A process is therefore
named by its number, its start time since the machine came up, and the id of that start of the machine (Linux).
"""

import contextlib
import os
import signal
import time
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def identity(pid: int) -> str | None:
    """The name of a process that runs, as "4711 98765 <boot id>"; None if there is none, or only its remains."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        boot = _BOOT_ID.read_text(encoding="utf-8").strip()
    except OSError:
        return None
    state, start = fields[0], fields[19]  # fields 3 and 22 of proc(5)
    return None if state in "ZX" else f"{pid} {start} {boot}"


def pid_of(name: str) -> int:
    """The number in a process's name."""
    return int(name.partition(" ")[0])


def is_alive(name: str | None) -> bool:
    """Whether the process of this name still runs."""
    return name is not None and identity(pid_of(name)) == name


def ask_to_end(name: str | None) -> None:
    """SIGTERM to the process itself: a training ends at once and can go on later."""
    if name is not None and is_alive(name):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid_of(name), signal.SIGTERM)


def kill_group(name: str) -> None:
    """SIGKILL to the process and all that it started, while its number is still its own."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid_of(name), signal.SIGKILL)


def end(name: str | None, grace_s: float) -> None:
    """:func:`ask_to_end`; what has not ended after ``grace_s`` seconds is killed."""
    ask_to_end(name)
    until = time.monotonic() + grace_s
    while is_alive(name) and time.monotonic() < until:
        time.sleep(0.05)
    if name is not None and is_alive(name):
        kill_group(name)
        while is_alive(name):
            time.sleep(0.05)
