"""Whole corpora: what is skipped, what is listed, and what survives a killed worker or Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from extractor_fakes import FakeExtractor

from sign_recog.errors import DataError, SignRecogError
from sign_recog.extractors.pool import Job, extract_all
from sign_recog.storage.manifest import read_table
from sign_recog.storage.sequences import read_keypoints


def make_jobs(folder, **words):
    """One job a keyword: clip_id=content of its video."""
    jobs = []
    for clip_id, word in words.items():
        (folder / f"{clip_id}.mp4").write_text(word)
        jobs.append(Job(clip_id, folder / f"{clip_id}.mp4"))
    return jobs


def run(jobs, out_dir, *, num_workers=0, extractor=None, **settings):
    return extract_all(jobs, extractor or FakeExtractor(), out_dir, num_workers=num_workers, **settings)


def times(out_dir):
    return {path.name: path.stat().st_mtime_ns for path in out_dir.glob("**/*.npz")}


@pytest.mark.parametrize("num_workers", [0, 2])
def test_failures_are_listed_and_the_rest_goes_on(tmp_path, num_workers):
    jobs = make_jobs(tmp_path, a="fine", b="fail", c="crash", d="good enough")
    result = run([*jobs, Job("e/f", tmp_path / "a.mp4")], tmp_path / "out", num_workers=num_workers)
    assert result.failed == {"b": "b.mp4: shows\tnobody.", "c": "ZeroDivisionError: by zero"}
    assert (result.finished, result.skipped, result.num_frames) == (3, 0, len("fine") * 2 + len("good enough"))
    rows = read_table(tmp_path / "out" / "failed.tsv", ("clip_id", "reason", "time", "worker"))
    assert [(row["clip_id"], row["reason"]) for row in rows] == [
        ("b", "b.mp4: shows nobody."),
        ("c", "ZeroDivisionError: by zero"),
    ]
    assert read_keypoints(tmp_path / "out" / "d.npz").meta["clip_id"] == "d"
    assert len(read_keypoints(tmp_path / "out" / "e" / "f.npz").timestamps_ms) == 4
    assert json.loads((tmp_path / "out" / "extraction.json").read_text()) == FakeExtractor().description()


def test_workers_are_other_processes_and_share_the_clips(tmp_path):
    jobs = make_jobs(tmp_path, **{f"clip{i}": "sleep 0.4" for i in range(6)})
    assert run(jobs, tmp_path / "out", num_workers=2).finished == 6
    processes = [read_keypoints(tmp_path / "out" / f"clip{i}.npz").meta["process"] for i in range(6)]
    assert len(set(processes)) == 2
    assert os.getpid() not in processes


def test_finished_clips_are_skipped_and_others_are_not(tmp_path):
    jobs = make_jobs(tmp_path, same="one", changed="two", damaged="three", gone="four", failed="fail")
    out = tmp_path / "out"
    run(jobs, out)
    before = times(out)
    (tmp_path / "changed.mp4").write_text("two but longer")
    (tmp_path / "gone.mp4").unlink()
    (tmp_path / "failed.mp4").write_text("better")
    (out / "damaged.npz").write_bytes((out / "damaged.npz").read_bytes()[:-20])
    result = run(jobs, out)
    assert (result.finished, result.skipped, result.failed) == (3, 2, {})
    assert {name for name, at in times(out).items() if before.get(name) != at} == {
        "changed.npz",
        "damaged.npz",
        "failed.npz",
    }
    assert not (out / "failed.tsv").exists()
    assert len(read_keypoints(out / "damaged.npz").timestamps_ms) == len("three")


def test_a_clip_that_fails_now_leaves_no_file_of_before(tmp_path):
    jobs = make_jobs(tmp_path, a="fine", b="fine")
    run(jobs, tmp_path / "out")
    (tmp_path / "b.mp4").write_text("fail")
    assert set(run(jobs, tmp_path / "out").failed) == {"b"}
    assert set(times(tmp_path / "out")) == {"a.npz"}


def test_another_span_of_the_same_video_is_not_finished(tmp_path):
    (job,) = make_jobs(tmp_path, a="fine")
    run([job], tmp_path / "out")
    assert run([Job("a", job.video, 0.0, 2.0)], tmp_path / "out").finished == 1


def test_other_settings_in_the_same_folder_are_refused(tmp_path):
    jobs = make_jobs(tmp_path, a="fine")
    run(jobs, tmp_path / "out", extractor=FakeExtractor(threshold=0.5, smooth=True))
    before = times(tmp_path / "out")
    with pytest.raises(DataError, match=r"extraction\.json: .*extractor\.threshold was 0\.5, is now 0\.7\. .*delete"):
        run(jobs, tmp_path / "out", extractor=FakeExtractor(threshold=0.7, smooth=True))
    assert times(tmp_path / "out") == before


@pytest.mark.timeout(60)
def test_a_worker_that_dies_costs_its_clip_and_nothing_else(tmp_path):
    once = tmp_path / "tried"
    jobs = make_jobs(tmp_path, a="fine", b="die", c="fine", d=f"die-once {once}", e="abort", f="fine")
    result = run(jobs, tmp_path / "out", num_workers=2)
    assert result.finished == 4
    assert once.exists()
    assert set(result.failed) == {"b", "e"}
    assert "killed by SIGKILL" in result.failed["b"]
    assert "short of memory" in result.failed["b"]
    assert "killed by SIGABRT" in result.failed["e"]


@pytest.mark.timeout(60)
def test_workers_that_only_die_end_the_run(tmp_path):
    jobs = make_jobs(tmp_path, **{f"clip{i}": "die" for i in range(20)})
    with pytest.raises(SignRecogError, match="before one clip was done"):
        run(jobs, tmp_path / "out", num_workers=2)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_an_extractor_that_cannot_be_loaded_ends_the_run(tmp_path, num_workers):
    jobs = make_jobs(tmp_path, **{f"clip{i}": "unloadable" for i in range(4)})
    with pytest.raises(SignRecogError, match=r"libGL\.so\.1 is missing"):
        run(jobs, tmp_path / "out", num_workers=num_workers)
    assert not (tmp_path / "out" / "failed.tsv").exists()


def test_long_clips_come_first(tmp_path):
    jobs = make_jobs(tmp_path, short="a", long="a" * 50, middle="a" * 20)
    run(jobs, tmp_path / "out")
    assert sorted(times(tmp_path / "out"), key=times(tmp_path / "out").get) == ["long.npz", "middle.npz", "short.npz"]


def group_ends(group, within_s):
    """Whether nobody of a process group is left; Python's own resource tracker takes a moment."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


