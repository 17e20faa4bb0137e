"""run.json, and the names that tell checkpoints and set-aside runs."""

from pathlib import Path

from sign_recog.storage.run_record import (
    RunRecord,
    is_set_aside,
    read_record,
    set_aside,
    step_checkpoints,
    write_record,
)


def test_round_trip_and_damage(tmp_path):
    record = RunRecord("ab12cd34", 3, {"model": "s3d"}, trained=True, epochs=2, steps=10, objective=0.5)
    write_record(tmp_path, record)
    assert read_record(tmp_path) == record
    (tmp_path / "run.json").write_text('{"settings": "a')
    assert read_record(tmp_path) is None and read_record(tmp_path / "none") is None


def test_s2_checkpoints_are_ordered_by_number_not_by_name(tmp_path):
    """S2 took the last of the sorted file names, so epoch 1000 came before epoch 999."""
    (tmp_path / "checkpoints").mkdir()
    for name in ("step9999999", "step10000000", "step0000010", "best", "last", "step12x"):
        (tmp_path / "checkpoints" / f"{name}.ckpt").touch()
    assert [path.stem for path in step_checkpoints(tmp_path)] == ["step0000010", "step9999999", "step10000000"]


def test_a_run_that_is_set_aside_keeps_all_but_what_stays(tmp_path):
    folder = tmp_path / "seed1"
    for name in ("metrics.json", "run.log"):
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(name)
    first = set_aside(folder, staying=folder.glob("*.log"))
    assert [path.name for path in first.iterdir()] == ["metrics.json"]
    assert [path.name for path in folder.iterdir()] == ["run.log"]
    second = set_aside(folder, staying=iter(()))
    assert first != second and is_set_aside(first) and is_set_aside(second) and not is_set_aside(folder)
    assert not is_set_aside(Path("seed1.before-christmas"))
