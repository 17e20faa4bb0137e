"""Several workers on one folder, of which any may die; disks that fill up; files that are cut."""

import errno
import itertools
import json
import logging
import os
import random
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from small_extraction import Drawn, extract_all, files, intervals, jobs_in, run_jobs, write_videos

from sign_recog.errors import DataError, SignRecogError
from sign_recog.extractors import jobs as jobs_module
from sign_recog.extractors import pool
from sign_recog.storage import claims, ledger
from sign_recog.storage.ledger import FOLDER, STALE_S
from sign_recog.storage.manifest import read_table
from sign_recog.storage.sequences import read_keypoints, write_keypoints

SCRIPT = Path(__file__).parents[1] / "small_extraction.py"


class Folder:
    """Videos, the folder of their keypoints, and commands on them."""

    def __init__(self, root):
        self.videos, self.out, self.notes = root / "videos", root / "out", root / "notes.tsv"

    def run(self, *, only_failed=False, num_workers=0, **options):
        done = extract_all(
            jobs_in(self.videos),
            Drawn(self.notes, **options),
            self.out,
            num_workers=num_workers,
            only_failed=only_failed,
        )
        return done

    def start(self, *wait, num_workers=0, shard=0, num_shards=1):
        numbers = map(str, (num_workers, shard, num_shards))
        command = [sys.executable, str(SCRIPT), str(self.videos), str(self.out), str(self.notes), *numbers, *wait]
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        process = subprocess.Popen(command, text=True, env=os.environ | {"PYTHONPATH": str(SCRIPT.parents[1])}, **pipes)
        return process

    def times_begun(self):
        return {clip: len(own) for clip, own in intervals(self.notes).items()}


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def finish(process):
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return json.loads(out.splitlines()[-1]), err


def wait_until(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never became so"
        time.sleep(0.01)


def half_written(out):
    return [path.name for path in out.rglob("*") if ".partial" in path.name]


def of_far_away(path, age_s):
    """Make a dead worker's ledger that of another machine, touched so long ago."""
    text = path.read_text().replace('"machine":"', '"machine":"far ')
    path.write_text(text)
    os.utime(path, (time.time() - age_s,) * 2)


def test_workers_on_one_folder_do_each_clip_once_and_all_go_on_with_every_clip(folder):
    write_videos(folder.videos, **{f"c{i}": "0.05" for i in range(30)}, bad="fail")
    workers = [folder.start("wait", num_workers=n) for n in (0, 0, 2)]
    assert [worker.stdout.readline() for worker in workers] == ["ready\n"] * 3
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    done = [finish(worker)[0] for worker in workers]
    assert set(folder.times_begun().values()) == {1}
    assert sum(one["finished"] for one in done) == 30
    assert all(one["finished"] + one["by_others"] == 30 and set(one["failed"]) == {"bad"} for one in done)
    assert sorted(files(folder.out)) == sorted(["extraction.json", "failed.tsv", *(f"c{i}.npz" for i in range(30))])


def test_two_shards_on_one_folder_do_each_clip_once_and_wait_for_none_but_their_own(folder):
    write_videos(folder.videos, **{f"c{i}": "0.02" for i in range(20)})
    done = [finish(worker)[0] for worker in [folder.start(shard=i, num_shards=2) for i in (0, 1)]]
    assert folder.times_begun() == {f"c{i}": 1 for i in range(20)}
    assert [(one["finished"], one["by_others"]) for one in done] == [(10, 0), (10, 0)]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("num_workers", [0, 1])
def test_what_a_killed_worker_held_is_taken_over_by_one_that_waited_for_it(folder, num_workers):
    write_videos(folder.videos, long="3", **{f"c{i}": "0.02" for i in range(5)})
    (folder.videos / "long.mp4").write_text("3" + " " * 50)  # the longest comes first
    first = folder.start(num_workers=num_workers)
    wait_until(lambda: folder.notes.exists() and "long" in folder.notes.read_text())
    second = folder.start()
    wait_until(lambda: "waiting" in (line := second.stderr.readline()) or "waiting" in line)
    killed_at = time.monotonic()
    first.kill()
    first.communicate()
    (folder.videos / "long.mp4").write_text("0.1" + " " * 48)
    done, _ = finish(second)
    assert done["finished"] + done["by_others"] == 6
    begun = intervals(folder.notes)["long"]
    assert len(begun) == 2 and begun[0][1] is None and begun[1][0] >= killed_at
    assert half_written(folder.out) == []


def test_a_worker_on_another_machine_is_given_two_minutes(folder, monkeypatch, caplog):
    write_videos(folder.videos, a="0", b="0")
    worker = folder.start()
    finish(worker)
    (folder.out / "a.npz").unlink()
    (path,) = (folder.out / FOLDER).glob("*.jsonl")
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:1]))  # it only says who it is
    own = claims.Claims(folder.out, ledger.Ledgers(folder.out), ledger.Ledger(folder.out, "s"))
    claim = own._first("a")
    claim.write_text(json.dumps({"worker": path.stem, "clip": "a"}))
    own._ledger.close()
    of_far_away(path, age_s=STALE_S - 2)
    monkeypatch.setattr(jobs_module, "_LOOK_S", 0.1)
    caplog.set_level(logging.INFO)
    started = time.monotonic()
    done = folder.run()
    assert (done.finished, done.skipped) == (1, 1) and 1 < time.monotonic() - started < 20
    said = [message for message in caplog.messages if "others extract" in message]
    assert said == [f"waiting for 1 clip, which others extract ({path.stem})"]


