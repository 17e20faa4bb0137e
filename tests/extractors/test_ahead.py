"""Decoding ahead in processes: order, bounds, deaths and ends."""

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from extractor_fakes import SHAPE, dying_decode, fake_decode

from sign_recog.errors import DataError, SignRecogError
from sign_recog.extractors import ahead
from sign_recog.extractors.ahead import Again, DecodedAhead
from sign_recog.extractors.decoding import End, Window
from sign_recog.extractors.jobs import Job


def job(clip_id):
    return Job(clip_id, Path("none.mp4"))


def workers(num_workers, num_windows=4, decode=fake_decode, polite=False):
    settings = {"num_workers": num_workers, "num_windows": num_windows, "polite": polite}
    return closing(DecodedAhead(decode, SHAPE, **settings))


def taken(decoded, jobs):
    """What came of each clip after its last Again, with pictures as single numbers."""
    found = {}
    for one, item in decoded.items(jobs):
        if isinstance(item, Again):
            found.pop(one.clip_id, None)
        elif isinstance(item, Window):
            (value,) = set(np.asarray(item.frames).ravel().tolist())
            found.setdefault(one.clip_id, []).append((value, item.num_padding, item.timestamps_ms))
        else:
            found.setdefault(one.clip_id, []).append(item)
    return found


def windows(number):
    return [(k, k % 2, [k, k + 1]) for k in range(number)]


@pytest.mark.parametrize("num_workers", [0, 1, 3])
def test_every_window_comes_once_and_a_clip_s_in_order(num_workers):
    names = [f"clip {number} {k}" for k, number in enumerate((9, 0, 1, 30, 4, 4, 7))]
    with workers(num_workers) as decoded:
        found = taken(decoded, map(job, names))
    for name in names:
        assert found[name][:-1] == windows(int(name.split()[1])) and found[name][-1].error is None
    processes = {items[-1].meta["process"] for items in found.values()}
    assert (os.getpid() in processes) == (not num_workers) and len(processes) <= max(1, num_workers)


def test_workers_load_no_torch_and_leave_the_cores_to_the_network_if_they_are_to():
    for polite in (False, True):
        with workers(1, polite=polite) as decoded:
            meta = taken(decoded, [job("clip 1")])["clip 1"][-1].meta
        assert (meta["torch"], meta["nice"] - os.nice(0)) == (False, 10 if polite else 0)


def test_clips_are_decoded_at_the_same_time(tmp_path):
    with workers(2) as decoded:
        found = taken(decoded, map(job, [f"meet 4 {tmp_path} a", f"meet 4 {tmp_path} b"]))
    assert [items[-1].error for items in found.values()] == [None, None]


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_clip_is_taken_when_a_worker_is_free_for_it(num_workers):
    begun = []

    def jobs():
        for k in range(6):
            begun.append(k)
            yield job(f"clip 2 {k}")

    ended = 0
    with workers(num_workers, num_windows=100) as decoded:
        for _, item in decoded.items(jobs()):
            assert len(begun) <= ended + max(1, num_workers) + isinstance(item, End)
            ended += isinstance(item, End)
    assert ended == 6


def test_s3_no_more_is_decoded_ahead_than_there_are_slots_however_long_a_video_is(tmp_path):
    with workers(1, num_windows=5) as decoded:
        items = decoded.items([job(f"note 100000 {tmp_path}")])
        for _ in range(3):
            next(items)
        time.sleep(0.5)
        assert len(list(tmp_path.iterdir())) <= 2 + 5 + 1  # given back, in slots, and one in hand
        items.close()


def test_a_killed_worker_costs_an_attempt_and_its_half_clip_is_void(tmp_path):
    names = ["clip 5 a", f"die-once 8 {tmp_path / 'died'}", "clip 5 b", "clip 5 c"]
    with workers(2) as decoded:
        seen = [(one.clip_id, type(item)) for one, item in decoded.items(map(job, names))]
    assert seen.count((names[1], Again)) == 1
    (tmp_path / "died").unlink()
    with workers(2) as decoded:
        found = taken(decoded, map(job, names))
    assert {name: items[:-1] for name, items in found.items()} == {
        name: windows(int(name.split()[1])) for name in names
    }
    assert all(items[-1].error is None for items in found.values())


@pytest.mark.parametrize(("word", "reason"), [("die", "SIGKILL"), ("abort", "SIGABRT")])
def test_a_clip_on_which_workers_die_fails_alone(word, reason):
    names = [f"{word} 5", "clip 5 a", "clip 5 b", "clip 5 c"]
    with workers(2) as decoded:
        found = taken(decoded, map(job, names))
    (end,) = found[names[0]][-1:]
    assert isinstance(end.error, DataError)
    assert f"was killed by {reason}" in str(end.error) and "on the same clip" in str(end.error)
    assert all(found[name][:-1] == windows(5) for name in names[1:])


def test_a_worker_killed_while_it_waits_for_room_is_replaced():
    with workers(1, num_windows=2) as decoded:
        items = decoded.items([job("clip 9")])
        next(items)
        time.sleep(0.3)
        os.kill(decoded._workers[0].process.pid, signal.SIGKILL)
        rest = [item for _, item in items]
    after = rest[[type(item) for item in rest].index(Again) + 1 :]
    assert [item.timestamps_ms[0] for item in after[:-1]] == list(range(9)) and after[-1].error is None


def test_where_worker_after_worker_dies_the_run_ends():
    with workers(2, decode=dying_decode) as decoded, pytest.raises(SignRecogError, match="10 worker processes died"):
        taken(decoded, (job(str(k)) for k in range(100)))


def test_too_little_shared_memory_is_told_before_it_is_written(monkeypatch, tmp_path):
    monkeypatch.setattr(ahead, "_SHARED_MEMORY", tmp_path)
    monkeypatch.setattr(ahead.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 2**20})())
    with pytest.raises(SignRecogError, match=r"need 2 MiB of shared memory, 1 MiB are free.*run.num_workers=0"):
        DecodedAhead(fake_decode, (2, 256, 1024, 3), num_workers=1, num_windows=1, polite=False)


def test_workers_end_with_whoever_takes_their_windows():
    with workers(2, num_windows=2) as decoded:
        items = decoded.items(map(job, ["clip 90 a", "sleep 4 60"]))
        next(items)
        items.close()
        processes = [worker.process for worker in decoded._workers]
    assert not any(process.is_alive() for process in processes)


KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from extractor_fakes import SHAPE, fake_decode
from sign_recog.extractors.ahead import DecodedAhead
from sign_recog.extractors.jobs import Job
if __name__ == "__main__":
    ahead = DecodedAhead(fake_decode, SHAPE, num_workers=3, num_windows=6, polite=False)
    items = ahead.items(Job(name, Path("a")) for name in ["clip 100000000 a", "clip 4 b", "clip 100000 c"])
    for _, item in items:
        if hasattr(item, "meta"):  # one worker is idle now, the others wait for room
            break
    print(*(worker.process.pid for worker in ahead._workers), flush=True)
    sys.stdin.read()
"""


def test_workers_end_with_a_parent_that_is_killed(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(KILLED.format(tests=str(Path(__file__).parents[1])))
    parent = subprocess.Popen([sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(pids) == 3 and all(alive(pid) for pid in pids)
    parent.kill()
    parent.wait()
    until = time.monotonic() + 10
    while any(alive(pid) for pid in pids) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(alive(pid) for pid in pids)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
