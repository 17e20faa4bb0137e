"""What is wrong with sentences, features, tokenizers and lengths is one message, before a training has begun."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import load_config
from small_translation import COUNTS, DIM, NETWORK, SMALL, configure

from sign_recog import stages
from sign_recog.errors import CheckpointError, ConfigError, DataError
from sign_recog.stages.run_folder import corpus_dir, corpus_root, extractor_name
from sign_recog.storage.features import FeatureSequence, write_features
from sign_recog.storage.manifest import read_manifest, write_manifest

SHORT = ("trainer.max_epochs=1",)
HARD = ['She said "no" twice', "a tab\tin the middle", '"', "it's 5' 3\" tall", 'ends in "', 'größe – 手\t"x"']


def features_of(config, clip_id: str) -> Path:
    return corpus_root(config) / "features" / extractor_name(config) / f"{clip_id}.npz"


def write_random(config, clip_id: str, frames: int = 6, dim: int = DIM) -> None:
    values = np.random.default_rng(0).normal(size=(frames, dim)).astype(np.float32)
    write_features(features_of(config, clip_id), FeatureSequence(values, 40 * np.arange(frames), {"clip_id": clip_id}))


def prepare(folder: Path, *overrides: str, network: tuple[str, ...] = NETWORK):
    """A table of ``HARD`` sentences, prepared; returns the settings of its training."""
    table = folder / "table.tsv"
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(["clip_id", "split", "text"])
        for split, count in {"train": 8, "val": 3, "test": len(HARD)}.items():
            writer.writerows([f"{split}{i}", split, HARD[i % len(HARD)]] for i in range(count))
    settings = (*SMALL, *network, f"data.source={table}", f"paths.data_root={folder / 'data'}")
    settings += (f"paths.output_root={folder / 'outputs'}", *SHORT, *overrides)
    stages.run(load_config(*settings, "run=prepare"))
    return settings


def test_tabs_and_quotes_come_from_the_table_to_the_scores_of_sacrebleus_command_line(tmp_path):
    settings = prepare(tmp_path)
    config = load_config(*settings, "run=translate")
    clips = read_manifest(corpus_dir(config) / "manifest.tsv")
    assert [clip.text for clip in clips if clip.split == "test"] == HARD
    for clip in clips:
        write_random(config, clip.clip_id)
    stages.run(config)
    found = stages.run(load_config(*settings, "run=evaluate", "run.bootstrap_samples=100"))
    folder = Path(config.paths.run_dir)
    with (folder / "test_outputs.tsv").open(encoding="utf-8", newline="") as file:
        assert [row["reference"] for row in csv.DictReader(file, delimiter="\t")] == HARD
    files = [str(folder / f"test_{name}.txt") for name in ("references", "hypotheses")]
    command = [sys.executable, "-m", "sacrebleu", files[0], "-i", files[1], "-m", "chrf", "-w", "10", "-b"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    scores = json.loads((folder / "metrics.json").read_text())["scores"]
    assert float(told) == pytest.approx(scores["chrf"], abs=1e-9) and scores["bleu4"] == found.objective


def test_clips_of_test_without_a_reference_are_not_scored_and_named(tmp_path):
    config = configure(tmp_path, "run=translate", *SHORT)
    stages.run(config)
    manifest = corpus_dir(config) / "manifest.tsv"
    clips = read_manifest(manifest)
    next(clip for clip in clips if clip.clip_id == "test/4").text = " "
    write_manifest(manifest, clips)
    stages.run(configure(tmp_path, "run=evaluate", *SHORT))
    data = json.loads((Path(config.paths.run_dir) / "metrics.json").read_text())["data"]
    assert data["clips_not_extracted"] == ["test/4"] and data["clips"] == COUNTS["test"] - 1


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_split_without_any_sentence_is_refused(tmp_path, split):
    config = configure(tmp_path, "run=translate", *SHORT)
    manifest = corpus_dir(config) / "manifest.tsv"
    clips = read_manifest(manifest)
    for clip in clips:
        clip.text = "" if clip.split == split else clip.text
    write_manifest(manifest, clips)
    with pytest.raises(DataError, match=r"no train clip of weather has a text|none of the 6 clips of val has both"):
        stages.run(config)


def test_features_of_another_width_are_refused_at_evaluation_too(tmp_path):
    config = configure(tmp_path, "run=translate", *SHORT)
    stages.run(config)
    for number in range(COUNTS["test"]):
        write_random(config, f"test/{number}", dim=5)
    with pytest.raises((CheckpointError, DataError), match=r"(?s)8 values.*5|5 values.*8"):
        stages.run(configure(tmp_path, "run=evaluate", *SHORT))


def byt5(folder: Path) -> Path:
    folder.mkdir()
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "ByT5Tokenizer"}))
    return folder


def test_an_unknown_language_is_refused_when_the_corpus_is_prepared(tmp_path):
    network = ("tokenizer=pretrained", f"tokenizer.folder={byt5(tmp_path / 'byt5')}", "model=byt5_small")
    with pytest.raises(ConfigError, match=r"tokenizer\.language=deu_Latn is no token of .*byt5"):
        prepare(tmp_path, "tokenizer.language=deu_Latn", network=network)


def test_a_folder_without_tokenizer_is_refused_when_the_corpus_is_prepared(tmp_path):
    (tmp_path / "t5").mkdir()
    (tmp_path / "t5/config.json").write_text('{"model_type": "t5"}')
    network = ("tokenizer=pretrained", f"tokenizer.folder={tmp_path / 't5'}", "model=t5_small")
    with pytest.raises(DataError, match=r"t5.* holds no tokenizer: none of tokenizer\.json, spiece\.model"):
        prepare(tmp_path, network=network)


BART = (
    "tokenizer=words", "model=bart_base", "model.architecture.d_model=16", "model.architecture.encoder_layers=1",
    "model.architecture.decoder_layers=1", "model.architecture.encoder_attention_heads=2",
    "model.architecture.decoder_attention_heads=2", "model.architecture.encoder_ffn_dim=16",
    "model.architecture.decoder_ffn_dim=16", "model.architecture.max_position_embeddings=16",
    "translation.max_source_length=16",
)  # fmt: skip


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("translation.max_target_length=17", r"translation\.max_target_length=17: this network has positions for 16"),
        ("translation.validation.max_length=17", r"=17: this network has positions for 16 tokens"),
        ("translation.max_source_length=17", r"translation\.max_source_length=17: this network has positions for 16"),
        ("generation.max_length=17", r"generation\.max_length=17: this network has positions for 16 tokens"),
    ],
)
def test_lengths_beyond_a_networks_positions_are_refused_before_the_training(tmp_path, setting, words):
    config = configure(tmp_path, "run=translate", *SHORT, setting, network=BART)
    with pytest.raises(ConfigError, match=words):
        stages.run(config)
    assert not (Path(config.paths.run_dir) / "checkpoints").exists()


def test_a_generation_beyond_the_positions_is_refused_at_evaluation(tmp_path):
    stages.run(configure(tmp_path, "run=translate", *SHORT, network=BART))
    with pytest.raises(ConfigError, match=r"max_length=17.* positions for 16 tokens"):
        stages.run(configure(tmp_path, "run=evaluate", *SHORT, "generation.max_length=17", network=BART))


def test_s3_a_checkpoint_that_lacks_a_weight_names_it(tmp_path):
    """In S3 it ended in a KeyError."""
    config = configure(tmp_path, "run=translate", *SHORT)
    stages.run(config)
    path = Path(config.paths.run_dir) / "checkpoints/best.ckpt"
    content = torch.load(path, weights_only=True)
    del content["state_dict"]["network.encoder_norm.weight"]
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=r"best\.ckpt: .*encoder_norm\.weight"):
        stages.run(configure(tmp_path, "run=evaluate", *SHORT))


def test_s3_a_loss_that_is_no_number_ends_with_the_clips_it_came_from(tmp_path):
    """S3 left with an exit code and nothing else."""
    config = configure(tmp_path, "run=translate", *SHORT, "optim.lr=1e30", "trainer.gradient_clip=null")
    with pytest.raises(DataError, match=r"The (loss|gradient's norm) is \S+ in epoch 1, .* with the clips train/\d"):
        stages.run(config)


@pytest.mark.parametrize("experiment", ["how2sign_t5_hiera", "how2sign_tarres_i3d", "how2sign_bart_hiera"])
def test_s3_nothing_is_sent_to_wandb_unless_asked(experiment):
    """S3's recipes logged to it, and asked for an account."""
    given = ("data.train_dirs=[x]", "data.val_dir=x", *(() if "tarres" in experiment else ("tokenizer.folder=x",)))
    assert load_config(f"+experiment={experiment}", "run=translate", *given).logger == {}
    assert list(load_config(f"+experiment={experiment}", "run=translate", *given, "logger=wandb").logger) == ["wandb"]
