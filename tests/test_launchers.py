"""The launchers do what they say."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("script", sorted((ROOT / "launchers").glob("*.sh")), ids=lambda path: path.stem)
def test_a_launcher_is_valid_bash(script):
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
    assert os.access(script, os.X_OK)


@pytest.mark.slow  # extracts with MediaPipe
def test_the_smoke_launcher_survives_a_kill(tmp_path):
    """Its first command is killed in the training; the repeated one must have gone on, not begun again."""
    pytest.importorskip("cv2", reason="OpenCV cannot be loaded; see the README on libGL", exc_type=ImportError)
    command = ["bash", ROOT / "launchers/smoke.sh", tmp_path]
    environment = os.environ | {"PYTHON": sys.executable}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (run,) = (tmp_path / "outputs/smoke").glob("*/seed1")
    earlier = json.loads((run / "provenance.json").read_text())["earlier"]
    assert len(earlier) == 1  # the process that was killed
    with (run / "metrics.csv").open() as file:
        assert [int(row["epoch"]) for row in csv.DictReader(file)] == list(range(1, 21))
    assert json.loads((run / "metrics.json").read_text())["data"]["clips"] == 3
