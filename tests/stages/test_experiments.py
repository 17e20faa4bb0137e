"""The experiments of other systems train on small corpora in those systems' own formats."""

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import load_config, write_fsl105

from sign_recog import stages
from sign_recog.storage.checkpoint import read_checkpoint

FAST = (
    "trainer.max_epochs=1",
    "trainer.accelerator=cpu",
    "trainer.num_threads=1",
    "run.steps=[prepare,classify,evaluate]",
)


def write_signon(folder: Path) -> Path:
    """samples.csv and mediapipe/*.npy of 3 glosses by 5 signers."""
    (folder / "mediapipe").mkdir(parents=True)
    lines = ["Id,Label,Participant,Video,Subset"]
    for i in range(15):
        rng, frames = np.random.default_rng(i), 9 + i % 4
        keypoints = rng.random((frames, 75, 3))
        keypoints[:3, 33:54] = np.nan
        np.save(folder / "mediapipe" / f"clip{i}.npy", keypoints)
        signer = i // 3
        subset = ("train", "train", "train", "val", "test")[signer]
        lines.append(f"{i},SIGN{i % 3},P{signer},clip{i}.mp4,{subset}")
    (folder / "samples.csv").write_text("\n".join(lines) + "\n")
    return folder / "samples.csv"


CASES = [  # experiment, its corpus, values a frame, settings that suit one epoch
    ("fsl105_transformer", write_fsl105, 2048, ["scheduler.warmup_epochs=0.5"]),
    ("fsl105_transformer_keypoints", write_fsl105, 156, ["scheduler.warmup_epochs=0.5"]),
    ("fsl105_gru", write_fsl105, 2048, []),
    ("signon_poseformer", write_signon, 134, []),
]


@pytest.mark.parametrize(("experiment", "write", "input_dim", "changes"), CASES, ids=[case[0] for case in CASES])
def test_an_experiment_trains_on_its_systems_own_files(experiment, write, input_dim, changes, tmp_path):
    source = write(tmp_path / "originals")
    paths = (f"paths.data_root={tmp_path / 'data'}", f"paths.output_root={tmp_path / 'outputs'}")
    config = load_config(f"+experiment={experiment}", f"data.source={source}", *paths, *FAST, *changes)
    stages.run(config)
    trained = read_checkpoint(Path(config.paths.run_dir) / "checkpoints" / "best.ckpt")
    assert (trained.input_dim, len(trained.glosses), trained.epoch) == (input_dim, 3, 1)
    assert len(trained.categories) == (2 if write is write_fsl105 else 0)
    metrics = json.loads((Path(config.paths.run_dir) / "metrics.json").read_text())
    assert metrics["scores"]["num_clips"] == 3 and ("occluded" in metrics["groups"]) == (write is write_fsl105)
