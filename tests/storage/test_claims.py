"""One worker a clip, also where workers die and several find it out at once."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sign_recog.storage.claims import CLAIMS, Claims, running
from sign_recog.storage.ledger import FOLDER, STALE_S, Ledger, Ledgers

TAKE = """
import sys, time
from pathlib import Path
from sign_recog.storage.claims import Claims
from sign_recog.storage.ledger import Ledger, Ledgers
folder, start = Path(sys.argv[1]), Path(sys.argv[2])
ledgers, ledger = Ledgers(folder), Ledger(folder, "s")
claims = Claims(folder, ledgers, ledger)
print("ready", flush=True)
while not start.exists():
    time.sleep(0.001)
ledgers.refresh()
got = [clip for clip in map(str, range(300)) if claims.take(clip) is None]
print(*got, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def worker(tmp_path):
    """A function that makes a worker of this process, whose ledger is not ended."""

    def make(**changes):
        ledger = Ledger(tmp_path, "s")
        ledgers = Ledgers(tmp_path)
        ledgers.refresh()
        return Claims(tmp_path, ledgers, ledger)

    return make


def kill(claims):
    """What others see of a worker whose machine lost its power long ago."""
    path, ledger = claims._ledger.path, claims._ledger
    ledger._closed.set()
    text = path.read_text().replace('"machine":"', '"machine":"another ')
    path.write_text(text)
    os.utime(path, (time.time() - STALE_S - 5,) * 2)


def look(*several):
    for claims in several:
        claims._ledgers = Ledgers(claims.folder.parents[1])
        claims._ledgers.refresh()


def take_at_once(folder, processes, start):
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", TAKE, str(folder), str(start)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(processes)
    ]
    for process in workers:
        assert process.stdout.readline() == "ready\n"
    start.touch()
    return workers, [process.stdout.readline().split() for process in workers]


def end(workers):
    for process in workers:
        process.kill()
        process.communicate()


def test_of_processes_that_want_the_same_clips_at_once_each_gets_others_and_so_after_all_were_killed(tmp_path):
    workers, got = take_at_once(tmp_path, 4, tmp_path / "start")
    assert sorted((clip for own in got for clip in own), key=int) == [str(i) for i in range(300)]
    end(workers)
    workers, again = take_at_once(tmp_path, 4, tmp_path / "start again")
    assert sorted((clip for own in again for clip in own), key=int) == [str(i) for i in range(300)]
    end(workers)


def test_a_claim_is_another_workers_until_it_is_released(worker):
    first, second = worker(), worker()
    look(first, second)
    assert first.take("a/b c") is None
    assert second.take("a/b c") == first._ledger.worker.name == second.holder("a/b c")
    first.release("a/b c")
    assert second.holder("a/b c") is None and second.take("a/b c") is None
    assert not second.takes_over("a/b c")


def test_of_dead_workers_one_after_another_the_clip_is_taken_over(tmp_path, worker):
    for number in range(3):
        claims = worker()
        look(claims)
        assert claims.take("a") is None and claims.takes_over("a") == (number > 0)
        kill(claims)
    claims = worker()
    assert claims.take("a") is None
    assert running(tmp_path) == {"a": claims._ledger.worker.name}
    claims.release("a")
    assert list((tmp_path / FOLDER / CLAIMS).iterdir()) == []


@pytest.mark.parametrize("meanwhile", ["released", "taken again"])
def test_who_comes_too_late_to_succeed_a_dead_worker_gets_nothing(worker, meanwhile, monkeypatch):
    """The slow one has seen the dead worker's claim; before it acts, another has taken the clip over and is done."""
    dead, quick, third, slow = worker(), worker(), worker(), worker()
    assert dead.take("a") is None
    kill(dead)
    look(quick, third, slow)
    create = slow._create

    def late(path, clip_id):
        assert quick.take("a") is None
        quick.release("a")
        if meanwhile == "taken again":
            assert third.take("a") is None
        return create(path, clip_id)

    monkeypatch.setattr(slow, "_create", late)
    assert slow.take("a") is not None and slow.held == []
    monkeypatch.undo()
    if meanwhile == "taken again":
        assert slow.take("a") == third._ledger.worker.name == slow.holder("a")
    else:
        assert slow.take("a") is None


def test_whoever_takes_a_clip_while_it_is_given_back_keeps_it(worker, monkeypatch):
    dead, first, second = worker(), worker(), worker()
    assert dead.take("a") is None
    kill(dead)
    look(first, second)
    assert first.take("a") is None and first.takes_over("a")
    unlink, taken = Path.unlink, []

    def slowly(path, **options):
        unlink(path, **options)
        if not taken:
            taken.append(second.take("a"))

    monkeypatch.setattr(Path, "unlink", slowly)
    first.release("a")
    assert taken == [None] and first.holder("a") == second._ledger.worker.name


@pytest.mark.parametrize("done", [False, True])
def test_who_was_silent_for_too_long_has_lost_its_claim(worker, done):
    slow, quick = worker(), worker()
    look(slow, quick)
    assert slow.take("a") is slow.take("b") is None and not slow.forget_lost("b")
    kill(slow)
    look(slow, quick)
    assert quick.take("a") is None
    if done:
        quick.release("a")
    assert slow.forget_lost("a") and slow.held == ["b"] and not slow.forget_lost("b")
    assert slow.holder("a") == (None if done else quick._ledger.worker.name)


def test_a_claim_that_does_not_say_whose_it_is_is_kept_until_it_is_old(worker):
    claims = worker()
    path = claims._first("a")
    path.touch()
    assert claims.take("a") == "" and claims.holder("a") == ""
    os.utime(path, (time.time() - STALE_S - 5,) * 2)
    assert claims.holder("a") is None and claims.take("a") is None


def test_names_of_claims_are_short_whatever_the_clip_is_called(worker):
    claims = worker()
    assert claims.take("清" * 66 + "/" + "x" * 200) is None
    assert all(len(path.name) < 200 for path in claims.folder.iterdir())
