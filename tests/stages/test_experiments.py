"""The experiments of other systems train on small corpora in those systems' own formats."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from conftest import GLOSSES, load_config, write_fsl105, write_tiny_corpus
from untrained import write_untrained

from sign_recog import stages
from sign_recog.data.datamodule import with_inputs
from sign_recog.stages.build import build_reader
from sign_recog.stages.run_folder import extractor_name, prepared
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


def test_s1_the_modality_decides_what_a_network_reads(tmp_path):
    """S1's validation gave its Transformer X2048 wherever a file held it. Here the files hold both."""
    source = write_fsl105(tmp_path / "originals")
    paths = (f"paths.data_root={tmp_path / 'data'}", f"paths.output_root={tmp_path / 'outputs'}")
    for experiment, dim in (("fsl105_transformer", 2048), ("fsl105_transformer_keypoints", 156)):
        settings = (f"+experiment={experiment}", f"data.source={source}", *paths, "model.num_layers=1")
        if dim == 2048:
            stages.run(load_config("run=prepare", *settings))
        config = load_config("run=evaluate", *settings)
        corpus, reader = prepared(config), build_reader(config.modality)
        clips, _ = with_inputs(corpus, "test", reader, extractor_name(config))
        frames = reader.open(corpus, clips, extractor_name(config)).read(0, None)
        with np.load(source.parent / f"{clips[0].clip_id}.npz") as stored:
            expected = {156: stored["X"], 2048: stored["X2048"]}[dim]
            missing = np.zeros(expected.shape, bool) if dim == 2048 else ~stored["mask"].repeat(2, axis=1)
        np.testing.assert_allclose(frames[~missing], expected[~missing], atol=1e-6)
        path = Path(config.paths.run_dir) / "checkpoints" / "best.ckpt"
        write_untrained(path, config, input_dim=dim, glosses=["0", "1", "2"], categories=["0", "1"])
        stages.run(config)
        assert json.loads((Path(config.paths.run_dir) / "metrics.json").read_text())["scores"]["num_clips"] == 3


def test_s1_the_smoke_run_reads_data_and_takes_steps(tmp_path):
    """S1's smoke test left out data and optimiser. launchers/smoke.sh runs it from video, and kills it."""
    paths = (f"paths.data_root={tmp_path / 'data'}", f"paths.output_root={tmp_path / 'outputs'}")
    smoke = load_config("+experiment=smoke", *paths)
    assert smoke.run.steps == ["prepare", "extract_keypoints", "classify", "evaluate", "report"]
    config = load_config("+experiment=smoke", *paths, "trainer.max_epochs=2", "run.steps=[classify,evaluate,report]")
    write_tiny_corpus(config)  # in place of drawn videos and MediaPipe
    stages.run(config)
    last = read_checkpoint(Path(config.paths.run_dir) / "checkpoints" / "last.ckpt")
    assert last.step == 2 * 3 and sorted(last.glosses) == sorted(GLOSSES) and len(last.train_clips) == 18
    with (Path(config.paths.run_dir) / "metrics.csv").open() as file:
        first, second = csv.DictReader(file)
    assert first["train_loss"] != second["train_loss"] and float(second["lr"]) != float(first["lr"]) > 0
