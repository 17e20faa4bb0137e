"""``+experiment=wlasl100_s3d`` on a small folder laid out like WLASL, as a user types it."""

import json
import subprocess
import sys

import pytest
import torch
from conftest import ROOT
from small_wlasl import write_small_wlasl

from sign_recog.models.s3d import s3d

SMALL = (  # what a test can afford; the real command gives none of these
    "data.clip_size=64", "modality.image_size=64", "modality.resize=72", "modality.num_frames=16",
    "trainer.max_epochs=1", "trainer.batch_size=4", "trainer.accelerator=cpu",
)  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The command's end and its run folder."""
    folder = tmp_path_factory.mktemp("wlasl")
    small = write_small_wlasl(folder, num_glosses=3, clips_per_split=(3, 1, 1), whole=True, boxes=True)
    weights = folder / "kinetics.pth"
    torch.save(s3d().network.state_dict(), weights)
    command = [sys.executable, str(ROOT / "run.py"), "+experiment=wlasl100_s3d", f"data.video_dir={small.video_dir}"]
    command += [f"model.weights={weights}", f"paths.data_root={folder}/data", f"paths.output_root={folder}/outputs"]
    ended = subprocess.run([*command, *SMALL], cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    (run_dir,) = (folder / "outputs" / "wlasl100_s3d").glob("*/seed1")
    return small, ended.stdout + ended.stderr, run_dir


def test_the_experiment_runs_end_to_end_and_says_how_much_of_wlasl_it_had(finished):
    small, said, run_dir = finished
    annotated = 1442 if small.real else 9
    assert f"{annotated} -> 9" in said
    assert f"backbone: weights from {run_dir.parents[3] / 'kinetics.pth'}" in said
    coverage = json.loads((run_dir / "metrics.json").read_text())["data"]["coverage"]
    assert (coverage["train"]["annotated"], coverage["train"]["kept"]) == (annotated, 9)
    assert (
        f"{annotated} -&gt; 9" in (run_dir / "report.html").read_text()
        or f"{annotated} → 9" in (run_dir / "report.html").read_text()
    )


def test_it_leaves_s2s_bundle(finished):
    results = finished[2] / "results"
    bundle = json.loads((results / "best_val_loss.json").read_text())
    assert set(bundle) == {"check_name", "best_val_acc", "best_val_loss", "test", "val", "test_shuff"}
    assert sorted(bundle["test_shuff"]["perm"]) == list(range(16))
    for name in ("best_test-bargraph.png", "best_test-confmat.png", "best_test-heatmap.png"):
        assert (results / name).read_bytes().startswith(b"\x89PNG")


def test_the_originals_are_as_they_were_and_training_read_small_clips(finished):
    small, _, run_dir = finished
    clips = sorted((run_dir.parents[3] / "data" / "wlasl100" / "clips").glob("*/*.mp4"))
    assert len(clips) == len(small.entries) == len(list(small.video_dir.iterdir()))
