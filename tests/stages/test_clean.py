"""run=clean lists what is superseded, removes it once that is confirmed, and nothing else ever."""

import json
from pathlib import Path

import pytest
from conftest import load_config
from made_runs import write_scored

from sign_recog import stages
from sign_recog.errors import ConfigError
from sign_recog.storage.run_record import RunRecord, write_record

CHECKPOINTS = ("best", "last", "step0000010", "step9999999", "step10000000")


def make(folder: Path, *, trained=True, state="finished", select="best", scored=True, transfer=None) -> Path:
    config = {"trainer": {"select": select}, "transfer": {"checkpoint": transfer}}
    write_scored(folder, [True, False], settings="aaaa", config=config)
    write_record(folder, RunRecord("aaaa", 1, trained=trained))
    if not scored:
        (folder / "metrics.json").unlink()
    (folder / "status.json").write_text(json.dumps({"stage": "pipeline", "state": state}))
    (folder / "checkpoints").mkdir()
    for name in CHECKPOINTS:
        (folder / "checkpoints" / f"{name}.ckpt").write_bytes(b"x" * 100)
    (folder / "checkpoints" / ".last-abc.partial.ckpt").write_bytes(b"x" * 7)
    return folder


def clean(tmp_path: Path, *overrides: str):
    config = load_config("run=clean", f"paths.output_root={tmp_path / 'outputs'}", *overrides)
    return stages.run(config).summary


def there(folder: Path) -> set[str]:
    return {path.name.removesuffix(".ckpt") for path in (folder / "checkpoints").iterdir()}


def test_nothing_is_removed_before_it_is_confirmed(tmp_path, capsys):
    folder = make(tmp_path / "outputs/x/aaaa/seed1")
    summary = clean(tmp_path)
    assert there(folder) == {*CHECKPOINTS, ".last-abc.partial"}
    assert summary["in all, can be removed"] == "5, 407 B" and summary["bytes"] == 407
    assert summary["kept checkpoint, can be removed"] == "3, 300 B"
    assert "confirm=true" in summary["to remove them"] and "step10000000" in "".join(capsys.readouterr().out.split())


def test_of_a_finished_and_evaluated_run_the_selected_checkpoint_stays(tmp_path):
    folder = make(tmp_path / "outputs/x/aaaa/seed1")
    assert clean(tmp_path, "run.confirm=true")["bytes"] == 407
    assert there(folder) == {"best"}
    assert (folder / "metrics.json").exists() and (folder / "predictions.csv").exists()
    assert clean(tmp_path, "run.confirm=true")["bytes"] == 0


@pytest.mark.parametrize(
    ("state", "left"),
    [
        ({"select": "last"}, {"best", "last"}),
        ({"scored": False}, {"best", "last"}),
        ({"trained": False, "state": "stopped"}, {*CHECKPOINTS}),
        ({"trained": False, "state": "running"}, {*CHECKPOINTS, ".last-abc.partial"}),
        ({"trained": True, "state": "running"}, {*CHECKPOINTS, ".last-abc.partial"}),
    ],
)
def test_what_may_still_be_needed_stays(tmp_path, state, left, caplog):
    folder = make(tmp_path / "outputs/x/aaaa/seed1", **state)
    summary = clean(tmp_path, "run.confirm=true")
    assert there(folder) == left
    if state.get("state") == "running":
        assert summary["running, not touched"] == 1 and "says that it is running" in caplog.text


def test_s2_the_latest_are_kept_by_number_not_by_name(tmp_path):
    folder = make(tmp_path / "outputs/x/aaaa/seed1")
    clean(tmp_path, "run.confirm=true", "run.keep=2")
    assert there(folder) == {"best", "step9999999", "step10000000"}


def test_a_checkpoint_that_another_run_started_from_stays(tmp_path):
    folder = make(tmp_path / "outputs/x/aaaa/seed1")
    make(tmp_path / "outputs/y/bbbb/seed1", transfer=str(folder / "checkpoints/last.ckpt"))
    clean(tmp_path, "run.confirm=true")
    assert there(folder) == {"best", "last"}


def test_runs_that_were_set_aside_are_removed_whole(tmp_path):
    folder = make(tmp_path / "outputs/x/aaaa/seed1", trained=False)
    aside = make(tmp_path / "outputs/x/aaaa/seed1.before-20260102-030405")
    lookalike = tmp_path / "outputs/x/notes.before-20260102-030405"
    lookalike.mkdir()
    assert clean(tmp_path)["run that was set aside, can be removed"].startswith("1, ")
    clean(tmp_path, "run.confirm=true")
    assert not aside.exists() and folder.exists() and lookalike.exists()


ASIDE = "seed1.before-20260102-030405"


