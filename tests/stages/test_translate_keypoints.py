"""Keypoints to sentences through every encoder that reads vectors: trained, evaluated, and used on one clip."""

import json
from pathlib import Path

import pytest
from conftest import TINY, load_config, write_tiny_corpus
from small_translation import NETWORK

from sign_recog import stages
from sign_recog.stages.run_folder import corpus_dir, corpus_root
from sign_recog.stages.tokenizer import train_tokenizer
from sign_recog.storage.manifest import read_manifest, write_manifest

SENTENCES = {"up": "it goes up", "round": "round it goes", "across": "it goes across"}
CONV = (
    "tokenizer=words", "model=conv_transformer_seq2seq", "model.d_model=16", "model.num_encoder_layers=1",
    "model.num_decoder_layers=1", "model.num_heads=2", "model.ffn_dim=32", "model.stem.num_blocks=1",
    "model.stem.kernel_size=5",
)  # fmt: skip
SHORT = (
    "trainer=translation", "trainer.max_epochs=2", "trainer.batch_size=4", "trainer.accelerator=cpu",
    "translation.max_target_length=8", "generation.max_length=8", "generation.num_beams=2",
)  # fmt: skip


@pytest.mark.parametrize("network", [NETWORK, CONV], ids=["frames", "convolutions"])
def test_keypoints_are_trained_on_evaluated_and_predicted(tmp_path, network):
    data = tuple(one for one in TINY if one.startswith(("data", "modality", "extractor")))
    paths = (f"paths.data_root={tmp_path / 'data'}", f"paths.output_root={tmp_path / 'outputs'}")

    def settle(*overrides: str):
        return load_config(*data, *network, *SHORT, *paths, "augment=keypoints", *overrides)

    config = settle("run=translate")
    folder = write_tiny_corpus(config)
    clips = read_manifest(folder / "manifest.tsv")
    for clip in clips:
        clip.text = SENTENCES[clip.gloss]
    write_manifest(folder / "manifest.tsv", clips)
    train_tokenizer(config, corpus_dir(config), clips)
    result = stages.run(config)
    assert result.summary["steps"] > 0 and result.summary["train clips"] == "18 of 18"
    run = Path(config.paths.run_dir)
    stages.run(settle("run=evaluate", "run.bootstrap_samples=100"))
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["data"]["clips"] == 3
    written = (run / "test_hypotheses.txt").read_text().splitlines()
    clip = corpus_root(config) / "keypoints/mediapipe_holistic/up/7.npz"
    stages.run(settle("run=predict", f"run.input={clip}"))
    answer = json.loads((run / "predictions/7.json").read_text())
    assert answer["frames"] == answer["frames_read"] > 0
    ids = [c.clip_id for c in clips if c.split == "test"]
    assert answer["translation"] == written[ids.index("up/7")]
