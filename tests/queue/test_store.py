"""The queue's order, and that it holds whatever happens to those who change it."""

import multiprocessing
import signal
import sqlite3
import stat
import subprocess
import sys

import pytest
from small_queue import ROOT, plan, states

from sign_recog.queue.entries import CURRENT, DONE, FAILED, TO_RUN, QueueError
from sign_recog.queue.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "queue")


def order(store):
    return [entry.key for entry in store.entries(TO_RUN)]


def fill(store, names="abcd", **kwargs):
    return store.add([plan("true", store.folder, name=name) for name in names], **kwargs)


def test_entries_run_in_the_order_in_which_they_were_added_those_at_the_top_first(store):
    fill(store)
    fill(store, "xy", top=True)
    assert order(store) == list("xyabcd")
    taken = []
    while entry := store.take(None):
        taken.append(entry.key)
    assert taken == list("xyabcd") and {e.state for e in store.entries()} == {CURRENT}


@pytest.mark.parametrize(
    ("ids", "place", "after"),
    [([3], 1, "cabd"), ([1], 99, "bcda"), ([4, 2], 2, "adbc"), ([1, 2], 3, "cdab"), ([2], 2, "abcd"), ([2], 0, "bacd")],
)
def test_moving(store, ids, place, after):
    fill(store)
    store.move(ids, place)
    assert order(store) == list(after)
    assert [entry.place for entry in store.entries(TO_RUN)] == [1, 2, 3, 4]


def test_shuffling_keeps_all_and_changes_the_order(store):
    fill(store, "abcdefghij")
    store.shuffle(seed=1)
    assert order(store) != list("abcdefghij") and sorted(order(store)) == list("abcdefghij")


def test_the_same_run_waits_or_runs_only_once_and_nothing_of_a_refused_command_is_added(store):
    fill(store, "ab")
    store.take(None)
    for twin in "ab":
        with pytest.raises(QueueError, match="same settings and seed"):
            fill(store, ["new", twin])
    assert order(store) == ["b"]
    store.end(1, FAILED, "why")
    fill(store, "a")  # what has failed may be added again
    with pytest.raises(QueueError, match="entry 3 is to run"):
        store.retry([1])


def test_retry_and_put_back(store):
    fill(store)
    for _ in range(3):
        store.take(None)
    store.end(1, FAILED, "why")
    store.put_back([2, 3])
    assert order(store) == list("bcd")
    store.retry([1])
    assert order(store) == list("bcda") and store.entry(1).error == ""


def test_what_runs_is_not_removed_moved_or_edited(store):
    fill(store)
    store.take(None)
    for change in (
        store.remove,
        lambda ids: store.move(ids, 1),
        lambda ids: store.edit(ids[0], plan("x", store.folder)),
    ):
        with pytest.raises(QueueError, match="Entry 1 is current"):
            change([1])
    with pytest.raises(QueueError, match="no entry of this id"):
        store.remove([2, 77])
    assert order(store) == list("bcd")


def test_editing_keeps_the_place_and_refuses_a_twin(store):
    fill(store)
    store.edit(2, plan("false", store.folder, name="new"))
    assert order(store) == ["a", "new", "c", "d"]
    with pytest.raises(QueueError, match="entry 3 is to run"):
        store.edit(2, plan("false", store.folder, name="c"))
    store.edit(2, plan("true", store.folder, name="new"))  # itself is no twin


def test_a_run_that_needs_more_gpus_than_are_free_waits_and_holds_its_place(store):
    store.add([plan("true", store.folder, name="two", devices=2), plan("true", store.folder, name="one")])
    assert store.take(["0"]) is None
    assert store.take(["0", "1", "2"]).gpus == ("0", "1")


def test_the_file_is_the_owner_s_alone_since_it_holds_keys(store):
    fill(store)
    for path in store.folder.glob("queue.sqlite*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def take_all(folder, results):
    store, taken = Store(folder), []
    while entry := store.take(None):
        taken.append(entry.id)
    results.put(taken)


def test_takers_at_the_same_time_never_get_the_same_entry(store):
    ids = fill(store, [str(i) for i in range(60)])
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    takers = [context.Process(target=take_all, args=(store.folder, results)) for _ in range(3)]
    for taker in takers:
        taker.start()
    taken = [results.get(timeout=60) for _ in takers]
    for taker in takers:
        taker.join()
    assert sorted(i for own in taken for i in own) == ids


def test_killed_in_the_middle_of_a_change_the_file_is_as_it_was(store):
    fill(store)
    code = """
import os, signal, sys
from pathlib import Path
from sign_recog.queue.store import Store
with Store(Path(sys.argv[1])).change() as run:
    run("UPDATE entries SET state = 'done'")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code, str(store.folder)], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    again = Store(store.folder)
    assert order(again) == list("abcd")
    assert sqlite3.connect(again.path).execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_file_of_another_version_is_refused(store):
    with sqlite3.connect(store.path) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(QueueError, match="another version"):
        Store(store.folder)


def test_removing_takes_the_log_along(store):
    fill(store, "a")
    store.take(None)
    store.log(1).parent.mkdir()
    store.log(1).touch()
    store.end(1, DONE)
    store.remove([1])
    assert states(store) == {} and not store.log(1).exists()
    assert list((store.folder / "logs").iterdir()) == []
