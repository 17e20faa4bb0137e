"""A process is known by more than its number."""

import os
import subprocess
import time

from sign_recog.queue import processes


def test_a_process_is_alive_until_it_ends_and_a_zombie_is_not():
    child = subprocess.Popen(["sleep", "60"], start_new_session=True)
    name = processes.identity(child.pid)
    assert processes.is_alive(name)
    processes.end(name, grace_s=5)
    assert not processes.is_alive(name)  # although nobody has waited for it yet
    assert child.wait() == -15


def test_a_later_process_of_the_same_number_or_another_start_of_the_machine_is_another_one():
    pid, start, boot = processes.identity(os.getpid()).split()
    assert processes.is_alive(f"{pid} {start} {boot}")
    assert not processes.is_alive(f"{pid} {int(start) + 1} {boot}")
    assert not processes.is_alive(f"{pid} {start} another-boot")
    assert not processes.is_alive(None)


def test_what_does_not_end_in_its_time_is_killed_with_all_that_it_started(tmp_path):
    script = f"trap '' TERM; sleep 60 & echo $! > {tmp_path}/pid; echo > {tmp_path}/ready; while :; do sleep 0.05; done"
    child = subprocess.Popen(["/bin/sh", "-c", script], start_new_session=True)
    while not (tmp_path / "ready").exists():
        time.sleep(0.02)
    processes.end(processes.identity(child.pid), grace_s=0.2)
    assert child.wait() == -9
    grandchild = int((tmp_path / "pid").read_text())
    for _ in range(100):
        if processes.identity(grandchild) is None:
            return
        time.sleep(0.02)
    raise AssertionError("its child is still there")