def test_a_worker_that_was_suspended_leaves_alone_what_its_successor_made(folder):
    write_videos(folder.videos, a="0")

    def work(todo, at_most):
        job = next(todo)
        (own,) = (folder.out / FOLDER).glob("*.jsonl")
        of_far_away(own, age_s=STALE_S + 5)  # as others see a process that a scheduler or a file server has stopped
        assert folder.run().finished == 1
        yield job, jobs_module.Outcome(error="FileNotFoundError: its half-written file")

    done = run_jobs(jobs_in(folder.videos), Drawn().description(), folder.out, read_keypoints, work)
    assert (done.finished, done.by_others, done.failed) == (0, 1, {})
    assert len(read_keypoints(folder.out / "a.npz").timestamps_ms) and not (folder.out / "failed.tsv").exists()
    assert folder.run().skipped == 1


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[]", b'{"options": 3}', b"\0" * 40, b""])
def test_settings_that_cannot_be_read_are_told_with_the_remedy(folder, content):
    write_videos(folder.videos, a="0")
    folder.run()
    (folder.out / "extraction.json").write_bytes(content)
    with pytest.raises(DataError, match=r"extraction\.json: is damaged .* Delete it and run the command again"):
        folder.run()
    (folder.out / "extraction.json").unlink()
    assert folder.run().skipped == 1


def test_a_clip_that_fails_in_a_living_worker_is_not_tried_by_the_others_too(folder, monkeypatch):
    write_videos(folder.videos, bad="fail", **{f"c{i}": "0.3" for i in range(6)})
    first = folder.start()
    wait_until(lambda: folder.notes.exists() and "bad" in folder.notes.read_text())
    time.sleep(0.1)
    second, _ = finish(folder.start())
    finish(first)
    assert folder.times_begun()["bad"] == 1 and set(second["failed"]) == {"bad"}


def test_finished_files_are_not_opened_again_until_they_change(folder, monkeypatch):
    write_videos(folder.videos, a="0", b="0", c="0")
    folder.run()
    opened = []
    monkeypatch.setattr(pool, "read_keypoints", lambda path: opened.append(path.stem) or read_keypoints(path))
    assert folder.run().skipped == 3 and opened == []
    path = folder.out / "a.npz"
    path.write_bytes(path.read_bytes()[:-20])
    os.utime(folder.out / "b.npz", (1, 1))
    os.utime(folder.videos / "c.mp4", (1, 1))
    done = folder.run()
    assert (done.finished, done.skipped) == (1, 2) and sorted(opened) == ["a", "b", "c"]
    assert folder.run().skipped == 3 and len(opened) == 3  # what was found out is remembered
    assert len(list((folder.out / FOLDER).glob("*.jsonl"))) == 2  # a command that only looked leaves nothing


@pytest.mark.parametrize("ledgers", [True, False])
def test_a_clip_whose_span_has_changed_is_extracted_again(folder, ledgers):
    write_videos(folder.videos, a="0")
    (job,) = jobs_in(folder.videos)
    for number, span in enumerate([{}, {"start_s": 0.5}, {"start_s": 0.5, "end_s": 2.0}]):
        changed = replace(job, **span)
        for finished in (1, 0):
            done = extract_all([changed], Drawn(folder.notes), folder.out, num_workers=0)
            assert (done.finished, done.skipped) == (finished, 1 - finished)
            if not ledgers:
                shutil.rmtree(folder.out / FOLDER)
        assert folder.times_begun()["a"] == number + 1


