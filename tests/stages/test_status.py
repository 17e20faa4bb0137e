"""run=status tells how the runs of a folder stand from their files."""

import json

import pytest

from sign_recog import stages
from sign_recog.errors import DataError
from sign_recog.launch import cluster
from sign_recog.launch.cluster import JobInfo
from sign_recog.launch.records import JobRecord, new_folder, write_jobs


def write_run(folder, **status):
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("seed: 1\n")
    (folder / "status.json").write_text(json.dumps({"stage": "classify", "started": "now", "error": None, **status}))


def test_runs_that_were_started_here(tiny, tmp_path, capsys):
    sweep = tmp_path / "outputs/tiny"
    write_run(sweep / "abc/seed1", state="finished")
    write_run(sweep / "abc/seed2", state="failed", error="DataError: no clips\nmore")
    write_run(sweep / "abc/seed3", state="running")
    (sweep / "abc/seed3/progress.json").write_text(json.dumps({"epoch": 3, "epochs": 60, "metrics": {"val_loss": 0.5}}))
    result = stages.run(tiny("run=status"))
    out = capsys.readouterr().out
    assert result.summary == {"failed": 1, "finished": 1, "running": 1}
    assert "no clips" in out and "epoch 3 of 60" in out and "more" not in out


def test_submitted_jobs_stand_as_slurm_says_each_with_its_latest_submission(tiny, tmp_path, capsys, monkeypatch):
    sweep = tmp_path / "outputs/tiny"
    for array in ("12", "13"):
        folder = new_folder(sweep)
        write_jobs(
            folder, [JobRecord(f"{array}_{i}", i, [f"seed={i}"], sweep / f"abc/seed{i}", folder) for i in (1, 2)]
        )
    asked = []
    monkeypatch.setattr(
        cluster, "jobs", lambda ids: asked.extend(ids) or {i: JobInfo("PENDING", "Priority") for i in ids}
    )
    result = stages.run(tiny("run=status", f"run.folder={tmp_path / 'outputs'}"))
    assert result.summary == {"waiting": 2} and asked == ["13_1", "13_2"]
    assert not (tmp_path / "outputs/tiny/abc").exists()  # it writes nothing


def test_an_empty_folder_is_said_to_be_empty(tiny, tmp_path):
    with pytest.raises(DataError, match="no job was submitted"):
        stages.run(tiny("run=status", f"run.folder={tmp_path}"))
