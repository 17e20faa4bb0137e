"""What a run writes down so that one can say later what ran."""

import json
import platform
import subprocess
import sys
from pathlib import Path

import torch
import yaml

from sign_recog import stages
from sign_recog.training.reproducibility import git_commit, peak_memory, record_end, record_start

ROOT = Path(__file__).parents[2]


def test_command_commit_versions_seed_host_and_memory_are_written(tmp_path):
    for seed in (3, 4):
        record_start(tmp_path / "provenance.json", seed)
    record_end(tmp_path / "provenance.json", [peak_memory()])
    record = json.loads((tmp_path / "provenance.json").read_text())
    assert record["command"].split()[1:] == " ".join(sys.argv).split() and record["seed"] == 4
    assert record["versions"]["torch"].partition("+")[0] == torch.__version__.partition("+")[0]
    assert (record["host"], record["python"]) == (platform.node(), platform.python_version())
    assert record["started"] <= record["ended"] and record["peak_memory_mb"] > 10
    assert [earlier["seed"] for earlier in record["earlier"]] == [3]  # what an earlier process wrote stays


def test_the_commit_is_gits_and_says_if_files_differ_from_it():
    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()

    changed = "-dirty" if git("status", "--porcelain", "--untracked-files=no") else ""
    assert git_commit() == (git("rev-parse", "HEAD") + changed or "unknown")


def test_every_value_lies_in_the_run_folder_and_in_the_checkpoint(tiny):
    from sign_recog.storage.checkpoint import read_checkpoint

    config = tiny("run=classify", "trainer.max_epochs=1", "optim.lr=0.003")
    stages.run(config)
    folder = Path(config.paths.run_dir)
    written = yaml.safe_load((folder / "config.yaml").read_text())
    assert written == read_checkpoint(folder / "checkpoints/last.ckpt").config
    assert (written["optim"]["lr"], written["seed"], written["model"]["d_model"]) == (0.003, 1, 16)