def test_a_cut_file_is_extracted_again_whole(folder):
    write_videos(folder.videos, a="0", b="0")
    folder.run()
    before = files(folder.out)
    for cut in (1, 100, len(before["a.npz"])):
        (folder.out / "a.npz").write_bytes(before["a.npz"][:-cut])
        assert folder.run().finished == 1
        assert files(folder.out) == before


def test_files_from_before_there_were_ledgers_stay_and_are_looked_at_once(folder, monkeypatch):
    write_videos(folder.videos, a="0", b="0")
    folder.run()
    before = {path: path.stat().st_mtime_ns for path in folder.out.glob("*.npz")}
    shutil.rmtree(folder.out / FOLDER)
    opened = []
    monkeypatch.setattr(pool, "read_keypoints", lambda path: opened.append(path.stem) or read_keypoints(path))
    assert (folder.run().skipped, folder.run().skipped, sorted(opened)) == (2, 2, ["a", "b"])
    assert {path: path.stat().st_mtime_ns for path in folder.out.glob("*.npz")} == before


def test_files_whose_videos_are_gone_stand_and_are_looked_at_once(folder, monkeypatch):
    write_videos(folder.videos, a="0")
    jobs = jobs_in(folder.videos)
    extract_all(jobs, Drawn(), folder.out, num_workers=0)
    (folder.videos / "a.mp4").unlink()
    opened = []
    monkeypatch.setattr(pool, "read_keypoints", lambda path: opened.append(path.stem) or read_keypoints(path))
    assert [extract_all(jobs, Drawn(), folder.out, num_workers=0).skipped for _ in range(3)] == [1, 1, 1]
    assert opened == ["a"]


def test_other_settings_are_refused_also_while_another_worker_only_begins(folder):
    write_videos(folder.videos, a="2")
    process = folder.start()
    wait_until(lambda: folder.notes.exists())
    with pytest.raises(DataError, match=rf"process {process.pid} on .* with other settings"):
        folder.run(threshold=0.5)
    finish(process)
    before = files(folder.out)
    with pytest.raises(DataError, match=r"extractor\.threshold was None, is now 0\.5"):
        folder.run(threshold=0.5)
    assert files(folder.out) == before


def test_the_latest_word_decides_which_clips_are_listed_as_failed_and_retried(folder):
    write_videos(folder.videos, a="fail", b="fail", c="0")
    assert set(folder.run().failed) == {"a", "b"}
    (folder.videos / "a.mp4").write_text("0")
    (folder.videos / "c.mp4").write_text("0 changed")
    write_videos(folder.videos, new="0")
    folder.notes.unlink()
    done = folder.run(only_failed=True)
    assert (done.finished, done.skipped, set(done.failed)) == (1, 0, {"b"})
    assert set(folder.times_begun()) == {"a", "b"}
    rows = read_table(folder.out / "failed.tsv", ("clip_id", "reason", "time", "worker"))
    assert [(row["clip_id"], row["reason"]) for row in rows] == [("b", "b.mp4: shows nobody.")]
    (folder.videos / "b.mp4").write_text("0")
    assert folder.run().finished == 3  # b, c, new
    assert not (folder.out / "failed.tsv").exists()
    assert folder.run(only_failed=True).finished == 0


@pytest.mark.parametrize("at", ["file", "claim", "ledger"])
@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_full_disk_ends_the_run_with_one_error_and_the_repeated_command_goes_on(folder, monkeypatch, at, num_workers):
    if num_workers and at == "file":
        pytest.skip("a patched writer does not reach another process; the tmpfs test covers it")
    write_videos(folder.videos, **{f"c{i}": "0" for i in range(4)})
    undisturbed = folder.run().finished
    expected = files(folder.out)
    shutil.rmtree(folder.out)
    calls = []

    def full(path):
        calls.append(path)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    if at == "file":
        real = write_keypoints
        monkeypatch.setattr(pool, "write_keypoints", lambda path, sequence: full(path) or real(path, sequence))
    elif at == "claim":
        create = claims.Claims._create
        monkeypatch.setattr(claims.Claims, "_create", lambda self, path, clip: full(path) or create(self, path, clip))
    else:
        append = ledger.Ledger._append
        monkeypatch.setattr(ledger.Ledger, "_append", lambda self, line: full(self.path) or append(self, line))
    with pytest.raises(SignRecogError, match=r"cannot be written \(No space left on device\)\. Make room") as caught:
        folder.run(num_workers=num_workers)
    assert not isinstance(caught.value, DataError) and str(folder.out) in str(caught.value)
    assert half_written(folder.out) == [] and not (folder.out / "failed.tsv").exists()
    assert list((folder.out / FOLDER / claims.CLAIMS).iterdir()) == []
    monkeypatch.undo()
    again = folder.run()
    assert again.finished + again.skipped == undisturbed == 4 and again.failed == {}
    assert files(folder.out) == expected


