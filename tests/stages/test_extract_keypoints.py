"""run=extract_keypoints on good and bad videos; run=validate says what is wrong with them."""

import csv
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
from conftest import load_config

from sign_recog import stages
from sign_recog.corpora import synthetic
from sign_recog.errors import DataError
from sign_recog.storage.sequences import read_keypoints
from sign_recog.video.writer import write_video

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory) -> list[Path]:
    """Six clips of about 20 frames, of people MediaPipe sees."""
    pytest.importorskip("cv2", reason="OpenCV cannot be loaded; see the README on libGL", exc_type=ImportError)
    folder = tmp_path_factory.mktemp("rendered")
    settings = {"num_glosses": 2, "takes_per_gloss": 1, "image_size": 160, "seed": 3, "num_workers": 0}
    corpus = synthetic.read(None, folder, num_signers={"train": 1, "val": 1, "test": 1}, **settings)
    return [folder / "clips" / clip.video for clip in corpus.clips]


@pytest.fixture
def originals(tmp_path, rendered) -> Path:
    """Two good videos, one of a single frame, and every kind of bad one."""
    folder = tmp_path / "originals"
    for gloss, source in (("a", rendered[0]), ("b", rendered[1])):
        (folder / gloss).mkdir(parents=True)
        (folder / gloss / "good.mp4").write_bytes(source.read_bytes())
    whole = rendered[0].read_bytes()
    (folder / "a" / "empty.mp4").write_bytes(b"")
    (folder / "a" / "text.mp4").write_text("not a video")
    (folder / "a" / "truncated.mp4").write_bytes(whole[: len(whole) // 2])
    write_video(folder / "b" / "nobody.mp4", [np.full((160, 160, 3), 90, np.uint8)] * 5, 10)
    from sign_recog.video.reader import read_frames

    first = next(iter(read_frames(rendered[1]))).image
    write_video(folder / "b" / "one_frame.mp4", [first], 10)
    return folder


def settings(tmp_path: Path, source: Path, *overrides: str) -> list[str]:
    return [
        "data=manifest", f"data.source={source}", "data.name=own", "data.split.strategy=random",
        "data.split.val_share=0.3", "data.split.test_share=0.3", f"paths.data_root={tmp_path / 'data'}",
        f"paths.output_root={tmp_path / 'outputs'}", *overrides,
    ]  # fmt: skip


def table(path: Path) -> dict[str, str]:
    with path.open() as file:
        return {row["clip_id"]: row["reason"] for row in csv.DictReader(file, delimiter="\t")}


def test_s0_bad_videos_are_listed_with_their_reasons_and_the_rest_is_extracted(tmp_path, originals):
    own = settings(tmp_path, originals)
    stages.run(load_config(*own, "run=prepare"))
    extract = load_config(*own, "run=extract_keypoints", "run.num_workers=2", "run.max_failed_share=1")
    summary = stages.run(extract).summary
    assert (summary["extracted now"], summary["failed"]) == (3, 4)
    folder = tmp_path / "data/own/keypoints/mediapipe_holistic"
    reasons = table(folder / "failed.tsv")
    assert set(reasons) == {"a/empty", "a/text", "a/truncated", "b/nobody"}
    assert "no person was detected in 5 frames" in reasons["b/nobody"]
    assert len(read_keypoints(folder / "b/one_frame.npz").keypoints) == 1
    assert json.loads((folder / "quality.json").read_text())["num_clips"] == 3
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*.npz")}
    assert stages.run(extract).summary["finished before"] == 3
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*.npz")} == before


def test_too_many_failures_end_with_an_error_that_keeps_what_is_done(tmp_path, originals):
    own = settings(tmp_path, originals)
    stages.run(load_config(*own, "run=prepare"))
    with pytest.raises(DataError, match=r"4 of 7 clips failed, more than run.max_failed_share=0.1"):
        stages.run(load_config(*own, "run=extract_keypoints", "run.num_workers=0"))
    assert len(list((tmp_path / "data/own/keypoints").rglob("*.npz"))) == 3


def test_other_extractor_settings_are_refused_not_mixed(tmp_path, originals):
    own = settings(tmp_path, originals, "run.max_failed_share=1", "run.num_workers=0")
    stages.run(load_config(*settings(tmp_path, originals), "run=prepare"))
    stages.run(load_config(*own, "run=extract_keypoints"))
    with pytest.raises(DataError, match="target_fps"):
        stages.run(load_config(*own, "run=extract_keypoints", "extractor.target_fps=5"))


def test_validate_names_every_bad_clip(tmp_path, originals):
    own = settings(tmp_path, originals)
    stages.run(load_config(*own, "run=prepare"))
    with pytest.raises(DataError, match=r"problems.tsv"):
        stages.run(load_config(*own, "run=validate"))
    text = next((tmp_path / "data/own/manifests").glob("*/problems.tsv")).read_text()
    for clip in ("a/empty", "a/text", "a/truncated", "b/one_frame"):
        assert clip in text
    assert "a/good\t" not in text


def test_shards_together_do_every_clip_once(tmp_path, originals):
    own = settings(tmp_path, originals, "run=extract_keypoints", "run.max_failed_share=1", "run.num_workers=0")
    stages.run(load_config(*settings(tmp_path, originals), "run=prepare"))
    done = [stages.run(load_config(*own, "run.num_shards=2", f"run.shard={i}")).summary for i in (0, 1)]
    assert sum(s["clips"] for s in done) == 7 and sum(s["extracted now"] for s in done) == 3
    assert stages.run(load_config(*own)).summary["extracted now"] == 0


@pytest.mark.slow
def test_killed_at_random_moments_and_repeated_it_ends_in_the_same_files(tmp_path, rendered):
    folder = tmp_path / "originals"
    for number, path in enumerate(rendered):
        (folder / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        (folder / "ab"[number % 2] / f"{number}.mp4").write_bytes(path.read_bytes())

    def start() -> subprocess.Popen:
        command = [sys.executable, "run.py", *settings(tmp_path / "killed", folder, "run=extract_keypoints")]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def files(name: str) -> dict[str, Path]:
        root = tmp_path / name / "data/own/keypoints/mediapipe_holistic"
        return {str(p.relative_to(root)): p for p in sorted(root.rglob("*.npz")) if not p.name.startswith(".")}

    for name, stage in (("killed", "prepare"), ("undisturbed", "prepare"), ("undisturbed", "extract_keypoints")):
        stages.run(load_config(*settings(tmp_path / name, folder, f"run={stage}")))
    rng = random.Random(0)
    for kill in range(3):
        process, seen = start(), len(files("killed"))
        while process.poll() is None and kill and len(files("killed")) <= seen:
            time.sleep(0.01)
        time.sleep(rng.random() if kill else 2.0)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert start().wait() == 0
    expected, found = files("undisturbed"), files("killed")
    assert list(expected) == list(found) and len(expected) == len(rendered)
    for name, path in expected.items():
        ours, theirs = read_keypoints(found[name]), read_keypoints(path)
        np.testing.assert_array_equal(ours.keypoints, theirs.keypoints)
        np.testing.assert_array_equal(ours.confidence, theirs.confidence)
        assert ours.meta == theirs.meta