def test_of_chosen_runs_only_their_own_earlier_runs_go(tmp_path):
    """One chosen run directly below the output root does not make the whole of it chosen."""
    outputs = tmp_path / "outputs"
    make(outputs / "seed1")
    own, numbered = make(outputs / ASIDE), make(outputs / f"{ASIDE}-2")
    others = [make(outputs / "seed10.before-20260102-030405"), make(outputs / f"other/bbbb/{ASIDE}")]
    make(outputs / "other/bbbb/seed1")
    clean(tmp_path, f"run.runs={outputs / 'seed1'}", "run.confirm=true")
    assert not own.exists() and not numbered.exists() and all(path.exists() for path in others)
    clean(tmp_path, "run.confirm=true")
    assert not any(path.exists() for path in others)


def test_an_earlier_run_beside_the_output_root_is_not_below_it(tmp_path):
    make(tmp_path / "outputs")
    aside = make(tmp_path / "outputs.before-20260102-030405")
    for runs in ((), (f"run.runs={tmp_path}/output?",)):
        clean(tmp_path, "run.confirm=true", *runs)
    assert aside.exists()


@pytest.mark.parametrize("source", [ASIDE, "seed1"])
@pytest.mark.parametrize("chosen", [(), ("x/**",)])
def test_an_earlier_run_that_another_took_its_weights_from_stays(tmp_path, source, chosen, caplog):
    """By its own name; or by that of the run it made room for, as the other run may be older than that."""
    caplog.set_level("INFO")
    outputs = tmp_path / "outputs"
    new, aside = make(outputs / "x/aaaa/seed1"), make(outputs / f"x/aaaa/{ASIDE}")
    unused = make(outputs / "x/aaaa/seed2.before-20260102-030405")
    make(outputs / "x/aaaa/seed2")
    make(outputs / "y/bbbb/seed1", transfer=str(outputs / f"x/aaaa/{source}/checkpoints/best.ckpt"))
    clean(tmp_path, "run.confirm=true", *(f"run.runs='{outputs}/{glob}'" for glob in chosen))
    assert there(aside) == {*CHECKPOINTS, ".last-abc.partial"} and there(new) == {"best"} and not unused.exists()
    assert f"{aside}: another run took its weights from there" in caplog.text


def test_an_earlier_run_that_is_running_stays(tmp_path, caplog):
    aside = make(tmp_path / f"outputs/x/aaaa/{ASIDE}", state="running")
    make(tmp_path / "outputs/y/bbbb/seed1")
    summary = clean(tmp_path, "run.confirm=true")
    assert there(aside) == {*CHECKPOINTS, ".last-abc.partial"}
    assert summary["running, not touched"] == 1 and f"{aside}: status.json says that it is running" in caplog.text


def test_links_are_neither_followed_nor_removed(tmp_path):
    outside = make(tmp_path / "elsewhere/seed1")
    inside = make(tmp_path / "outputs/x/aaaa/seed1")
    (tmp_path / "outputs/y").symlink_to(tmp_path / "elsewhere")
    (inside / "checkpoints/last.ckpt").unlink()
    (inside / "checkpoints/last.ckpt").symlink_to(outside / "checkpoints/last.ckpt")
    aside = tmp_path / "outputs/x/aaaa/seed2.before-20260102-030405"
    make(aside)
    (aside / "link").symlink_to(outside)
    clean(tmp_path, "run.confirm=true")
    assert there(outside) == {*CHECKPOINTS, ".last-abc.partial"} and there(inside) == {"best", "last"}
    assert (tmp_path / "outputs/y").is_symlink() and not aside.exists()


def test_only_what_is_below_the_output_root_is_cleaned(tmp_path):
    outside = make(tmp_path / "elsewhere/seed1")
    (tmp_path / "outputs").mkdir()
    with pytest.raises(ConfigError, match=r"is not below paths.output_root"):
        clean(tmp_path, f"run.runs='{tmp_path}/elsewhere/**'", "run.confirm=true")
    assert there(outside) == {*CHECKPOINTS, ".last-abc.partial"}


def test_runs_can_be_chosen_by_folder_and_configuration(tmp_path):
    first, second = make(tmp_path / "outputs/x/aaaa/seed1"), make(tmp_path / "outputs/y/aaaa/seed1", select="last")
    clean(tmp_path, "run.confirm=true", f"run.runs='{tmp_path}/outputs/x/**'")
    assert there(first) == {"best"} and len(there(second)) == 6
    clean(tmp_path, "run.confirm=true", "run.where='trainer.select=best'")
    assert len(there(second)) == 6
    clean(tmp_path, "run.confirm=true", "run.where='trainer.select=last'")
    assert there(second) == {"best", "last"}


def test_an_empty_output_root_is_no_error_and_gets_no_status(tmp_path):
    assert clean(tmp_path)["bytes"] == 0
    assert not (tmp_path / "outputs").exists()