@contextmanager
def small_disk(path, size):
    """A tmpfs; skips where this user may mount none."""
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


@pytest.mark.skipif(sys.platform != "linux" or os.getuid() != 0, reason="only root may mount a small tmpfs")
@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_disk_that_really_fills_up(tmp_path, num_workers):
    folder = Folder(tmp_path)
    write_videos(folder.videos, **{f"c{i:02}": "0" for i in range(60)})
    with small_disk(tmp_path / "disk", "96k"):
        folder.out = tmp_path / "disk" / "out"
        with pytest.raises(SignRecogError, match="No space left on device"):
            folder.run(num_workers=num_workers)
        done = sorted(folder.out.glob("*.npz"))
        assert 0 < len(done) < 60 and half_written(folder.out) == []
        assert all(len(read_keypoints(path).timestamps_ms) for path in done)
        subprocess.run(["mount", "-o", "remount,size=8m", str(tmp_path / "disk")], check=True)
        again = folder.run(num_workers=num_workers)
        assert (again.finished + again.skipped, again.failed) == (60, {})
        assert again.skipped >= len(done) - 1  # the last one's line may not have fitted


def test_spaces_unicode_and_two_hundred_letters_are_names_like_others(tmp_path):
    jobs = []
    for number, name in enumerate(["a b c", "ж/é清", "x" * 200, "清" * 66, "a.b.c", "s/" * 20 + "deep"]):
        (tmp_path / f"{number}.mp4").write_text("0")
        jobs.append(jobs_module.Job(name, tmp_path / f"{number}.mp4"))
    for finished in (6, 0):
        done = extract_all(jobs, Drawn(), tmp_path / "out", num_workers=0)
        assert (done.finished, done.skipped, done.failed) == (finished, 6 - finished, {})
    (tmp_path / "2.mp4").write_text("fail")
    assert set(extract_all(jobs, Drawn(), tmp_path / "out", num_workers=0).failed) == {"x" * 200}


def test_half_written_files_of_other_clips_are_left_to_their_writers(folder):
    write_videos(folder.videos, a="0")
    folder.out.mkdir()
    dead = claims.Claims(folder.out, ledger.Ledgers(folder.out), ledger.Ledger(folder.out, "s"))
    assert dead.take("a") is None
    dead._ledger._closed.set()
    of_far_away(dead._ledger.path, age_s=STALE_S + 5)
    (folder.out / ".a-0123abc_.partial.npz").touch()
    (folder.out / ".a-b-0123abcd.partial.npz").touch()
    assert folder.run().finished == 1
    assert half_written(folder.out) == [".a-b-0123abcd.partial.npz"]


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_eight_shards_of_which_three_are_killed_end_after_one_repeat_in_the_files_of_an_undisturbed_one(tmp_path):
    folder, rng = Folder(tmp_path), random.Random()
    write_videos(folder.videos, **{f"c{i:03}": f"{0.02 + 0.1 * (i % 5)}" for i in range(64)}, bad="fail")
    workers = [folder.start(shard=i, num_shards=8) for i in range(8)]
    wait_until(lambda: len(list(folder.out.glob("*.npz"))) > 2)
    killed = {}
    for worker in rng.sample(workers, 3):
        time.sleep(rng.random() / 3)
        worker.kill()
        killed[worker.pid] = time.monotonic()
    for worker in workers:
        worker.communicate(timeout=60)
    assert sorted(worker.returncode for worker in workers) == [-9, -9, -9, 0, 0, 0, 0, 0]
    assert len(list(folder.out.glob("*.npz"))) < 64  # the three had work left
    for worker in [folder.start(shard=i, num_shards=8) for i in range(8)]:
        finish(worker)
    for own in intervals(folder.notes).values():
        for (_, end, process), (begin, _, _) in itertools.pairwise(own):
            assert begin >= (killed[process] if end is None and process in killed else end or 0.0)
    extract_all(jobs_in(folder.videos), Drawn(), tmp_path / "undisturbed", num_workers=0)
    expected, found = files(tmp_path / "undisturbed"), files(folder.out)
    for table in (expected, found):
        assert b"\nbad\tbad.mp4: shows nobody.\t" in table.pop("failed.tsv")  # and when, and whose it was
    assert list(found) == list(expected) and found == expected and len(found) == 65
