"""The whole way from rendered videos to a report, on a small built-in corpus."""

import json
from pathlib import Path

import av
import pytest
from conftest import load_config

from sign_recog import stages
from sign_recog.errors import CheckpointError, DataError
from sign_recog.stages import pipeline
from sign_recog.storage.sequences import read_keypoints

SMALL = (
    "data.corpus.num_glosses=2", "data.corpus.num_signers={train: 2, val: 1, test: 1}", "data.corpus.image_size=160",
    "trainer.max_epochs=15", "trainer.batch_size=4", "run=pipeline", "run.extract_keypoints.num_workers=2",
)  # fmt: skip


@pytest.mark.slow
def test_video_to_report_and_a_second_call_skips_what_is_done(tmp_path):
    pytest.importorskip("cv2", reason="OpenCV cannot be loaded; see the README on libGL", exc_type=ImportError)
    paths = (f"paths.data_root={tmp_path / 'data'}", f"paths.output_root={tmp_path / 'outputs'}")
    config = load_config(*SMALL, *paths)
    stages.run(config)
    folder, data = Path(config.paths.run_dir), tmp_path / "data/synthetic"
    names = ("report.html", "report.json", "metrics.json", "predictions.csv", "confusion_matrix.png", "config.yaml")
    assert all((folder / name).stat().st_size for name in names)
    report = json.loads((folder / "report.json").read_text())
    assert report["leakage"] == [] and report["splits"]["test"] == {"clips": 2, "signers": 1, "glosses": 2}
    assert any(row["measure"] == "frames with pose" and row["value"] == "100.0 %" for row in report["extraction"])

    kept = [*data.rglob("*.mp4"), *data.rglob("*.npz"), *folder.rglob("*.ckpt")]
    before = {path: path.stat().st_mtime_ns for path in kept}
    stages.run(config)
    assert {path: path.stat().st_mtime_ns for path in kept} == before

    video = next((data / "clips").rglob("test*.mp4"))
    predict = load_config(*SMALL[:5], *paths, "run=predict", f"run.input={video}")
    stages.run(predict)
    answer = json.loads((folder / "predictions" / f"{video.stem}.json").read_text())
    assert len(answer["glosses"]) == 2 and sum(g["probability"] for g in answer["glosses"]) == pytest.approx(
        1, abs=1e-4
    )
    extracted = read_keypoints(data / "keypoints/mediapipe_holistic" / f"{video.stem}.npz")
    with av.open(folder / "predictions" / f"{video.stem}.mp4") as overlay:
        assert sum(1 for _ in overlay.decode(video=0)) == len(extracted.keypoints) == answer["frames"]


def test_an_unknown_step_is_refused():
    from sign_recog.errors import ConfigError

    with pytest.raises(ConfigError, match=r"run.steps names 'train'"):
        load_config("run=pipeline", "run.steps=[prepare,train]")


def test_weights_that_are_missing_are_said_before_any_other_work_unless_training_has_begun(tmp_path):
    config = load_config(
        "data=manifest", "data.source=nowhere", "modality=rgb", "model=s3d",
        "model.weights=gone.pth",
        f"paths.run_dir={tmp_path}",
    )  # fmt: skip
    with pytest.raises(CheckpointError, match=r"gone\.pth: no such file of weights"):
        pipeline.run(config)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "last.ckpt").touch()
    with pytest.raises(DataError, match="nowhere"):
        pipeline.run(config)
