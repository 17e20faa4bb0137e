"""What workers write down, who of them lives, and what is left of lines that were cut."""

import json
import os
import subprocess
import sys
import time

import pytest

from sign_recog.storage import ledger as ledgers_of
from sign_recog.storage.ledger import FOLDER, STALE_S, Ledger, Ledgers, stamp_of, time_of
from sign_recog.storage.process import birth, machine

WORK = """
import sys, time
from pathlib import Path
from sign_recog.storage.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]), "settings")
ledger.say("clip", "done", frames=3)
print(ledger.worker.name, flush=True)
time.sleep(60)
"""


def read(folder):
    ledgers = Ledgers(folder)
    ledgers.refresh()
    return ledgers


def write(folder, name, *lines, **who):
    """A ledger as a worker of another machine leaves it."""
    path = folder / FOLDER / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    worker = {"host": "far", "machine": "far away", "pid": 1, "born": "1", "started": 0.0, "settings": "s", **who}
    path.write_text("".join(json.dumps(line) + "\n" for line in ({"name": name, **worker}, *lines)))
    return path


def test_the_latest_word_on_a_clip_counts_whoever_says_it(tmp_path):
    write(
        tmp_path,
        "w1",
        {"clip": "a", "state": "failed", "at": 5.0, "reason": "r"},
        {"clip": "b", "state": "done", "at": 1.0},
    )
    write(
        tmp_path,
        "w0",
        {"clip": "a", "state": "done", "at": 6.0, "frames": 3},
        {"clip": "b", "state": "failed", "at": 2.0},
    )
    words = read(tmp_path).words
    assert (words["a"].state, words["a"].worker, words["a"].frames) == ("done", "w0", 3)
    assert (words["b"].state, words["b"].worker) == ("failed", "w0")


@pytest.mark.parametrize("cut", [1, 10, 30, 40])
def test_a_line_cut_by_a_kill_is_ignored_and_what_others_add_is_read(tmp_path, cut):
    path = write(tmp_path, "w", {"clip": "a", "state": "done", "at": 1.0}, {"clip": "b", "state": "done", "at": 2.0})
    path.write_bytes(path.read_bytes()[:-cut])
    ledgers = read(tmp_path)
    assert list(ledgers.words) == ["a"]
    write(tmp_path, "v", {"clip": "c", "state": "done", "at": 3.0})
    ledgers.refresh()
    assert list(ledgers.words) == ["a", "c"]


def test_what_a_full_disk_cut_does_not_spoil_the_next_line(tmp_path, monkeypatch):
    ledger = Ledger(tmp_path, "s")
    real = open

    class Full:
        def __init__(self, *args, **kwargs):
            self.file = real(*args, **kwargs)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def write(self, text):
            return self.file.write(text[: len(text) // 2])

    monkeypatch.setattr(ledgers_of, "open", Full, raising=False)
    with pytest.raises(OSError, match="No space left"):
        ledger.say("a", "done")
    monkeypatch.delattr(ledgers_of, "open")
    ledger.say("b", "done")
    assert list(read(tmp_path).words) == ["b"]
    ledger.close()


def test_a_worker_that_did_nothing_leaves_nothing(tmp_path):
    ledger = Ledger(tmp_path, "s")
    ledgers = read(tmp_path)
    assert [worker.pid for worker in ledgers.living(ledger.now())] == [os.getpid()]
    ledger.close()
    ledgers.refresh()
    assert list((tmp_path / FOLDER).iterdir()) == [] and ledgers.living(0) == []


def test_a_worker_that_ended_is_not_at_work(tmp_path):
    ledger = Ledger(tmp_path, "s")
    ledger.say("a", "done")
    ledger.close()
    ledgers = read(tmp_path)
    assert ledgers.is_living(ledger.worker.name, ledger.now()) is False and list(ledgers.words) == ["a"]


def test_a_killed_worker_of_this_machine_is_known_to_be_dead_at_once(tmp_path):
    with subprocess.Popen([sys.executable, "-c", WORK, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        name = process.stdout.readline().strip()
        now = time_of(tmp_path)
        assert read(tmp_path).is_living(name, now) is True
        process.kill()
        deadline = time.monotonic() + 10
        while read(tmp_path).is_living(name, now) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert read(tmp_path).is_living(name, now) is False  # before anybody has waited for it: it is a zombie
    assert read(tmp_path).is_living(name, now) is False


def test_a_process_that_has_the_number_of_a_dead_one_is_not_taken_for_it(tmp_path):
    own = {"pid": os.getpid(), "machine": machine()}
    write(tmp_path, "now", **own, born=birth(os.getpid()))
    write(tmp_path, "before", **own, born=str(int(birth(os.getpid())) - 1))
    ledgers, now = read(tmp_path), time_of(tmp_path)
    assert ledgers.is_living("now", now) is True and ledgers.is_living("before", now) is False


def test_a_worker_elsewhere_lives_as_long_as_its_file_is_touched_by_the_file_systems_clock(tmp_path, monkeypatch):
    path = write(tmp_path, "w")
    now = time_of(tmp_path)
    monkeypatch.setattr(time, "time", lambda: 4e9)  # a machine whose clock is wrong
    assert read(tmp_path).is_living("w", now) is True
    os.utime(path, (now - STALE_S + 5, now - STALE_S + 5))
    assert read(tmp_path).is_living("w", now) is True
    os.utime(path, (now - STALE_S - 5, now - STALE_S - 5))
    assert read(tmp_path).is_living("w", now) is False
    assert read(tmp_path).is_living("nobody", now) is None


def test_a_worker_touches_its_ledger_while_it_lives_and_no_longer(tmp_path, monkeypatch):
    monkeypatch.setattr(ledgers_of, "BEAT_S", 0.02)
    ledger = Ledger(tmp_path, "s")
    os.utime(ledger.path, (1, 1))
    deadline = time.monotonic() + 10
    while stamp_of(ledger.path)[1] == 10**9 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert stamp_of(ledger.path)[1] > 10**18
    ledger.say("a", "done")
    ledger.close()
    time.sleep(0.1)
    before = stamp_of(ledger.path)
    time.sleep(0.1)
    assert stamp_of(ledger.path) == before


def test_times_are_the_file_systems(tmp_path, monkeypatch):
    real = time.time()
    monkeypatch.setattr(time, "time", lambda: 4e9)
    ledger = Ledger(tmp_path, "s")
    ledger.say("a", "done")
    ledger.close()
    assert abs(read(tmp_path).words["a"].at - real) < 60
