"""A real SLURM for these tests: that of launchers/slurm/up.sh, never a cluster that others use as well.

Where none answers they are skipped; with REQUIRE_SLURM=1 they fail. ``make test-slurm`` brings one up first.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from slurm_cluster import Workplace


@pytest.fixture(scope="session")
def cluster():
    """A controller that answers."""
    folder = Path(os.environ.get("CLUSTER_ROOT", Path(os.environ.get("TMPDIR", "/tmp")) / "sign-recog-slurm"))
    conf, answers = folder / "etc/slurm.conf", False
    if conf.exists() and shutil.which("scontrol"):
        os.environ["SLURM_CONF"] = str(conf)
        answers = subprocess.run(["scontrol", "ping"], capture_output=True).returncode == 0
    if not answers:
        reason = "no SLURM of launchers/slurm/up.sh answers"
        if os.environ.get("REQUIRE_SLURM") == "1":
            pytest.fail(f"REQUIRE_SLURM=1, but {reason}")
        pytest.skip(reason)


@pytest.fixture
def workplace(cluster, tiny, tmp_path) -> Iterator[Workplace]:
    """A folder with a small corpus; none of its jobs is left behind."""
    tiny()
    place = Workplace(tmp_path)
    yield place
    if left := place.jobs():
        place.ask("scancel", *left)