INTERRUPTED = """
import signal
import sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # a test runner in the background may pass on "ignore"
sys.path.insert(0, {tests!r})
from extractor_fakes import FakeExtractor
from sign_recog.extractors.pool import Job, extract_all
if __name__ == "__main__":
    folder = Path({folder!r})
    jobs = [Job(path.stem, path) for path in sorted(folder.glob("*.mp4"))]
    extract_all(jobs, FakeExtractor(), folder / "out", num_workers=2)
"""


@pytest.mark.timeout(60)
@pytest.mark.parametrize("whom", ["group", "parent"])
def test_ctrl_c_keeps_what_is_finished_and_leaves_no_process(tmp_path, whom):
    make_jobs(tmp_path, **{f"clip{i}": "sleep 0.3" for i in range(40)})
    script = tmp_path / "run.py"
    script.write_text(INTERRUPTED.format(tests=str(Path(__file__).parents[1]), folder=str(tmp_path)))
    process = subprocess.Popen([sys.executable, str(script)], start_new_session=True, stderr=subprocess.PIPE)
    try:
        while len(list((tmp_path / "out").glob("clip*.npz"))) < 3:
            assert process.poll() is None, process.stderr.read().decode()
            time.sleep(0.05)
        if whom == "group":
            os.killpg(process.pid, signal.SIGINT)
        else:
            process.send_signal(signal.SIGINT)
        error = process.communicate(timeout=15)[1].decode()
        assert group_ends(process.pid, within_s=5)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode != 0
    assert error.count("Traceback") == 1  # the parent's KeyboardInterrupt; workers end silently
    files = [path for path in (tmp_path / "out").iterdir() if path.name not in ("extraction.json", ".progress")]
    assert 3 <= len(files) < 40
    for path in files:
        assert read_keypoints(path).meta["clip_id"] == path.stem
