"""Translation from training to report: it learns, resumes exactly, refuses what cannot work, and writes its files."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from small_translation import COUNTS, NETWORK, configure

from sign_recog import stages
from sign_recog.errors import CheckpointError, ConfigError, DataError
from sign_recog.stages.run_folder import corpus_dir
from sign_recog.stages.translate import read_material, refuse_other_tokenizer
from sign_recog.storage.checkpoint import read_checkpoint, read_translation
from sign_recog.storage.features import FeatureSequence, read_features, write_features
from sign_recog.storage.manifest import read_manifest, write_manifest

LEARN = (
    "trainer.max_epochs=60", "optim.lr=5e-3", "model.dropout=0.1", "model.attention_dropout=0",
    "model.activation_dropout=0", "model.d_model=32", "trainer.eval_every_steps=30",
)  # fmt: skip
SHORT = ("run=translate", "trainer.max_epochs=1")


def metrics(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open() as file:
        return [{k: v for k, v in row.items() if k != "epoch_time_s"} for row in csv.DictReader(file)]


def last(folder: Path):
    return read_translation(folder / "checkpoints" / "last.ckpt")


def test_it_learns_and_is_evaluated_predicts_and_reports(tmp_path):
    config = configure(tmp_path, "run=translate", *LEARN)
    assert stages.run(config).objective > 50  # BLEU-4 on val
    folder = Path(config.paths.run_dir)
    rows = metrics(folder)
    assert float(rows[-1]["train_loss"]) < 0.5 * float(rows[0]["train_loss"])
    both = ("evaluation.sets=[test,val]", "evaluation.sentences.blacklist_size=2")
    bleu4 = stages.run(configure(tmp_path, "run=evaluate", *LEARN, *both)).objective
    scored = json.loads((folder / "metrics.json").read_text())
    assert scored["scores"]["bleu4"] == bleu4 and scored["data"]["clips"] == COUNTS["test"]
    with (folder / "test_outputs.tsv").open(newline="") as file:
        outputs = list(csv.DictReader(file, delimiter="\t"))
    assert len(outputs) == COUNTS["test"] and outputs[0]["reference"]
    assert json.loads((folder / "test_results.json").read_text())["bleu4"] == bleu4
    val = json.loads((folder / "val/metrics.json").read_text())
    assert val["val_agrees"] is True and val["val_difference"] < 1e-4
    stages.run(configure(tmp_path, "run=report", *LEARN))
    assert "Is the score real?" in (folder / "report.html").read_text()
    one = tmp_path / "data/weather/features/mediapipe_holistic/test/0.npz"
    given = ("run=predict", f"run.input={one}", "generation.num_return=2")
    stages.run(configure(tmp_path, *given, *LEARN))
    answer = json.loads((folder / "predictions/0.json").read_text())
    assert answer["translation"] == {o["clip_id"]: o["hypothesis"] for o in outputs}["test/0"]
    scores = [one["score"] for one in answer["translations"]]
    assert len(scores) == 2 and scores == sorted(scores, reverse=True)
    stages.run(configure(tmp_path, "run=report", *LEARN, f"run.folder={tmp_path / 'outputs'}"))
    assert "BLEU-4" in (tmp_path / "outputs/report.html").read_text()


@pytest.mark.parametrize(
    "settings",
    [(), ("trainer.eval_every_steps=3", "trainer.accumulate=2", "trainer.ema.enabled=true", "scheduler=plateau",
          "scheduler.monitor=val_bleu4", "scheduler.mode=max")],
    ids=["epochs", "steps"],
)  # fmt: skip
def test_s3_a_resumed_training_ends_as_an_undisturbed_one(tmp_path, monkeypatch, settings):
    """The best score, the patience and the random numbers go on; S3's began anew, and best was overwritten."""
    from sign_recog.training.translation import Translator

    class Killed(BaseException):
        pass

    def kill(self) -> None:
        if self.current_epoch == 2:
            raise Killed

    def settle(name: str):
        return configure(
            tmp_path, "run=translate", "trainer.max_epochs=4", *settings, f"paths.run_dir={tmp_path / name}"
        )

    stages.run(settle("whole"))
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(Translator, "on_train_epoch_start", kill)
        stages.run(settle("killed"))
    stages.run(settle("killed"))
    assert metrics(tmp_path / "killed") == metrics(tmp_path / "whole")
    for name in ("best", "last"):
        one, other = (read_translation(tmp_path / f / "checkpoints" / f"{name}.ckpt") for f in ("whole", "killed"))
        assert one.step == other.step and all(torch.equal(one.weights[k], other.weights[k]) for k in one.weights)


