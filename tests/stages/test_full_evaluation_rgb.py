"""``evaluation=full`` of a network that reads videos, with several views of each clip."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import load_config

from sign_recog import stages
from sign_recog.evaluation.shuffle import shannon_entropy
from sign_recog.stages.recognizer import load_recognizer
from sign_recog.storage.checkpoint import read_checkpoint
from sign_recog.storage.corpus import open_corpus
from sign_recog.video.writer import write_video

SMALL = (
    "data=manifest", "data.name=clips", "modality=rgb", "modality.num_frames=6", "modality.image_size=32",
    "model=r2plus1d_small", "model.backbone.width=4", "model.backbone.blocks=[1,1]", "trainer.max_epochs=3",
    "optim.lr=1e-2", "trainer.batch_size=4", "trainer.accelerator=cpu", "trainer.num_threads=1",
    "trainer.bucketing=false",
)  # fmt: skip


@pytest.fixture(scope="module")
def configure(tmp_path_factory):
    """A function to the configuration of a corpus of 2 glosses on which a network has been trained."""
    folder = tmp_path_factory.mktemp("rgb")
    (folder / "clips").mkdir()
    lines = ["video,gloss,split"]
    for i in range(8):
        row = np.arange(64) if i % 2 else np.arange(64)[::-1]
        frames = [np.tile((2 * row + 6 * t + 3 * i).astype(np.uint8)[None, :, None], (48, 1, 3)) for t in range(16 + i)]
        write_video(folder / f"clips/{i}.mp4", iter(frames), 25)
        lines.append(f"{i}.mp4,{['left', 'right'][i % 2]},{['train', 'train', 'val', 'test'][i // 2]}")
    (folder / "clips/labels.csv").write_text("\n".join(lines) + "\n")
    paths = (f"paths.data_root={folder / 'data'}", f"paths.output_root={folder / 'outputs'}")

    def load(*overrides: str):
        return load_config(*SMALL, *paths, f"data.source={folder / 'clips/labels.csv'}", *overrides)

    stages.run(load("run=pipeline", "run.steps=[prepare,classify]"))
    return load


def stored(folder: Path) -> dict[str, np.ndarray]:
    with np.load(folder / "predictions.npz", allow_pickle=False) as arrays:
        return dict(zip(arrays["clip_ids"].tolist(), arrays["probabilities"], strict=True))


def test_s2_val_is_what_training_reported_of_videos(configure):
    config = configure("run=evaluate", "evaluation=full")
    stages.run(config)
    folder = Path(config.paths.run_dir)
    val = json.loads((folder / "val/metrics.json").read_text())
    assert val["val_agrees"] is True and val["val_difference"] < 1e-5
    full = json.loads((folder / "results/best_val_loss.json").read_text())
    perm = full["test_shuff"]["perm"]
    assert sorted(perm) == list(range(6)) and full["test_shuff"]["shannon_entropy"] == shannon_entropy(perm)


def test_an_answer_is_the_mean_over_parts_of_time_and_of_the_picture(configure):
    config = configure("run=evaluate", "evaluation.views.num_clips=2", "evaluation.views.num_crops=3")
    stages.run(config)
    folder = Path(config.paths.run_dir)
    recognizer = load_recognizer(read_checkpoint(folder / "checkpoints/best.ckpt"), config.trainer)
    corpus = open_corpus(Path(json.loads((folder / "metrics.json").read_text())["data"]["manifest"]).parent)
    clips = corpus.of_split("test")
    sequences = recognizer.reader.open(corpus, clips, "")
    for i, clip in enumerate(clips):
        views = sequences.views(i, 2, 3)
        assert len(views) == 6
        with torch.inference_mode():
            batch, mask = torch.from_numpy(np.stack(views)), torch.zeros(6, 6, dtype=torch.bool)
            each = recognizer.network(batch, mask)["gloss_logits"].softmax(1).numpy()
        assert stored(folder)[clip.clip_id] == pytest.approx(each.mean(0), abs=1e-5)
        assert np.ptp(each[:, 0]) > 1e-3  # the views differ


def test_frames_are_shuffled_after_they_were_chosen(configure):
    config = configure("run=evaluate", "evaluation.shuffled=true")
    stages.run(config)
    folder = Path(config.paths.run_dir)
    recognizer = load_recognizer(read_checkpoint(folder / "checkpoints/best.ckpt"), config.trainer)
    perm = json.loads((folder / "results/best_test-shuffled-top-k.json").read_text())["perm"]
    corpus = open_corpus(Path(json.loads((folder / "metrics.json").read_text())["data"]["manifest"]).parent)
    clips = corpus.of_split("test")
    sequences = recognizer.reader.open(corpus, clips, "")
    for i, clip in enumerate(clips):
        frames = sequences.read(i, None)[perm]
        (answer,) = recognizer.recognize([frames], language=None, embeddings=[])
        assert stored(folder / "shuffled")[clip.clip_id] == pytest.approx(answer["gloss"], abs=1e-5)
