"""docs/translate_own_features.md: its own commands, one after the other, on a corpus as the page asks for."""

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
import small_how2sign
import torch
from conftest import ROOT, load_config
from small_translation import DIM, WORDS

from sign_recog import stages
from sign_recog.cli import CONF_DIR
from sign_recog.config.shorthand import expand
from sign_recog.errors import CheckpointError, DataError

PAGE = (ROOT / "docs/translate_own_features.md").read_text(encoding="utf-8")
COMMANDS = [shlex.split(line)[2:] for line in PAGE.splitlines() if line.startswith("python run.py")]
FROM_SCRATCH, PRETRAINED, PREDICT, SWEEP, REPORT = COMMANDS
FAST = ("trainer.num_threads=1", "trainer.accelerator=cpu", "generation.max_length=40")
SMALL = ("model.d_model=32", "model.num_encoder_layers=1", "model.num_decoder_layers=1", "model.num_heads=2",
         "model.ffn_dim=64", "model.dropout=0", "trainer.max_epochs=25", "trainer.batch_size=8", "optim.lr=0.005",
         "translation.validation.max_length=40")  # fmt: skip


def run(command: list[str], *more: str):
    return stages.run(load_config(*expand([*command, *more], CONF_DIR)))


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """sentences.tsv, and features/ in the three kinds of files; a random word is two vectors of its own."""
    monkeypatch.chdir(tmp_path)
    rng, rows = np.random.default_rng(0), ["clip_id\tsplit\tsigner\ttext"]
    vectors = rng.normal(size=(len(WORDS), DIM)).astype(np.float32)
    Path("features").mkdir()
    for split, count in {"train": 90, "val": 6, "test": 20}.items():
        for number in range(count):
            words = rng.integers(len(WORDS), size=int(rng.integers(2, 5)))
            values = np.repeat(vectors[words], 2, axis=0)
            path = Path("features") / f"{split}_{number}"
            if number % 3 == 0:
                np.save(f"{path}.npy", values)
            elif number % 3 == 1:
                np.savez(f"{path}.npz", features=values)
            else:
                torch.save(torch.from_numpy(values), f"{path}.pt")
            rows.append(f"{path.name}\t{split}\tanna\t{' '.join(WORDS[word] for word in words)} .")
    Path("sentences.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return tmp_path


@pytest.mark.slow
def test_from_features_and_a_table_to_sentences_of_new_features(here):
    trained = run(FROM_SCRATCH, *SMALL, *FAST, "run.evaluate.bootstrap_samples=100")
    (folder,) = here.glob("outputs/mine/*/seed1")
    assert {"report.html", "metrics.json", "test_outputs.tsv"} <= {path.name for path in folder.iterdir()}
    assert trained.summary["more than a guess"] == "yes" and trained.summary["bleu4"] > 30
    new = here / "features_new"
    new.mkdir()
    for name in ("test_0.npy", "test_1.npz", "test_2.pt"):
        (new / name).write_bytes((here / "features" / name).read_bytes())
    placeholder = PREDICT[-1].replace("<settings>", folder.parent.name)
    assert run([*PREDICT[:-1], placeholder], *FAST).summary["translated"] == 3
    tested = dict(line.split("\t")[:2] for line in (folder / "test_outputs.tsv").read_text().splitlines())
    for number in range(3):
        answer = json.loads((folder / f"predictions/test_{number}.json").read_text())
        assert len(answer["translations"]) == 5
        assert f"test_{number}" in tested


def test_an_unreadable_file_costs_its_clip_and_is_named(here):
    (here / "features/train_0.npy").write_bytes(b"no array")
    (here / "features/train_1.npz").unlink()
    settings = [setting for setting in FROM_SCRATCH if not setting.startswith("tokenizer.size")]
    prepared = run(settings, "run=prepare").summary
    assert (prepared["train clips"], prepared["clips without features"]) == (89, 1)
    (manifest,) = here.glob("data/mine/manifests/*/left_out.tsv")
    assert "train_1" in manifest.read_text() and "train_0" in (here / "data/mine/features/given/failed.tsv").read_text()


def test_features_from_elsewhere_need_a_corpus_of_another_name(here):
    settings = [setting for setting in FROM_SCRATCH if not setting.startswith("tokenizer.size")]
    run(settings, "run=prepare")
    (here / "features").rename(here / "other")
    with pytest.raises(DataError, match=r"data\.corpus\.features_dir was features, is other"):
        run([s.replace("features_dir=features", "features_dir=other") for s in settings], "run=prepare")


def test_a_translator_that_was_not_trained_is_asked_for_by_its_own_stage(here):
    run(FROM_SCRATCH, "run=prepare")
    with pytest.raises(CheckpointError, match="Train with run=translate"):
        run(FROM_SCRATCH, "run=evaluate")


def test_clips_whose_file_could_not_be_read_are_named_with_the_reason_s_place(here):
    (here / "features/train_0.npy").write_bytes(b"no array")
    run(FROM_SCRATCH, "run=prepare")
    with pytest.raises(DataError, match=r"1 of 90 clips cannot be read \(train_0\).*failed\.tsv there"):
        run(FROM_SCRATCH, "run=translate", *SMALL, *FAST)


@pytest.mark.slow
def test_the_pretrained_network_and_the_sweep(here):
    small_how2sign.write_t5(here / "t5-v1_1-base")
    short = ("trainer.max_epochs=1", *FAST, "run.evaluate.bootstrap_samples=100")
    sizes = {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_decoder_layers": 1, "num_heads": 2}
    run(PRETRAINED, *short, *(f"model.architecture.{name}={value}" for name, value in sizes.items()))
    seeds = [setting for setting in SWEEP if setting not in ("--multirun", "seed=1,2,3")]
    for seed in (1, 2, 3):
        run(seeds, f"seed={seed}", *SMALL, *short)
    run(REPORT)
    assert (here / "outputs/mine/report.html").exists()
