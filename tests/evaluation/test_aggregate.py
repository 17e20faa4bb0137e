import json
import math
from pathlib import Path

import pytest

from sign_recog.errors import DataError
from sign_recog.evaluation.aggregate import build_sweep, read_sweep, summarize
from sign_recog.evaluation.runs import RunResult, find_runs, flatten, read_run


def write_run(
    folder: Path, *, top1=None, seed=1, settings="aaaa", split="test", clips_hash="h", config="", status=None
):
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(f"seed: {seed}\n{config}", encoding="utf-8")
    if status is not None:
        (folder / "status.json").write_text(json.dumps(status), encoding="utf-8")
    if top1 is not None:
        metrics = {
            "split": split,
            "scores": {"top1_per_instance": top1, "loss": 1 - top1, "num_clips": 9, "per_class": [], "category": None},
            "run": {"name": "x", "seed": seed, "settings": settings},
            "data": {"corpus": "synthetic", "clips_hash": clips_hash},
        }
        path = folder / ("" if split == "test" else split) / "metrics.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(metrics), encoding="utf-8")


def scored(settings, seed, top1, **config) -> RunResult:
    scores = {"top1_per_instance": top1}
    return RunResult(Path(f"{settings}/seed{seed}"), "scored", "", settings, seed, scores, {}, flatten(config))


def test_two_runs_have_the_closed_form_interval():
    summary = summarize([0.2, 0.6])
    assert summary.mean == pytest.approx(0.4)
    assert summary.std == pytest.approx(0.4 / math.sqrt(2))
    # Student's t with one degree of freedom is the Cauchy distribution: its quantile is tan(pi (p - 1/2)).
    half = math.tan(math.pi * 0.475) * summary.std / math.sqrt(2)
    assert summary.ci95 == pytest.approx((0.4 - half, 0.4 + half))


def test_three_runs_have_the_closed_form_interval():
    summary = summarize([1.0, 2.0, 3.0])
    # With two degrees of freedom the quantile is (2p - 1) sqrt(2 / (4p (1 - p))).
    half = 0.95 * math.sqrt(2 / (4 * 0.975 * 0.025)) / math.sqrt(3)
    assert (summary.n, summary.mean, summary.std) == (3, 2.0, 1.0)
    assert summary.ci95 == pytest.approx((2 - half, 2 + half))


def test_one_run_has_no_deviation():
    summary = summarize([0.7])
    assert (summary.mean, summary.std, summary.ci95, summary.text) == (0.7, None, None, "1 run")


def test_runs_that_differ_in_the_seed_are_one_group(tmp_path):
    for seed, top1 in ((3, 0.5), (1, 0.6), (2, 0.7)):
        write_run(tmp_path / "aaaa" / f"seed{seed}", top1=top1, seed=seed, settings="aaaa")
    write_run(tmp_path / "bbbb" / "seed1", top1=0.9, settings="bbbb")
    sweep = read_sweep(tmp_path)
    assert [(group.settings, group.seeds) for group in sweep.groups] == [("bbbb", [1]), ("aaaa", [1, 2, 3])]
    summary = sweep.groups[1].scores["top1_per_instance"]
    assert (summary.n, summary.mean, summary.std) == (3, pytest.approx(0.6), pytest.approx(0.1))
    assert set(sweep.groups[1].scores) == {"top1_per_instance", "loss"}


def test_runs_without_scores_are_listed_with_the_reason(tmp_path):
    write_run(tmp_path / "aaaa" / "seed1", top1=0.5)
    write_run(
        tmp_path / "aaaa" / "seed2", seed=2, status={"stage": "classify", "state": "failed", "error": "No memory."}
    )
    write_run(tmp_path / "aaaa" / "seed3", seed=3, status={"stage": "classify", "state": "running", "error": None})
    write_run(tmp_path / "aaaa" / "seed4", seed=4, status={"stage": "classify", "state": "finished", "error": None})
    write_run(tmp_path / "aaaa" / "seed5", seed=5, top1=0.5)
    (tmp_path / "aaaa" / "seed5" / "metrics.json").write_text('{"split": "te', encoding="utf-8")
    # It failed before it wrote its configuration.
    (tmp_path / "bbbb" / "seed1").mkdir(parents=True)
    (tmp_path / "bbbb" / "seed1" / "status.json").write_text(
        '{"stage": "classify", "state": "failed", "error": "No data."}'
    )
    sweep = read_sweep(tmp_path)
    assert [group.settings for group in sweep.groups] == ["aaaa", "bbbb"]
    assert sweep.groups[0].seeds == [1]
    states = [(run.seed, run.state, run.error) for group in sweep.groups for run in group.unfinished]
    assert states[:3] == [(2, "failed", "No memory."), (3, "running", ""), (4, "unscored", "")]
    assert states[3][:2] == (5, "damaged") and "metrics.json cannot be used" in states[3][2]
    assert states[4] == (1, "failed", "No data.")
    assert "5 of 6 runs have no scores on test" in sweep.warnings[0]


