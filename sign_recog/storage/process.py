"""Whether a process of this machine still is the one it was; from /proc, so on Linux only."""

from functools import cache
from pathlib import Path


@cache
def machine() -> str:
    """This start of this machine and this process namespace (containers have their own); "" where there is no /proc."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def birth(pid: int) -> str:
    """When process ``pid`` began, in ticks since the machine did; "" = there is no such process, or no /proc."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    state, *rest = text.rpartition(")")[2].split()  # the name before it may hold spaces
    return "" if state in "ZX" else rest[18]  # a zombie does nothing; field 22 of proc(5)
