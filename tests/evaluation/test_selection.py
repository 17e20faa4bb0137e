"""Runs are chosen by what their configuration says, and nothing in a condition is ever run as code."""

from pathlib import Path

import pytest
from made_runs import write_scored

from sign_recog.errors import ConfigError, DataError
from sign_recog.evaluation.runs import RunResult, flatten, read_run
from sign_recog.evaluation.selection import parse_conditions, runs_of_glob, select


def run(name: str, *, choices=None, **config) -> RunResult:
    return RunResult(Path(name), "scored", config=flatten(config), choices=choices or {})


RUNS = [
    run("a", choices={"model": "s3d"}, model={"_target_": "x.video.Video", "dropout": 0.5}, optim={"lr": 1e-3}, seed=1),
    run("b", choices={"model": "mvit_v2_s"}, model={"_target_": "x.video.Video"}, optim={"lr": 1e-4}, seed=2),
    run("c", model={"_target_": "x.s3d.S3D", "name": None}, optim={"lr": 2e-5}, data={"glosses": ["a", "b"]}, seed=3),
    run("d", model={"_target_": "x.gru.SignGRU"}, optim={"lr": 1e-3}, loss={"bias_prior": True}, seed=4),
]


@pytest.mark.parametrize(
    ("where", "names"),
    [
        (None, "abcd"),
        ("model=s3d", "ac"),  # as recorded, or for a run that did not record it by the network's module
        ("model!=s3d", "bd"),
        ("model=signgru", "d"),
        ("optim.lr=0.001", "ad"),
        ("optim.lr=1e-3", "ad"),
        ("optim.lr>1e-4", "ad"),
        ("optim.lr>=1e-4,optim.lr<0.001", "b"),
        ("seed<=2", "ab"),
        ("model.dropout=0.5", "a"),
        ("model.dropout!=0.5", "bcd"),
        ("model.dropout>0", "a"),
        ("data.glosses=[a,b]", "c"),
        ("data.glosses=[a, b],seed=3", "c"),
        ("loss.bias_prior=true", "d"),
        ("loss.bias_prior=1", ""),
        ("model.name=null", "c"),
    ],
)
def test_conditions_choose_the_runs_that_fulfil_all_of_them(where, names):
    if names:
        assert "".join(one.folder.name for one in select(RUNS, where)) == names
    else:
        with pytest.raises(DataError, match=r"loss.bias_prior is True in them"):
            select(RUNS, where)


def test_s2_filters_are_compared_and_never_evaluated(tmp_path):
    """S2 gave what was typed to eval."""
    trap = tmp_path / "made"
    for text in (f"__import__('pathlib').Path('{trap}').touch()", f"seed=__import__('os').mkdir('{trap}')"):
        with pytest.raises((ConfigError, DataError)):
            select(RUNS, text)
    assert not trap.exists()
    source = Path(__file__).parents[2] / "sign_recog/evaluation/selection.py"
    assert "eval(" not in source.read_text()


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("model.drop=0.5", r"none of 4 runs has a setting model.drop. Did you mean model.dropout"),
        ("lr>0.1", r"Did you mean optim.lr\?"),
        ("modle=s3d", r"Did you mean model"),
        ("model>3", r"the option of a group is no number"),
        ("optim.lr>fast", r"'fast' in optim.lr>fast is no number"),
        ("model", r"'model' is no condition. Write KEY=VALUE"),
        ("model=", r"is no condition"),
        ("seed=1,,seed=2", r"'' is no condition"),
    ],
)
def test_a_wrong_condition_is_said_with_what_was_meant(where, message):
    with pytest.raises(ConfigError, match=message):
        select(RUNS, where)


def test_no_run_left_shows_what_there_is():
    with pytest.raises(DataError, match=r"none of 4 runs fulfils it. seed is 1, 2, 3, 4 in them"):
        select(RUNS, "seed=9,model=s3d")
    with pytest.raises(DataError, match="Each condition alone is fulfilled by some"):
        select(RUNS, "seed=1,model=mvit_v2_s")


def test_signs_are_read_as_they_stand():
    found = [(c.key, c.sign, c.value) for c in parse_conditions("a>=1,b<=2,c!=x=y,loss/weighting=gradnorm")]
    assert found == [("a", ">=", "1"), ("b", "<=", "2"), ("c", "!=", "x=y"), ("loss/weighting", "=", "gradnorm")]


def test_a_glob_finds_runs_at_any_depth_once_and_no_set_aside_ones(tmp_path):
    for name in ("one/aaaa/seed1", "two/bbbb/seed1", "one/aaaa/seed1.before-20260101-101010"):
        write_scored(tmp_path / name, [True], settings="aaaa")
    names = lambda pattern: [str(p.relative_to(tmp_path)) for p in runs_of_glob(f"{tmp_path}/{pattern}")]  # noqa: E731
    both = ["one/aaaa/seed1", "two/bbbb/seed1"]
    assert names("**") == names("*") == names("*/*/*") == names("") == names("**/seed1") == both
    assert names("one/**") == names("one") == both[:1]
    with pytest.raises(DataError, match="there is no run in what this matches"):
        runs_of_glob(f"{tmp_path}/three*")


def test_choices_of_a_run_are_read_from_its_record(tmp_path):
    from sign_recog.storage.run_record import RunRecord, write_record

    write_scored(tmp_path / "r", [True], settings="aaaa", record=False)
    write_record(tmp_path / "r", RunRecord("aaaa", 1, choices={"model": "s3d"}))
    assert select([read_run(tmp_path / "r")], "model=s3d")