def test_only_runs_are_runs(tmp_path):
    write_run(tmp_path / "aaaa" / "seed1", top1=0.5)
    write_run(tmp_path / "aaaa" / "seed1" / "val", top1=0.4)  # inside a run: its results on another split
    write_run(tmp_path / ".hydra" / "copy", top1=0.1)
    for name, status in (("report", "running"), ("prepare", "finished")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "status.json").write_text(json.dumps({"stage": name, "state": status, "error": None}))
    assert find_runs(tmp_path) == [tmp_path / "aaaa" / "seed1"]
    assert find_runs(tmp_path / "aaaa" / "seed1") == [tmp_path / "aaaa" / "seed1"]


def test_each_split_has_its_own_scores(tmp_path):
    folder = tmp_path / "aaaa" / "seed1"
    write_run(folder, top1=0.8, split="val")
    assert read_run(folder, split="val").scores["top1_per_instance"] == 0.8
    assert read_run(folder, split="test").state == "unscored"
    (folder / "metrics.json").write_text((folder / "val" / "metrics.json").read_text())
    assert read_run(folder, split="test").state == "damaged"  # val's numbers never count as test's


def test_settings_in_which_groups_differ_are_named(tmp_path):
    common = "name: {0}\npaths: {{run_dir: /{0}}}\nmodel: {{dropout: {1}, layers: [1, 2]}}\n"
    write_run(tmp_path / "a", top1=0.5, settings="a", config=common.format("a", 0.1) + "optim: {lr: 0.1}\n")
    write_run(tmp_path / "b", top1=0.4, settings="b", config=common.format("b", 0.3))
    groups = read_sweep(tmp_path).groups
    assert [group.differing for group in groups] == [{"model.dropout": 0.1, "optim.lr": 0.1}, {"model.dropout": 0.3}]


def test_a_configuration_that_cannot_be_read_is_said(tmp_path):
    write_run(tmp_path / "a", top1=0.5, config="model: [1,\n")
    run = read_run(tmp_path / "a")
    assert run.state == "scored" and "config.yaml cannot be read" in run.error


def test_a_score_that_a_run_lacks_is_not_counted():
    runs = [scored("a", 1, 0.5), scored("a", 2, None), scored("a", 3, 0.7)]
    assert build_sweep(runs, split="test").groups[0].scores["top1_per_instance"].n == 2


def test_groups_do_not_depend_on_the_order_of_the_runs():
    runs = [scored("a", 1, 0.5), scored("b", 1, 0.9), scored("a", 2, 0.7), scored("c", 1, None)]
    assert build_sweep(runs, split="test") == build_sweep(runs[::-1], split="test")
    assert [group.settings for group in build_sweep(runs, split="test").groups] == ["b", "a", "c"]


def test_scores_that_cannot_be_compared_are_warned_of(tmp_path):
    write_run(tmp_path / "a", top1=0.5, seed=1, clips_hash="1")
    write_run(tmp_path / "b", top1=0.5, seed=1, clips_hash="2")
    write_run(tmp_path / "c", top1=0.5, seed=1, clips_hash="2", settings="cccc")
    text = " ".join(read_sweep(tmp_path).warnings)
    for expected in ("not scored on the same clips", "aaaa hold a seed twice", "too few seeds", "Choose on val"):
        assert expected in text


def test_scores_of_other_views_are_warned_of():
    """Runs without a record of views were scored in one."""
    views = [{"views": {"num_clips": 10, "num_crops": 3}}, {"views": {"num_clips": 1, "num_crops": 1}}, {}]
    runs = [scored("a", seed, 0.5) for seed in range(3)]
    for run, data in zip(runs, views, strict=True):
        run.data = data
    (text,) = build_sweep(runs, split="test").warnings
    assert "different views of a clip (10x3, 1x1:" in text or "different views of a clip (1x1, 10x3:" in text
    runs[0].data = views[1]
    assert build_sweep(runs, split="test").warnings == []


def test_three_seeds_of_one_setting_need_no_warning():
    assert build_sweep([scored("a", seed, 0.5) for seed in range(3)], split="test").warnings == []


def test_a_folder_without_runs_is_an_error(tmp_path):
    with pytest.raises(DataError, match="holds no run"):
        read_sweep(tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        read_sweep(tmp_path / "nothing")


def test_flatten_keeps_lists_and_drops_nothing():
    nested = {"a": {"b": 1, "c": {"d": [1, {"e": 2}]}}, "f": None, "g": {}}
    assert flatten(nested) == {"a.b": 1, "a.c.d": [1, {"e": 2}], "f": None, "g": {}}
    assert flatten({}) == {}
