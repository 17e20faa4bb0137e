"""What the tests of the queue share: entries that run a line of shell, and workers as people start them."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from sign_recog.queue.entries import Plan
from sign_recog.queue.store import Store

ROOT = Path(__file__).parents[1]
WORKERS: list["subprocess.Popen[str]"] = []  # started by tests; conftest.py ends what is left


def plan(script: str, folder: Path, *, name: str = "", devices: int = 1) -> Plan:
    """A run of one line of shell in ``folder``; its name, or else the line, tells it from others."""
    key = name or script
    return Plan(
        (script, key), folder / f"run {key}".replace("/", "_"), key, ("/bin/sh", "-c"), folder, {}, None, devices
    )


def command(folder: Path, *words: str) -> list[str]:
    return [sys.executable, str(ROOT / "run.py"), "queue", "--local", "--folder", str(folder / "queue"), *words]


def environment(more: dict[str, str] | None = None) -> dict[str, str]:
    own = {k: v for k, v in os.environ.items() if k != "CUDA_VISIBLE_DEVICES"}
    return {**own, "OMP_NUM_THREADS": "1", "COLUMNS": "200", **(more or {})}


def ask(folder: Path, *words: str, code: int = 0, env: dict[str, str] | None = None) -> str:
    """The output of a word, which must end with ``code``."""
    done = subprocess.run(
        command(folder, *words),
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment(env),
        timeout=120,
        check=False,
    )
    assert done.returncode == code, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def start(folder: Path, *flags: str, env: dict[str, str] | None = None) -> "subprocess.Popen[str]":
    """A worker that runs beside the test."""
    worker = subprocess.Popen(
        command(folder, "start", "--foreground", *flags), text=True, cwd=folder, env=environment(env),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    WORKERS.append(worker)
    return worker


def until(condition: Callable[[], object], *, seconds: float = 20, what: str = "") -> None:
    """Wait for ``condition``."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.05)


def states(store: Store) -> dict[str, str]:
    """Name of each entry -> its state."""
    return {entry.key: entry.state for entry in store.entries()}


def fake_gpus(folder: Path, used_mb: dict[str, int]) -> dict[str, str]:
    """The environment with an nvidia-smi that shows what stands in ``folder``/gpus."""
    (folder / "bin").mkdir(exist_ok=True)
    set_gpus(folder, used_mb)
    script = folder / "bin/nvidia-smi"
    script.write_text(f'#!/bin/sh\ncat "{folder}/gpus"\n')
    script.chmod(0o755)
    return {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}


def set_gpus(folder: Path, used_mb: dict[str, int]) -> None:
    (folder / "gpus.partial").write_text("".join(f"{gpu}, {used}\n" for gpu, used in used_mb.items()))
    (folder / "gpus.partial").rename(folder / "gpus")