def test_s3_a_best_checkpoint_from_within_an_epoch_goes_on_at_its_step(tmp_path, monkeypatch):
    """S3 went on at the beginning of the next epoch, and left out the rest of this one."""
    from sign_recog.training.translation import Translator

    class Killed(BaseException):
        pass

    def settle(name: str):
        steps = ("trainer.max_epochs=1", "trainer.eval_every_steps=3", "trainer.early_stopping.patience=1000")
        return configure(tmp_path, "run=translate", *steps, f"paths.run_dir={tmp_path / name}")

    def kill(self) -> None:
        if self.global_step >= 9:
            raise Killed

    stages.run(settle("whole"))
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(Translator, "on_train_epoch_start", kill)
        stages.run(settle("killed"))
    best = tmp_path / "killed/checkpoints/best.ckpt"
    (tmp_path / "killed/checkpoints/last.ckpt").unlink()
    assert 0 < read_translation(best).step < last(tmp_path / "whole").step
    stages.run(settle("killed"))
    one, other = last(tmp_path / "whole"), last(tmp_path / "killed")
    assert one.step == other.step and all(torch.equal(one.weights[k], other.weights[k]) for k in one.weights)


@pytest.mark.slow
def test_s3_two_processes_train_and_evaluate_as_one_does(tmp_path):
    """The last batch of val leaves one of the two nothing; S3 cut what was gathered at the wrong place."""
    given = ("run=translate", "model.dropout=0", "model.attention_dropout=0", "model.activation_dropout=0",
             "optim.lr=2e-2", "trainer.max_epochs=4", "trainer.batch_size=6", "trainer.accumulate=2")  # fmt: skip
    config = configure(tmp_path, *given)
    table = corpus_dir(config) / "manifest.tsv"
    clips = read_manifest(table)
    next(clip for clip in clips if clip.split == "test").split = "val"
    write_manifest(table, clips)
    rows = {}
    for devices in (1, 2):
        config = configure(
            tmp_path, *given, f"trainer.devices={devices}", f"paths.output_root={tmp_path / str(devices)}"
        )
        stages.run(config)
        rows[devices] = metrics(Path(config.paths.run_dir))
    assert len(rows[1]) == 4
    for one, two in zip(rows[1], rows[2], strict=True):
        assert one.keys() == two.keys()
        for name in one:
            if one[name]:
                assert float(one[name]) == pytest.approx(float(two[name]), abs=1e-3), name
    assert float(rows[1][-1]["val_chrf"]) > 0


def test_a_checkpoint_needs_nothing_else_and_its_kind_is_told(tmp_path):
    config = configure(tmp_path, *SHORT)
    stages.run(config)
    path = Path(config.paths.run_dir) / "checkpoints/last.ckpt"
    trained = read_translation(path)
    assert trained.input_dim == 8 and len(trained.train_clips) == COUNTS["train"] and trained.source_tokenizer is None
    with pytest.raises(CheckpointError, match="holds a translator, and a recogniser is needed"):
        read_checkpoint(path)


def test_a_tokenizer_that_does_not_fit_is_refused(tmp_path):
    config = configure(tmp_path, *SHORT)
    stages.run(config)
    own = last(Path(config.paths.run_dir)).tokenizer
    refuse_other_tokenizer(own, dict(own), "run")
    with pytest.raises(CheckpointError, match=r"another tokenizer \(10 entries; this one has 9\)"):
        refuse_other_tokenizer({**own, "words": own["words"][:-1]}, own, "run")
    path = Path(config.paths.run_dir) / "checkpoints/best.ckpt"
    content = torch.load(path, weights_only=True)
    content["sign_recog"]["tokenizer"]["words"].append("fog")
    torch.save(content, path)
    with pytest.raises(CheckpointError, match="do not fit its network and its tokenizer of 11 entries"):
        stages.run(configure(tmp_path, "run=evaluate", "trainer.max_epochs=1"))


def features_of(folder: Path, name: str) -> Path:
    return folder / f"data/weather/features/mediapipe_holistic/{name}.npz"


def test_s3_unreadable_features_are_an_error_or_a_listed_drop(tmp_path):
    """S3 put another clip in their place, in validation too."""
    config = configure(tmp_path, *SHORT)
    features_of(tmp_path, "train/3").write_bytes(b"no zip")
    features_of(tmp_path, "val/2").unlink()
    with pytest.raises(DataError, match=r"val.2.*translation.drop_unreadable=true|3\.npz.*drop_unreadable=true"):
        stages.run(config)
    config = configure(tmp_path, *SHORT, "translation.drop_unreadable=true")
    stages.run(config)
    folder = Path(config.paths.run_dir)
    with (folder / "dropped.tsv").open() as file:
        dropped = {row["clip_id"]: row for row in csv.DictReader(file, delimiter="\t")}
    assert set(dropped) == {"train/3", "val/2"} and "cannot be read" in dropped["train/3"]["reason"]
    assert len(last(folder).train_clips) == COUNTS["train"] - 1


