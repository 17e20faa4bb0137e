"""Features of a whole corpus: what is skipped, listed, and survives a kill."""

import json
import multiprocessing
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
from sign_recog.extractors import batched
from sign_recog.extractors.batched import extract_all
from sign_recog.extractors.jobs import Job
from sign_recog.storage.features import read_features, write_features
from sign_recog.storage.manifest import read_table
from sign_recog.video.transforms import HorizontalFlip, RandAugment
from sign_recog.video.writer import write_video


@pytest.fixture
def jobs(tmp_path):
    """Five clips of 3 frames."""
    (tmp_path / "videos").mkdir()
    rng = np.random.default_rng(0)
    for name in "abcde":
        write_video(tmp_path / "videos" / f"{name}.mp4", rng.integers(0, 256, (3, 16, 16, 3), np.uint8), 10)
    return [Job(f"clips/{name}", tmp_path / "videos" / f"{name}.mp4") for name in "abcde"]


def run(jobs, out, extractor=None, num_workers=0):
    return extract_all(jobs, extractor or ColourExtractor(), out, num_workers=num_workers)


def times(out):
    return {path.stem: path.stat().st_mtime_ns for path in out.rglob("*.npz") if path.name[0] != "."}


@pytest.mark.parametrize("num_workers", [0, 2, None])
def test_s1_features_are_batched_and_resumable(tmp_path, jobs, num_workers):
    first = ColourExtractor(batch_size=4)
    result = run(jobs[:3], tmp_path / "out", first, num_workers)
    assert (result.finished, result.skipped, result.failed, result.num_frames) == (3, 0, {}, 9)
    assert first.batch_sizes == [4, 4, 1]  # 9 frames of 3 clips
    before = times(tmp_path / "out")
    second = ColourExtractor(batch_size=4)
    result = run(jobs, tmp_path / "out", second, num_workers)
    assert (result.finished, result.skipped, second.batch_sizes) == (2, 3, [4, 2])
    assert {name: times(tmp_path / "out")[name] for name in before} == before
    assert (read_features(tmp_path / "out/clips/a.npz").meta["clip_id"]) == "clips/a"
    assert json.loads((tmp_path / "out" / "extraction.json").read_text()) == first.description()


def test_nothing_is_loaded_where_nothing_is_to_do(tmp_path, jobs):
    run(jobs, tmp_path / "out")
    extractor = ColourExtractor()
    assert run(jobs, tmp_path / "out", extractor).skipped == 5
    assert not extractor._loaded


def test_a_corrupted_clip_is_recorded_and_the_rest_goes_on(tmp_path, jobs):
    jobs[1].video.write_bytes(jobs[1].video.read_bytes()[:700])
    jobs[3].video.unlink()
    result = run(jobs, tmp_path / "out")
    assert (result.finished, set(result.failed)) == (3, {"clips/b", "clips/d"})
    rows = read_table(tmp_path / "out" / "failed.tsv", ("clip_id", "reason"))
    assert [row["clip_id"] for row in rows] == ["clips/b", "clips/d"]
    assert "no such video" in rows[1]["reason"]
    assert set(times(tmp_path / "out")) == {"a", "c", "e"}


