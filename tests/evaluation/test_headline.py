"""Runs are judged by their task's score: best first, whether more of it is better or less."""

import json

import pytest
from conftest import load_config

from sign_recog import stages
from sign_recog.errors import ConfigError
from sign_recog.evaluation.aggregate import read_sweep
from sign_recog.evaluation.headline import POSE, RECOGNITION, TRANSLATION, headline_of


def write_runs(folder, score, values):
    for settings, value in values.items():
        own = folder / settings / "seed1"
        own.mkdir(parents=True)
        (own / "config.yaml").write_text(f"seed: 1\nmodel: {{name: {settings}}}\n")
        metrics = {"split": "test", "scores": {score: value, "num_frames": 3}, "run": {"settings": settings, "seed": 1}}
        (own / "metrics.json").write_text(json.dumps(metrics))


@pytest.mark.parametrize(
    ("score", "expected"),
    [("pixel_error", ["b", "c", "a"]), ("bleu4", ["a", "c", "b"]), ("top1_per_instance", ["a", "c", "b"])],
)  # fmt: skip
def test_the_best_stands_first(tmp_path, score, expected):
    write_runs(tmp_path, score, {"a": 0.9, "b": 0.1, "c": 0.5, "d": None})
    sweep = read_sweep(tmp_path)
    assert [group.settings for group in sweep.groups] == [*expected, "d"]
    assert sweep.headline.score == score


def test_scores_tell_the_task():
    assert headline_of(["loss", "pixel_error"]) is POSE
    assert headline_of(["bleu4", "loss"]) is TRANSLATION
    assert headline_of([]) is headline_of(["top1_per_instance"]) is RECOGNITION


def test_only_recognisers_are_compared_clip_by_clip(tmp_path):
    write_runs(tmp_path, "pixel_error", {"a": 0.9, "b": 0.1})
    with pytest.raises(ConfigError, match=r"judged by pixel error.*run\.folder"):
        stages.run(load_config("run=report", f"run.runs={tmp_path}/*/*", f"paths.output_root={tmp_path}"))
