"""run=evaluate of a translator: by which properties of the clips its scores are told apart."""

import json
from pathlib import Path

from small_translation import COUNTS, configure
from untrained import write_untrained_translator

from sign_recog import stages
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
