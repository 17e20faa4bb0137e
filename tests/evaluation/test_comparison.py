"""Runs are ranked only where they answered the same clips with the same glosses; elsewhere the reason is named."""

import json

import numpy as np
import pytest
from made_runs import GLOSSES, write_scored
from scipy.stats import binomtest

from sign_recog.errors import DataError
from sign_recog.evaluation.comparison import compare_runs
from sign_recog.evaluation.runs import find_runs, read_run
from sign_recog.training.reproducibility import clips_hash


def compare(folder, split="test"):
    return compare_runs([read_run(path, split=split) for path in find_runs(folder)], split=split)


def answers(num_right: int, num_clips: int = 20) -> list[bool]:
    return [i < num_right for i in range(num_clips)]


def test_the_best_mean_is_first_and_seeds_are_one_row(tmp_path):
    for seed, right in ((1, 10), (2, 12), (3, 14)):
        write_scored(tmp_path / f"aaaa/seed{seed}", answers(right), settings="aaaa", seed=seed)
    write_scored(tmp_path / "bbbb/seed1", answers(16), settings="bbbb", model="mvit_v2_s")
    found = compare(tmp_path)
    (one,) = found.sets
    assert [found.names[group.settings] for group in one.groups] == ["mvit_v2_s", "s3d"]
    assert [len(group.runs) for group in one.groups] == [1, 3]
    assert one.groups[1].scores["top1_per_instance"].mean == pytest.approx(0.6)
    assert one.reasons == [] and found.unscored == []


OTHER = {
    "corpus": ({"data": {"corpus": "more signs"}}, "another corpus: signs here, more signs there"),
    "division": ({"data": {"split_strategy": "random"}}, r"another division of the clips \(split_strategy\)"),
    "clips": ({"first_clip": 5}, r"other clips were scored \(clips_hash\).* 20 clips here, 20 there"),
    "glosses": ({"data": {"glosses_hash": "other"}}, r"another list of glosses \(glosses_hash\)"),
    "views": (
        {"data": {"views": {"num_clips": 10, "num_crops": 3}}},
        r"another number of views .*10x3 here, 1x1 there",
    ),
}


@pytest.mark.parametrize("kind", OTHER)
def test_what_cannot_be_compared_stands_apart_with_the_reason(tmp_path, kind):
    changes, reason = OTHER[kind]
    for seed in (1, 2):
        write_scored(tmp_path / f"aaaa/seed{seed}", answers(10), settings="aaaa", seed=seed)
    write_scored(tmp_path / "bbbb/seed1", answers(19), settings="bbbb", **changes)
    found = compare(tmp_path)
    assert [[group.settings for group in one.groups] for one in found.sets] == [["aaaa"], ["bbbb"]]
    assert all(not one.significance for one in found.sets)  # nothing is tested across sets
    (text,) = found.sets[1].reasons
    import re

    swapped = re.search(reason.replace("signs here, more signs there", "more signs here, signs there"), text)
    assert swapped and "These runs cannot all be ranked" in found.warnings[0]


def test_seeds_of_one_setting_on_other_clips_make_no_mean(tmp_path):
    """A corpus prepared anew between two seeds: neither a common mean nor a common rank."""
    write_scored(tmp_path / "aaaa/seed1", answers(10), settings="aaaa", seed=1)
    write_scored(tmp_path / "aaaa/seed2", answers(20), settings="aaaa", seed=2, first_clip=3)
    found = compare(tmp_path)
    assert [one.groups[0].scores["top1_per_instance"].n for one in found.sets] == [1, 1]


def test_seeds_of_one_setting_in_other_views_make_no_mean(tmp_path):
    """Scores that record no views are of one."""
    many, one = ({"views": {"num_clips": n, "num_crops": c}} for n, c in ((10, 3), (1, 1)))
    for seed, right, data in ((1, 20, many), (2, 12, one), (3, 14, {})):
        write_scored(tmp_path / f"aaaa/seed{seed}", answers(right), settings="aaaa", seed=seed, data=data)
    write_scored(tmp_path / "bbbb/seed1", answers(16), settings="bbbb", data=one, config={"optim": {"lr": 0.2}})
    found = compare(tmp_path)
    means = [[(g.settings, g.scores["top1_per_instance"].mean) for g in one.groups] for one in found.sets]
    assert means == [[("bbbb", 0.8), ("aaaa", pytest.approx(0.65))], [("aaaa", 1.0)]]
    assert [one.basis.views for one in found.sets] == ["1x1", "10x3"] and "glosses and views" in found.warnings[0]


