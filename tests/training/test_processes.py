"""Processes that share a work: they know each other, fail as one, and none outlives its parent."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from small_processes import fail, ranks

from sign_recog.errors import DataError
from sign_recog.training.processes import gathered, rank_and_size, rank_zero_first, run_in_processes


def test_processes_know_each_other_and_rank_0_goes_first(tmp_path):
    first, second = run_in_processes(partial(ranks, tmp_path), 2, cuda=False)
    assert first[:2] == ((0, 2), second[1]) and second[0] == (1, 2) and len({*first[1], os.getpid()}) == 3
    assert (first[2], second[2]) == (False, True)


def test_without_processes_there_is_one():
    assert rank_and_size() == (0, 1) and gathered("own") == ["own"]
    with rank_zero_first():
        pass


@pytest.mark.parametrize(
    ("kind", "error", "words"),
    [
        ("error", DataError, r"^clip7\.mp4: is damaged\. Take it out\.$"),
        ("bug", RuntimeError, r"^Training process 2 of 2 failed:(.|\n)*ZeroDivisionError: a bug\n$"),
    ],
)
def test_the_first_error_of_any_process_is_the_error(kind, error, words):
    """The other process waits for the one that failed, and so fails too."""
    with pytest.raises(error, match=words):
        run_in_processes(partial(fail, kind), 2, cuda=False)


STARTER = """
import sys
from functools import partial
from pathlib import Path
from small_processes import sleep
from sign_recog.training.processes import run_in_processes
if __name__ == "__main__":
    run_in_processes(partial(sleep, Path(sys.argv[1])), 2, cuda=False)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_no_process_outlives_its_parent(tmp_path, number):
    parent = started(tmp_path, STARTER)
    try:
        pids = [tmp_path / f"{rank}.pid" for rank in range(2)]
        until(lambda: all(path.exists() for path in pids) or parent.poll() is not None)
        assert parent.poll() is None, parent.stderr.read()
        parent.send_signal(number)
        code = parent.wait(60)
    finally:
        parent.kill()
    assert code == (-number if number == signal.SIGKILL else 128 + number)
    until(lambda: not any(alive(int(path.read_text())) for path in pids))
    assert "Traceback" not in parent.stderr.read()


# A SIGTERM after a member has been started or while one is being stopped, as when `timeout` sends it twice.
INTERRUPTED = """
import os
import signal
from sign_recog.training import processes
plain = processes._Member.{step}
def interrupted(self):
    {when}
processes._Member.{step} = interrupted
"""
AMID_THE_ENDING = INTERRUPTED.format(step="stop", when="os.kill(os.getpid(), signal.SIGTERM); plain(self)")
AFTER_A_START = INTERRUPTED.format(step="start", when="plain(self); os.kill(os.getpid(), signal.SIGTERM)")


@pytest.mark.parametrize("interruption", [AMID_THE_ENDING, AFTER_A_START], ids=["ending", "start"])
def test_a_signal_at_a_bad_moment_leaves_no_process_behind(tmp_path, interruption):
    """`timeout` sends SIGTERM twice; the second must not keep the parent from ending the others."""
    parent = started(tmp_path, interruption + STARTER)
    try:
        pids = [tmp_path / f"{rank}.pid" for rank in range(2)]
        if interruption == AMID_THE_ENDING:
            until(lambda: all(path.exists() for path in pids) or parent.poll() is not None)
            parent.send_signal(signal.SIGTERM)
        code = parent.wait(60)
    finally:
        parent.kill()
    assert code == 128 + signal.SIGTERM, parent.stderr.read()
    until(lambda: not any(alive(int(path.read_text())) for path in pids if path.exists()))


def started(folder: Path, script: str) -> subprocess.Popen:
    """``script`` in a process of its own."""
    root, path = Path(__file__).parents[2], folder / "start.py"
    path.write_text(script)
    return subprocess.Popen(
        [sys.executable, path, folder],
        env=os.environ | {"PYTHONPATH": f"{root}:{root / 'tests'}"},
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )


def until(holds, seconds: float = 200.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
