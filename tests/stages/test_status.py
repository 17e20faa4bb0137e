"""run=status tells how the runs of a folder stand from their files."""

import json
import os
import time

import pytest

from sign_recog import stages
from sign_recog.errors import DataError
from sign_recog.launch import cluster
from sign_recog.launch.cluster import JobInfo
from sign_recog.launch.records import JobRecord, new_folder, write_jobs
from sign_recog.stages.run_folder import corpus_dir, corpus_root
from sign_recog.storage.claims import Claims
from sign_recog.storage.ledger import FOLDER, Ledger, Ledgers, stamp_of


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


@pytest.fixture
def extraction(tiny, tmp_path):
    """24 clips: 10 done, 2 of them cut since, 3 failed, 2 claimed by this process and 1 by one of another machine."""
    config = tiny("run=status")
    info = json.loads((corpus_dir(config) / "corpus.json").read_text()) | {"video_dir": str(tmp_path / "videos")}
    (corpus_dir(config) / "corpus.json").write_text(json.dumps(info))
    manifest = (corpus_dir(config) / "manifest.tsv").read_text().splitlines()
    names = [line.split("\t")[0] for line in manifest[1:]]
    folder = corpus_root(config) / "features/colours"
    ledger = Ledger(folder, "s")
    claims = Claims(folder, Ledgers(folder), ledger)
    for number, name in enumerate(names[:10]):
        path = folder / f"{name}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * (number + 5))
        ledger.say(name, "done", frames=30, about=["s", 0.0, None], output=stamp_of(path), video=None)
        if number < 2:
            path.write_bytes(b"x" * 3)
    for name in names[10:13]:
        ledger.say(name, "failed", reason=f"{name} is damaged.", about=["s", 0.0, None])
    gone = Ledger(folder, "s")
    gone._closed.set()
    assert Claims(folder, Ledgers(folder), gone).take(names[15]) is None
    gone.path.write_text(gone.path.read_text().replace('"machine":"', '"machine":"far '))
    os.utime(gone.path, (time.time() - 600,) * 2)
    assert [claims.take(name) for name in names[13:15]] == [None, None]
    yield config, names
    ledger.close()


def test_an_extraction_says_what_is_done_running_failed_and_missing_and_who_is_at_work(extraction, capsys):
    config, names = extraction
    summary = stages.run(config).summary
    assert summary == {"features/colours": "8 of 24 done, 2 running, 3 failed"}
    lines = capsys.readouterr().out.splitlines()
    (row,) = [line for line in lines if "features/colours" in line and "damaged" in line]
    cells = [cell.strip() for cell in row.strip("│┃ ").split("│")]
    assert cells[1:5] == ["8", "2", "3", "11"] and cells[8] == f"{names[10]}: {names[10]} is damaged."
    rate, hours = float(cells[5]), [int(part) for part in cells[7].split(":")]
    assert rate > 0 and float(cells[6]) == pytest.approx(rate * 30 / 60, rel=0.01)
    assert hours[0] * 3600 + hours[1] * 60 + hours[2] == pytest.approx(60 * 13 / rate, abs=1)
    (worker,) = [line for line in lines if f" {os.getpid()} " in line]
    assert f"{names[13]}, {names[14]}" in worker and " 10 " in worker


def test_an_extraction_and_its_jobs_are_both_shown(extraction, tmp_path, capsys):
    write_run(tmp_path / "outputs/tiny/abc/seed1-shard0of2", state="failed", error="DataError: no clips")
    summary = stages.run(extraction[0]).summary
    assert summary == {"failed": 1, "features/colours": "8 of 24 done, 2 running, 3 failed"}


def test_of_an_extraction_nobody_works_at_no_time_is_promised(extraction, capsys):
    config, _ = extraction
    for path in (corpus_root(config) / "features/colours" / FOLDER).glob("*.jsonl"):
        path.write_text(path.read_text() + json.dumps({"ended": 1.0}) + "\n")
    assert stages.run(config).summary == {"features/colours": "8 of 24 done, 0 running, 3 failed"}
    out = capsys.readouterr().out
    assert str(os.getpid()) not in out
