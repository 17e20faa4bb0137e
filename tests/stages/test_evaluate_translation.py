"""run=evaluate of a translator: by which properties scores are told apart, and val beside what training reported."""

import json
import logging
from pathlib import Path
from types import SimpleNamespace

import pytest
from small_translation import COUNTS, configure
from untrained import write_untrained_translator

from sign_recog import stages
from sign_recog.stages import evaluate_translation
from sign_recog.stages.run_folder import corpus_dir
from sign_recog.storage.manifest import read_manifest, write_manifest


def test_scores_are_grouped_by_the_columns_asked_for(tmp_path, caplog):
    caplog.set_level("INFO")
    config = configure(tmp_path, "run=evaluate", "run.group_by=[weather,signer,occluded]")
    manifest = corpus_dir(config) / "manifest.tsv"
    clips = read_manifest(manifest)
    for number, clip in enumerate(clips):
        clip.extra["weather"] = ("dry", "wet", "")[number % 3]
    write_manifest(manifest, clips)
    words = ["rain", "sun", "wind", "snow", "north", "south"]
    path = write_untrained_translator(
        Path(config.paths.run_dir) / "checkpoints/best.ckpt", config, words=words, input_dim=8
    )
    stages.run(config)
    groups = json.loads((path.parents[1] / "metrics.json").read_text())["groups"]
    assert list(groups) == ["weather", "signer", "length"]
    test = [clip for clip in clips if clip.split == "test"]
    expected = {value: sum(clip.extra["weather"] == value for clip in test) for value in ("", "dry", "wet")}
    assert {value: row["num_clips"] for value, row in groups["weather"].items()} == expected
    assert sum(row["num_clips"] for row in groups["length"].values()) == COUNTS["test"]
    assert "run.group_by: no clip has occluded" in caplog.text
    stages.run(configure(tmp_path, "run=evaluate", "run.group_by=[]"))
    assert list(json.loads((path.parents[1] / "metrics.json").read_text())["groups"]) == ["length"]
    caplog.clear()
    stages.run(configure(tmp_path, "run=evaluate"))  # nothing is said of columns that nobody asked for
    assert list(json.loads((path.parents[1] / "metrics.json").read_text())["groups"]) == ["signer", "length"]
    assert "group_by" not in caplog.text


SAID = {"val_loss": 2.0, "val_token_acc": 0.5}


@pytest.mark.parametrize(
    ("reported", "precision", "difference", "agrees"),
    [
        (SAID, "32-true", 0.0, True),
        (SAID | {"val_loss": 2.0009}, "32-true", 0.0009, True),
        (SAID | {"val_token_acc": 0.4991}, "32-true", 0.0009, True),
        (SAID | {"val_loss": 2.0011}, "32-true", 0.0011, False),
        (SAID | {"val_loss": 1.9989}, "32-true", 0.0011, False),
        (SAID | {"val_token_acc": 0.5011}, "32-true", 0.0011, False),
        (SAID | {"val_token_acc": 0.4989, "val_loss": 2.0005}, "32-true", 0.0011, False),
        (SAID | {"val_loss": 2.009}, "bf16-mixed", 0.009, True),
        (SAID | {"val_loss": 2.011}, "bf16-mixed", 0.011, False),
        (SAID | {"val_token_acc": 0.489}, "16-mixed", 0.011, False),
        ({"val_loss": 2.5}, "32-true", 0.5, False),
        ({"val_token_acc": 0.5, "val_bleu4": 99.0}, "32-true", 0.0, True),  # sentences may be searched for otherwise
        ({"val_bleu4": 12.0}, "32-true", None, None),
    ],
)
def test_val_is_compared_with_what_training_reported(reported, precision, difference, agrees, caplog):
    trained = SimpleNamespace(metrics=reported, config={"trainer": {"precision": precision}}, path=Path("a/best.ckpt"))
    with caplog.at_level(logging.WARNING):
        found = evaluate_translation._compare_with_training(trained, SimpleNamespace(loss=2.0, accuracy=0.5))
    assert found["val_reported"] == {name: reported[name] for name in SAID if name in reported}
    assert found["val_measured"] == SAID
    assert found["val_difference"] == pytest.approx(difference) and found["val_agrees"] is agrees
    assert ("val is scored otherwise than in training" in caplog.text) == (agrees is False)
    if agrees is False:
        assert all(f"{name} {value:.6f} then, {SAID[name]:.6f} now" in caplog.text
                   for name, value in found["val_reported"].items())  # fmt: skip


@pytest.mark.parametrize("loss", [2.0, 3.0])
def test_a_val_that_is_scored_otherwise_than_in_training_is_told(loss, tmp_path, caplog):
    config = configure(tmp_path, "run=evaluate", "run.split=val")
    words = ["rain", "sun", "wind", "snow", "north", "south"]
    path = Path(config.paths.run_dir) / "checkpoints/best.ckpt"
    write_untrained_translator(path, config, words=words, input_dim=8)
    stages.run(config)
    measured = json.loads((path.parents[1] / "val/metrics.json").read_text())["val_measured"]["val_loss"]
    write_untrained_translator(path, config, words=words, input_dim=8, metrics={"val_loss": measured + loss - 2})
    stages.run(configure(tmp_path, "run=evaluate", "run.split=val"))
    found = json.loads((path.parents[1] / "val/metrics.json").read_text())
    assert found["val_agrees"] is (loss == 2.0)
    assert ("scored otherwise" in caplog.text) == (loss != 2.0)