def test_the_best_is_tested_against_the_others_by_mcnemar(tmp_path):
    first, second = answers(15), [not ok for ok in answers(8)]  # 8 only first, 5 only second, 7 both
    write_scored(tmp_path / "aaaa/seed1", first, settings="aaaa")
    write_scored(tmp_path / "bbbb/seed1", second, settings="bbbb")
    (one,) = compare(tmp_path).sets
    result = one.significance["bbbb"]
    assert (result["only_first"], result["only_second"], result["both_right"]) == (8, 5, 7)
    assert result["p_value"] == pytest.approx(binomtest(8, 13).pvalue)
    assert result["difference"] == pytest.approx(3 / 20) and result["seeds"] == [1, 1]


def test_runs_of_the_same_seed_are_tested_where_there_are_such(tmp_path):
    for seed in (1, 2):
        write_scored(tmp_path / f"aaaa/seed{seed}", answers(15), settings="aaaa", seed=seed)
    write_scored(tmp_path / "bbbb/seed2", answers(5), settings="bbbb", seed=2)
    (one,) = compare(tmp_path).sets
    assert one.significance["bbbb"]["seeds"] == [2, 2]


def test_missing_answers_leave_the_test_out_and_say_so(tmp_path):
    for name, right in (("aaaa", 15), ("bbbb", 5)):
        write_scored(tmp_path / f"{name}/seed1", answers(right), settings=name)
    (tmp_path / "bbbb/seed1/predictions.csv").unlink()
    (one,) = compare(tmp_path).sets
    assert "Run run=evaluate first" in one.significance["bbbb"]["problem"]


def test_other_train_clips_are_named_but_do_not_forbid_a_comparison(tmp_path):
    for name, kept, left_out in (("aaaa", 1007, {"missing": 400, "too short": 35}), ("bbbb", 1442, {})):
        coverage = {"train": {"annotated": 1442, "kept": kept, "left_out": left_out}, "val": None}
        data = {"train_clips_hash": name, "train_clips": kept, "coverage": coverage}
        write_scored(tmp_path / f"{name}/seed1", answers(10), settings=name, data=data)
    (one,) = compare(tmp_path).sets
    (note,) = one.notes
    assert "1007 of 1442, without 400 missing, 35 too short (1 run)" in note and "1442 of 1442 (1 run)" in note


def test_the_folds_of_a_cross_validation_are_one_row(tmp_path):
    for model, shift in (("s3d", 0), ("r3d_18", 3)):
        for fold in (0, 1, 2):
            split = {"split": {"strategy": "kfold", "fold": fold, "folds": 3}}
            write_scored(
                tmp_path / f"{model}{fold}/seed1", answers(10 + fold - shift), settings=f"{model}{fold}", model=model,
                first_clip=20 * fold, config={"data": split}, data={"split_strategy": "kfold"},
            )  # fmt: skip
    (one,) = compare(tmp_path).sets
    assert [len(group.runs) for group in one.groups] == [3, 3] and one.basis.num_clips == 60
    assert "folds" in next(iter(one.significance.values()))["problem"]


def test_runs_of_earlier_versions_have_their_glosses_in_their_scores(tmp_path):
    write_scored(tmp_path / "aaaa/seed1", answers(10), settings="aaaa")
    old = write_scored(tmp_path / "bbbb/seed1", answers(10), settings="bbbb", record=False) / "metrics.json"
    metrics = json.loads(old.read_text())
    del metrics["data"]["glosses_hash"]
    metrics["scores"]["per_class"] = [{"gloss": gloss} for gloss in reversed(GLOSSES)]
    old.write_text(json.dumps(metrics))
    (one,) = compare(tmp_path).sets
    assert one.basis.glosses == clips_hash(GLOSSES) and len(one.groups) == 2


def test_names_tell_settings_of_one_network_apart(tmp_path):
    for name, lr in (("aaaa", 0.1), ("bbbb", 0.2)):
        write_scored(tmp_path / f"{name}/seed1", answers(10), settings=name, config={"optim": {"lr": lr}})
    write_scored(tmp_path / "cccc/seed1", answers(10), settings="cccc", model="r3d_18")
    assert sorted(compare(tmp_path).names.values()) == ["r3d_18", "s3d lr=0.1", "s3d lr=0.2"]


def test_runs_without_scores_are_listed_and_none_at_all_is_an_error(tmp_path):
    folder = write_scored(tmp_path / "aaaa/seed1", answers(10), settings="aaaa")
    write_scored(tmp_path / "bbbb/seed1", answers(10), settings="bbbb", split="val")
    found = compare(tmp_path)
    assert [run.folder.parent.name for run in found.unscored] == ["bbbb"] and "1 runs have no scores" in found.warnings[
        0
    ]
    (folder / "metrics.json").unlink()
    with pytest.raises(DataError, match=r"None of 2 runs has scores on test. Run run=evaluate run.split=test"):
        compare(tmp_path)
    assert np.isclose(compare(tmp_path, "val").sets[0].groups[0].scores["top1_per_instance"].mean, 0.5)