def test_short_sequences_are_dropped_and_long_ones_cut_and_both_are_told(tmp_path, caplog):
    config = configure(tmp_path, *SHORT, "translation.min_source_length=5", "translation.max_source_length=7")
    stages.run(config)
    clips = [clip for clip in read_manifest(corpus_dir(config) / "manifest.tsv") if clip.split == "train"]
    lengths = {c.clip_id: len(read_features(features_of(tmp_path, c.clip_id)).features) for c in clips}
    kept = {name for name, length in lengths.items() if length >= 5}
    assert set(last(Path(config.paths.run_dir)).train_clips) == kept and len(kept) < len(clips)
    cut = sum(lengths[name] > 7 for name in kept)
    assert f"{cut} sequences of train are cut to translation.max_source_length" in caplog.text
    # What is left still reads its own file: clips stand at other places after some have gone.
    read = read_material(config).sets["train"]
    for index in (0, len(read) - 1):
        own = read_features(features_of(tmp_path, read.clips[index].clip_id)).features[:7]
        np.testing.assert_allclose(read.__getitems__([(0, index)])["sequence"][0].numpy(), own, rtol=1e-5)


def test_only_train_is_shortened_and_a_cut_sentence_still_ends(tmp_path):
    """Every clip of val counts, however short its sequence and long its sentence."""
    settings = ("translation.min_source_length=5", "translation.max_target_length=3")
    sets = read_material(configure(tmp_path, *SHORT, *settings)).sets
    train, val = (sets[split] for split in ("train", "val"))
    assert train.source_lengths.min() >= 5 and len(val) == COUNTS["val"] and val.target_lengths.max() > 3
    ends = {int(labels[-1]) for labels in train.labels}
    assert train.target_lengths.max() == 3 and ends == {int(val.labels[0][-1])}


def test_features_of_another_width_are_refused(tmp_path):
    config = configure(tmp_path, *SHORT)
    path = features_of(tmp_path, "train/3")
    sequence = read_features(path)
    write_features(path, FeatureSequence(np.ones((4, 5), np.float32), sequence.timestamps_ms[:4], sequence.meta))
    with pytest.raises(DataError, match=r"3\.npz.*5 values.*8"):
        stages.run(config)


def test_clips_without_a_sentence_are_listed(tmp_path):
    config = configure(tmp_path, *SHORT, "tokenizer.min_count=1")
    manifest = corpus_dir(config) / "manifest.tsv"
    clips = read_manifest(manifest)
    next(clip for clip in clips if clip.split == "val").text = " "
    write_manifest(manifest, clips)
    stages.run(config)
    assert "it has no sentence" in (Path(config.paths.run_dir) / "dropped.tsv").read_text()


T5 = (
    "tokenizer=words", "model=t5_small", "model.architecture.d_model=16", "model.architecture.d_kv=8",
    "model.architecture.d_ff=16", "model.architecture.num_layers=1", "model.architecture.num_decoder_layers=1",
    "model.architecture.num_heads=2",
)  # fmt: skip


def test_s3_t5_in_fp16_is_refused_with_the_reason(tmp_path):
    config = configure(tmp_path, *SHORT, "trainer.precision=16-mixed", network=T5)
    with pytest.raises(ConfigError, match=r"precision=16-mixed: values inside T5 exceed .*bf16-mixed"):
        stages.run(config)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (("tokenizer=none",), "run=translate needs a tokenizer"),
        (("trainer.monitor=val_gloss_acc",), "val_gloss_acc is not measured by run=translate. Use one of val_loss, "),
        (("loss=focal",), "loss.focal_gamma=2.0 has no effect on translation"),
        (("model=transformer",), "names a network for recognition"),
        (("trainer.bucketing=false",), "which trainer.bucketing=false forbids"),
        (("generation.num_return=9",), "generation.num_return=9 must be at least 1 and at most"),
    ],
)
def test_what_does_not_go_together_is_said_at_once(tmp_path, overrides, words):
    network = tuple(key for key in NETWORK if not (overrides[0].startswith("model=") and key.startswith("model")))
    network = tuple(key for key in network if not (overrides[0] == "tokenizer=none" and key.startswith("tokenizer")))
    with pytest.raises(ConfigError, match=words):
        configure(tmp_path, "run=translate", *overrides, network=network)