def test_a_video_that_stops_half_way_leaves_its_reason_and_no_file(tmp_path, jobs):
    rng = np.random.default_rng(0)
    write_video(tmp_path / "long.mp4", rng.integers(0, 256, (60, 48, 64, 3), np.uint8), 25)
    jobs[2].video.write_bytes((tmp_path / "long.mp4").read_bytes()[: (tmp_path / "long.mp4").stat().st_size // 2])
    for num_workers in (0, 1):
        out = tmp_path / str(num_workers)
        result = run(jobs, out, ColourExtractor(batch_size=2), num_workers)
        assert (result.finished, set(result.failed), set(times(out))) == (4, {"clips/c"}, set("abde"))
        assert str(jobs[2].video) in result.failed["clips/c"]


def test_a_file_that_cannot_be_written_costs_its_clip(tmp_path, jobs, monkeypatch):
    def write(path, sequence):
        if path.stem == "c":
            raise FileNotFoundError(2, "No such file or directory", str(path))
        write_features(path, sequence)

    monkeypatch.setattr(batched, "write_features", write)
    result = run(jobs, tmp_path / "out")
    assert result.finished == 4 and list(result.failed) == ["clips/c"] and "No such file" in result.failed["clips/c"]


def test_s3_finished_files_are_left_as_they_are_and_a_bad_video_costs_itself(tmp_path, jobs):
    jobs[0].video.write_bytes(b"no video")
    run(jobs, tmp_path / "out")
    before = times(tmp_path / "out")
    result = run(jobs, tmp_path / "out")
    assert (result.finished, result.skipped, set(result.failed)) == (0, 4, {"clips/a"})
    assert times(tmp_path / "out") == before and set(before) == set("bcde")


def test_killed_decode_workers_cost_no_clip(tmp_path, jobs):
    rng = np.random.default_rng(0)
    for job in jobs:
        write_video(job.video, rng.integers(0, 256, (200, 16, 16, 3), np.uint8), 25)
    run(jobs, tmp_path / "undisturbed")
    killed = []

    class Killing(ColourExtractor):
        def forward(self, network, frames, num_padding):
            (worker, *_) = multiprocessing.active_children()
            if len(self.batch_sizes) in (2, 40):  # in the first clip, and a later one
                os.kill(worker.pid, signal.SIGKILL)
                killed.append(worker.pid)
            return super().forward(network, frames, num_padding)

    result = run(jobs, tmp_path / "out", Killing(batch_size=16), 1)
    assert len(set(killed)) == 2 and (result.finished, result.failed) == (5, {})
    for job in jobs:
        ours, theirs = (read_features(job.output(tmp_path / name)) for name in ("out", "undisturbed"))
        np.testing.assert_allclose(ours.features, theirs.features, rtol=1e-5)
        assert ours.meta == theirs.meta | {name: ours.meta[name] for name in ("extractor", "extraction")}


def test_copies_are_extractions_of_their_own(tmp_path, jobs):
    changes = [HorizontalFlip(p=0.5), RandAugment(num_ops=2, magnitude=9)]
    plain = ColourExtractor()
    for copy in (1, 2):
        assert run(jobs, tmp_path / str(copy), plain.augmented(copy, changes, 7)).finished == 5
    with pytest.raises(DataError, match=r"augmentation"):
        run(jobs, tmp_path / "1", plain.augmented(2, changes, 7))
    assert run(jobs, tmp_path / "1", ColourExtractor().augmented(1, changes, 7)).skipped == 5


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
    with pytest.raises(DataError, match=r"extractor\.target_fps was None, is now 5"):
        run(jobs, tmp_path / "out", ColourExtractor(target_fps=5))
    torch.save(torch.nn.Linear(3, 3).state_dict(), tmp_path / "w.pth")
    with pytest.raises(DataError, match=r"extractor\.weights was random, not pretrained: .*, is now blake2b-"):
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
if __name__ == "__main__":
    jobs = [Job(f"clips/{{path.stem}}", path) for path in sorted(Path({videos!r}).glob("*.mp4"))]
    extract_all(jobs, ColourExtractor(batch_size=2, seconds=0.05), Path({out!r}), num_workers=2)
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
def test_ctrl_c_ends_the_workers_and_keeps_what_is_finished(tmp_path, jobs):
    process = start(tmp_path, {"start_new_session": True})
    while not times(tmp_path / "killed"):
        assert process.poll() is None, process.stderr.read().decode()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    error = process.communicate(timeout=15)[1].decode()
    assert process.returncode != 0 and error.count("Traceback") == 1
    kept = len(times(tmp_path / "killed"))
    assert f"Extraction was stopped. {tmp_path / 'killed'} holds {kept} of 5 clips; the same command goes on" in error
    assert not list((tmp_path / "killed").rglob("*.partial*"))
