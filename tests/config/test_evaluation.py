"""The group evaluation: what it asks for, and that a training does not know of it."""

import pytest
from conftest import load_config

from sign_recog.config import identity
from sign_recog.errors import ConfigError
from sign_recog.stages.run_folder import plain


def test_how_a_run_is_evaluated_does_not_change_its_folder():
    changed = load_config("evaluation=full", "evaluation.views.num_clips=3", "evaluation.seed=7")
    assert changed.paths.run_dir == load_config().paths.run_dir
    ids = [identity.settings_id(plain(c)) for c in (changed, load_config())]
    assert ids[0] == ids[1]


def test_partial_scores_the_split_of_the_command_and_full_scores_all():
    assert load_config("run=evaluate", "run.split=val").evaluation.sets_of("val") == ["val"]
    full = load_config("run=evaluate", "evaluation=full").evaluation
    assert full.sets_of("test") == ["test", "val"] and full.shuffled and full.num_permutations > 1
    assert full.bar_graph and full.confusion_matrix and full.heat_map


@pytest.mark.parametrize("stage", ["evaluate", "pipeline"])
def test_a_split_that_is_not_scored_cannot_judge_the_run(stage):
    split = "run.split=train" if stage == "evaluate" else "run.evaluate.split=train"
    with pytest.raises(ConfigError, match=r"run\.split=train is what the run is judged by"):
        load_config(f"run={stage}", split, "evaluation=full")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["evaluation.sets=[test,all]"], "evaluation.sets names 'all'"),
        (["evaluation.sets=[test,test]"], "must name each set once"),
        (["evaluation.sets=[]"], "at least one"),
        (["evaluation.num_permutations=4"], "has no effect without shuffled frames"),
        (["evaluation.shuffled=true", "evaluation.num_permutations=0"], "must be at least 1"),
        (["evaluation.shuffled=true", "run.split=val"], "shuffles the frames of test"),
        (["evaluation.views.num_clips=0"], "num_clips=0 must be at least 1"),
        (["evaluation.views.num_crops=2"], "must be one of 1, 3, 5"),
        (["evaluation.seed=-1"], "must not be negative"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        load_config("run=evaluate", *settings)


def test_other_stages_do_not_care():
    load_config("run=classify", "evaluation=full")
    load_config("run=prepare", "evaluation.shuffled=true")
