"""A bare key means the chosen stage's setting, and nothing else changes its meaning by it."""

import pytest

from sign_recog import cli, config
from sign_recog.config.preflight import check_command
from sign_recog.config.runs import schemas
from sign_recog.config.shorthand import expand
from sign_recog.errors import ConfigError


def expanded(*arguments: str) -> list[str]:
    return expand(list(arguments), cli.CONF_DIR)


@pytest.fixture(autouse=True)
def _schemas():
    config.register_schemas()


@pytest.mark.parametrize(
    ("stage", "given", "expected"),
    [
        ("report", "runs=outputs/**", "run.runs='outputs/**'"),
        ("report", "where=model=s3d,optim.lr>1e-4", "run.where='model=s3d,optim.lr>1e-4'"),
        ("report", "run.where=model=s3d", "run.where='model=s3d'"),
        ("report", "where='model=s3d'", "run.where='model=s3d'"),
        ("report", 'run.where="a=b"', 'run.where="a=b"'),
        ("clean", "confirm=true", "run.confirm=true"),
        ("classify", "force=true", "run.force=true"),
        ("pipeline", "force=true", "run.classify.force=true"),
        ("pipeline", "where=model=s3d", "run.report.where='model=s3d'"),
        ("pipeline", "steps=[classify]", "run.steps=[classify]"),
        ("evaluate", "checkpoint=best.ckpt", "run.checkpoint=best.ckpt"),
    ],
)
def test_a_setting_of_the_stage_needs_no_prefix(stage, given, expected):
    assert expanded(f"run={stage}", given) == [f"run={stage}", expected]


@pytest.mark.parametrize(
    "argument",
    ["seed=1", "name=x", "data=synthetic", "+experiment=smoke", "+sweep=seeds", "optim.lr=1", "xyz=1", "~logger", "job",
     "--multirun", "hydra.verbose=true", "loss/weighting=gradnorm", "where=model=s3d", "+force=1"],
)  # fmt: skip
def test_everything_else_stays_as_it_is(argument):
    assert expanded("run=prepare", argument) == ["run=prepare", argument]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("a,b", "['a','b']"),
        ('"/data/h2s, /data/yt asl"', "['/data/h2s','/data/yt asl']"),
        ("a=1", "['a=1']"),
        ("[a,b]", "[a,b]"),
        ("[a],[a,b]", "[a],[a,b]"),
        ("choice([a],[b])", "choice([a],[b])"),
        ("${oc.env:HOME}", "${oc.env:HOME}"),
        ("null", "null"),
        ("", ""),
    ],
)
def test_folders_may_be_joined_by_commas_as_ssvp_slt_joins_them(given, expected):
    """``data.train_data_dirs="how2sign,youtube-asl"``; twice is as once, since a sweep's jobs are read again."""
    assert expanded(f"data.train_dirs={given}") == [f"data.train_dirs={expected}"]
    assert expanded(f"data.train_dirs={expected}") == [f"data.train_dirs={expected}"]
    assert expanded("data.val_dir=a,b") == ["data.val_dir=a,b"]


def test_the_default_stage_and_an_experiments_stage_are_known(tmp_path):
    assert expanded("skip_existing=true") == ["run.classify.skip_existing=true"]
    (tmp_path / "experiment").mkdir()
    (tmp_path / "config.yaml").write_text("defaults:\n  - run: pipeline\n")
    (tmp_path / "experiment/mine.yaml").write_text("defaults:\n  - override /run: classify\n")
    assert expand(["+experiment=mine", "force=true"], tmp_path)[1] == "run.force=true"


def test_several_of_a_name_are_said():
    with pytest.raises(
        ConfigError, match=r"num_workers=2: there are several .*run\.extract_keypoints\.num_workers, run"
    ):
        expanded("num_workers=2")


def test_no_setting_of_a_stage_is_hidden_by_a_key_of_the_top():
    """Else the bare key would mean something else than its like in the stage."""
    names = {name for schema in schemas().values() for name in schema.__dataclass_fields__}
    # run.augment is a group of its own, which is chosen by augment@run.augment=NAME
    assert names & set(config.Config.__dataclass_fields__) == {"augment"}


def test_quotes_within_a_value_reach_the_stage():
    from conftest import load_config

    for text in (r"name=it's,a!=b\c", "a='b'", "a=\\'", "a=b\\"):
        assert load_config(*expanded("run=report", "runs=x", f"where={text}")).run.where == text


def test_the_documented_commands_pass():
    check_command(["run=report", "runs=outputs/**", "where=model=s3d"], cli.CONF_DIR)
    check_command(["run=clean", "confirm=true"], cli.CONF_DIR)
    with pytest.raises(ConfigError, match=r"run\.where has no effect without run\.runs"):
        check_command(["run=report", "where=model=s3d"], cli.CONF_DIR)
    with pytest.raises(ConfigError, match=r"Give one of the two"):
        check_command(["force=true", "skip_existing=true"], cli.CONF_DIR)
