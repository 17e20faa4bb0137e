"""Networks over frames, from video files to a score: there is nothing to extract."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import load_config
from untrained import write_untrained

from sign_recog import stages
from sign_recog.data.datamodule import with_inputs
from sign_recog.data.vocabulary import Vocabulary
from sign_recog.errors import CheckpointError
from sign_recog.stages.build import build_reader
from sign_recog.stages.classify import assemble
from sign_recog.stages.run_folder import prepared
from sign_recog.storage.checkpoint import read_checkpoint
from sign_recog.video.writer import write_video

SMALL = (
    "data=manifest", "data.name=clips", "modality=rgb", "modality.num_frames=4", "modality.image_size=32", "model=vtn",
    "model.backbone=efficientnet_b0", "model.d_model=16", "model.num_layers=1", "model.num_heads=2", "model.ffn_dim=16",
    "trainer.max_epochs=1", "trainer.batch_size=4", "trainer.accelerator=cpu", "trainer.num_threads=1",
    "trainer.bucketing=false", "modality/sampler=consecutive", "modality.pad=null",
)  # fmt: skip


@pytest.fixture
def configure(tmp_path):
    """A function to the configuration of a corpus of 2 glosses, dark and bright; every second clip is too short."""
    pytest.importorskip("cv2", reason="OpenCV cannot be loaded; see the README on libGL", exc_type=ImportError)
    (tmp_path / "clips").mkdir()
    lines = ["video,gloss,split"]
    for i in range(8):
        gray = [40, 200][i % 2]
        frames = [np.full((48, 64, 3), gray + 5 * t, np.uint8) for t in range([12, 5][i // 2 % 2])]
        write_video(tmp_path / f"clips/{i}.mp4", iter(frames), 25)
        lines.append(f"{i}.mp4,{['dark', 'bright'][i % 2]},{['train', 'train', 'val', 'test'][i // 2]}")
    (tmp_path / "clips/labels.csv").write_text("\n".join(lines) + "\n")
    paths = (f"paths.data_root={tmp_path / 'data'}", f"paths.output_root={tmp_path / 'outputs'}")
    source = f"data.source={tmp_path / 'clips/labels.csv'}"
    return lambda *overrides: load_config(*SMALL, *paths, source, *overrides)


def test_s0_batches_of_frames_keep_their_axes(configure):
    """S0's collating of clips of one length permuted frames as if they were keypoints."""
    config = configure("run=prepare")
    stages.run(config)
    corpus, reader = prepared(config), build_reader(config.modality)
    clips, _ = with_inputs(corpus, "train", reader, "")
    _, loaders = assemble(config, corpus, {"train": clips, "val": clips}, Vocabulary.from_clips(clips))
    for split in ("train", "val"):
        (batch,) = loaders[split]
        assert batch["sequence"].shape == (4, 4, 3, 32, 32) and batch["sequence"].dtype == torch.uint8
        lengths = (~batch["padding_mask"]).sum(1).tolist()
        for clip, frames, length in zip(batch["clip_id"], batch["sequence"], lengths, strict=True):
            assert length == [4, 3][int(clip) // 2 % 2]  # every second frame of 12, and of 5
            grays = frames[:length].float().mean((1, 2, 3)).numpy()
            assert np.allclose(np.diff(grays), 10, atol=4) and not frames[length:].any()  # axis 1 is time
            assert frames[:length].float().std((1, 2, 3)).max() < 3  # one gray in all colours, rows and columns


def test_s0_rgb_trains_and_is_evaluated_from_video_files(configure):
    """S0's data set of videos could not be opened, and its VTN asked for what no batch held."""
    config = configure("run=pipeline", "run.steps=[prepare,classify,evaluate]")
    stages.run(config)
    folder = Path(config.paths.run_dir)
    trained = read_checkpoint(folder / "checkpoints" / "last.ckpt")
    assert (trained.step, trained.input_dim, trained.glosses) == (1, 3, ["bright", "dark"])
    assert (folder / "metrics.json").exists() and (folder / "predictions.csv").exists()


@pytest.mark.parametrize("augment", ["rgb", "rgb_strong"])
def test_loader_processes_and_threads_make_the_same_batches_of_full_length(configure, augment):
    settings = ("run=prepare", "modality/sampler=chunked", "modality.pad=stretch", f"augment={augment}")
    config = configure(*settings)
    stages.run(config)
    corpus, reader = prepared(config), build_reader(config.modality)
    clips, _ = with_inputs(corpus, "train", reader, "")
    batches = []
    for workers in (0, 2):
        own = configure(*settings, f"trainer.num_workers={workers}", "trainer.batch_size=2")
        _, loaders = assemble(own, corpus, {"train": clips, "val": clips}, Vocabulary.from_clips(clips))
        batches.append(list(loaders["train"]))
    for here, there in zip(*batches, strict=True):
        assert here["clip_id"] == there["clip_id"] and torch.equal(here["sequence"], there["sequence"])
        assert here["sequence"].shape == (2, 4, 3, 32, 32) and not here["padding_mask"].any()


@pytest.mark.parametrize(
    ("before", "now", "remedy"),
    [("pose", None, "data.clip_size=32 data.crop=pose"), (None, "annotation", "data.crop=null")],
)
def test_clips_cut_in_another_way_than_the_trainings_are_refused(configure, tmp_path, before, now, remedy):
    """A network that knows signers who fill the picture answered for small ones, and nobody was told."""
    stages.run(configure("run=prepare"))
    info_path = next((tmp_path / "data/clips/manifests").glob("*/corpus.json"))
    info = json.loads(info_path.read_text())
    info["settings"]["crop"] = now
    info_path.write_text(json.dumps(info))
    own = configure("run=classify", *([f"data.crop={before}", "data.clip_size=32"] if before else []))
    path = write_untrained(tmp_path / "a.ckpt", own, input_dim=3, glosses=["bright", "dark"])
    asked = ("run=evaluate", f"run.checkpoint={path}", f"run.corpus={info_path.parent}")
    with pytest.raises(CheckpointError) as refusal:
        stages.run(configure(*asked))
    said = str(refusal.value)
    assert f"trained on clips made with data.crop={before or 'null'}" in said and remedy in said
    assert f"were made with data.crop={now or 'null'}" in said and str(info_path.parent) in said
    info["settings"]["crop"] = before
    info_path.write_text(json.dumps(info))
    stages.run(configure(*asked))
