"""Features of a whole corpus: what is skipped, listed, and survives a kill."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from extractor_fakes import ColourExtractor

from sign_recog.errors import CheckpointError, DataError
from sign_recog.extractors.batched import extract_all
from sign_recog.extractors.jobs import Job
from sign_recog.storage.features import read_features
from sign_recog.storage.manifest import read_table
from sign_recog.video.writer import write_video


@pytest.fixture
def jobs(tmp_path):
    """Five clips of 3 frames."""
    (tmp_path / "videos").mkdir()
    rng = np.random.default_rng(0)
    for name in "abcde":
        write_video(tmp_path / "videos" / f"{name}.mp4", rng.integers(0, 256, (3, 16, 16, 3), np.uint8), 10)
    return [Job(f"clips/{name}", tmp_path / "videos" / f"{name}.mp4") for name in "abcde"]


def run(jobs, out, extractor=None, num_threads=2, failed_name="failed.tsv"):
    return extract_all(jobs, extractor or ColourExtractor(), out, num_threads=num_threads, failed_name=failed_name)


def times(out):
    return {path.stem: path.stat().st_mtime_ns for path in out.rglob("*.npz")}


@pytest.mark.parametrize("num_threads", [0, 2, None])
def test_s1_features_are_batched_and_resumable(tmp_path, jobs, num_threads):
    first = ColourExtractor(batch_size=4)
    result = run(jobs[:3], tmp_path / "out", first, num_threads)
    assert (result.finished, result.skipped, result.failed, result.num_frames) == (3, 0, {}, 9)
    assert first.batch_sizes == [4, 4, 1]  # 9 frames of 3 clips
    before = times(tmp_path / "out")
    second = ColourExtractor(batch_size=4)
    result = run(jobs, tmp_path / "out", second, num_threads)
    assert (result.finished, result.skipped, second.batch_sizes) == (2, 3, [4, 2])
    assert {name: times(tmp_path / "out")[name] for name in before} == before
    assert (read_features(tmp_path / "out/clips/a.npz").meta["clip_id"]) == "clips/a"
    assert json.loads((tmp_path / "out" / "extraction.json").read_text()) == first.description()


def test_nothing_is_loaded_where_nothing_is_to_do(tmp_path, jobs):
    run(jobs, tmp_path / "out")
    extractor = ColourExtractor()
    assert run(jobs, tmp_path / "out", extractor).skipped == 5
    assert extractor._loaded is None


def test_a_corrupted_clip_is_recorded_and_the_rest_goes_on(tmp_path, jobs):
    jobs[1].video.write_bytes(jobs[1].video.read_bytes()[:700])
    jobs[3].video.unlink()
    result = run(jobs, tmp_path / "out")
    assert (result.finished, set(result.failed)) == (3, {"clips/b", "clips/d"})
    rows = read_table(tmp_path / "out" / "failed.tsv", ("clip_id", "reason"))
    assert [row["clip_id"] for row in rows] == ["clips/b", "clips/d"]
    assert "no such video" in rows[1]["reason"]
    assert set(times(tmp_path / "out")) == {"a", "c", "e"}


def test_changed_videos_and_damaged_files_are_extracted_again(tmp_path, jobs):
    run(jobs, tmp_path / "out")
    jobs[0].video.write_bytes(jobs[1].video.read_bytes())
    damaged = jobs[2].output(tmp_path / "out")
    damaged.write_bytes(damaged.read_bytes()[:-20])
    before = times(tmp_path / "out")
    assert run(jobs, tmp_path / "out").finished == 2
    assert {name for name, at in times(tmp_path / "out").items() if before[name] != at} == {"a", "c"}


def test_other_settings_or_weights_in_the_same_folder_are_refused(tmp_path, jobs):
    run(jobs, tmp_path / "out")
    with pytest.raises(DataError, match=r"options\.target_fps was None, is now 5"):
        run(jobs, tmp_path / "out", ColourExtractor(target_fps=5))
    torch.save(torch.nn.Linear(3, 3).state_dict(), tmp_path / "w.pth")
    with pytest.raises(DataError, match=r"weights was random, not pretrained: .*, is now blake2b-"):
        run(jobs, tmp_path / "out", ColourExtractor(weights=str(tmp_path / "w.pth")))


def test_weights_that_do_not_fit_end_the_run_and_leave_the_folder_to_others(tmp_path, jobs):
    torch.save({"other": torch.zeros(3)}, tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match="2 missing: weight, bias; 1 unexpected: other"):
        run(jobs, tmp_path / "out", ColourExtractor(weights=str(tmp_path / "w.pth")))
    assert run(jobs, tmp_path / "out").finished == 5


KILLED = """
import signal
import sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # a test runner in the background may pass on "ignore"
sys.path.insert(0, {tests!r})
from extractor_fakes import ColourExtractor
from sign_recog.extractors.batched import extract_all
from sign_recog.extractors.jobs import Job
jobs = [Job(f"clips/{{path.stem}}", path) for path in sorted(Path({videos!r}).glob("*.mp4"))]
extract_all(jobs, ColourExtractor(batch_size=2, seconds=0.05), Path({out!r}), num_threads=2, failed_name="failed.tsv")
"""


def start(tmp_path, how):
    script = tmp_path / "run.py"
    settings = {"videos": str(tmp_path / "videos"), "out": str(tmp_path / "killed")}
    script.write_text(KILLED.format(tests=str(Path(__file__).parents[1]), **settings))
    return subprocess.Popen([sys.executable, str(script)], stderr=subprocess.PIPE, **how)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_killed_at_random_moments_and_repeated_it_ends_in_the_same_files(tmp_path, jobs):
    for number, job in enumerate(jobs):
        for copy in range(3):
            (job.video.parent / f"{number}{copy}.mp4").write_bytes(job.video.read_bytes())
    everything = [Job(f"clips/{path.stem}", path) for path in sorted((tmp_path / "videos").glob("*.mp4"))]
    run(everything, tmp_path / "undisturbed")
    rng = random.Random(0)
    for kill in range(2):
        process, seen = start(tmp_path, {}), len(times(tmp_path / "killed"))
        while process.poll() is None and len(times(tmp_path / "killed")) <= seen:
            time.sleep(0.01)
        assert process.poll() is None, process.communicate()[1].decode()
        time.sleep(0.2 * rng.random())
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        assert seen < len(times(tmp_path / "killed")) < len(everything), f"kill {kill} came too late"
    for path in (tmp_path / "killed").rglob("*.npz"):
        read_features(path)  # whole
    assert start(tmp_path, {}).communicate() and len(times(tmp_path / "undisturbed")) == 20
    for job in everything:
        ours, theirs = (read_features(job.output(tmp_path / name)) for name in ("killed", "undisturbed"))
        np.testing.assert_allclose(ours.features, theirs.features, rtol=1e-5)
        assert ours.meta == theirs.meta


@pytest.mark.timeout(60)
def test_ctrl_c_ends_the_threads_and_keeps_what_is_finished(tmp_path, jobs):
    process = start(tmp_path, {"start_new_session": True})
    while not times(tmp_path / "killed"):
        assert process.poll() is None, process.stderr.read().decode()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    error = process.communicate(timeout=15)[1].decode()
    assert process.returncode != 0 and error.count("Traceback") == 1
    assert not list((tmp_path / "killed").rglob("*.partial*"))
