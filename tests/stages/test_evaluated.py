"""The page on a run shows the scores of one evaluation together, and names those that belong to another."""

import json
from pathlib import Path

import pytest

from sign_recog import stages
from sign_recog.stages.evaluated import SHUFFLED, evaluation_notes, evaluation_warnings, other_scores

TRAIN = (
    "trainer.max_epochs=4", "optim.lr=1e-2", "trainer.early_stopping.enabled=false", "trainer.monitor=val_gloss_acc",
    "trainer.monitor_mode=max",
)  # fmt: skip


def write(folder: Path, place: str, **changes) -> None:
    """A made-up evaluation; ``changes`` go into ``run`` or ``data``."""
    run = {"checkpoint": "best.ckpt", "epoch": 3}
    data = {"manifest": "data/x/manifest.tsv", "clips_hash": "v" if place in ("train", "val") else "t"}
    (run if changes.keys() <= run.keys() else data).update(changes)
    figures = {"val_loss": 1.0}
    content = {"run": run, "data": data, "scores": {"place": place}, "val_agrees": False}
    content |= {"val_reported": figures, "val_measured": {"val_loss": 2.0}}
    content |= {"permutations": [{"shannon_entropy": 1.0}]}
    content |= {"over_permutations": {"top1_per_instance": {"mean": 0.25, "std": None}}}
    (folder / place).mkdir(exist_ok=True)
    (folder / place / "metrics.json").write_text(json.dumps(content))


def notes(folder: Path) -> str:
    return " ".join(evaluation_notes(folder, json.loads((folder / "metrics.json").read_text())))


def test_evaluations_alike_are_shown_together(tmp_path):
    for place in ("", "val", "train", "shuffled"):
        write(tmp_path, place)
    write(tmp_path, "val", views={"num_clips": 1, "num_crops": 1})  # what records none is of one view
    write(tmp_path, "train", manifest=str(Path("data/x/manifest.tsv").resolve()))
    assert list(other_scores(tmp_path)) == ["train", "val", SHUFFLED]
    assert "top-1 on test is 25.0 %" in notes(tmp_path) and "left out" not in notes(tmp_path)
    assert "1.0000 then, 2.0000 now" in evaluation_warnings(tmp_path)[0]


@pytest.mark.parametrize("place", ["train", "val", "shuffled"])
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"checkpoint": "last.ckpt"}, "checkpoint is last.ckpt there, best.ckpt here"),
        ({"epoch": 1}, "epoch is 1 there, 3 here"),
        ({"views": {"num_clips": 10, "num_crops": 3}}, "views is 10x3 there, 1x1 here"),
        ({"manifest": "data/y/manifest.tsv"}, "data/y/manifest.tsv there"),
        ({"clips_hash": "other"}, "clips_hash is other there, t here"),
    ],
)
def test_another_evaluation_is_left_out_and_the_reason_given(tmp_path, place, change, reason):
    for name in ("", "val", "train", "shuffled"):
        write(tmp_path, name)
    write(tmp_path, place, **change)
    names = {"train": "train", "val": "val", "shuffled": SHUFFLED}
    if "clips_hash" in change and place != "shuffled":  # other splits have other clips
        assert list(other_scores(tmp_path)) == list(names.values())
        return
    text = notes(tmp_path)
    assert list(other_scores(tmp_path)) == [name for own, name in names.items() if own != place]
    assert f"Scores on {names[place]} are there but left out" in text and reason in text
    assert ("With shuffled frames top-1" in text) is (place != "shuffled")
    assert bool(evaluation_warnings(tmp_path)) is (place != "val")


def test_scoring_another_checkpoint_later_mixes_nothing(tiny):
    config = tiny("run=classify", *TRAIN)
    stages.run(config)
    folder = Path(config.paths.run_dir)
    stages.run(tiny("run=evaluate", "evaluation=full", *TRAIN))
    assert list(other_scores(folder)) == ["val", SHUFFLED] and "left out" not in notes(folder)
    stages.run(tiny("run=evaluate", f"run.checkpoint={folder}/checkpoints/last.ckpt", *TRAIN))
    assert other_scores(folder) == {} and evaluation_warnings(folder) == []
    stages.run(tiny("run=report", *TRAIN))
    content = json.loads((folder / "report.json").read_text())
    assert content["other_scores"] == {}
    assert "checkpoint is best.ckpt there, last.ckpt here" in (folder / "report.html").read_text()
