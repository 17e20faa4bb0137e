"""A kill at any moment leaves the old file, the new one, or none."""

import os
import signal
import subprocess
import sys

import pytest

from sign_recog.storage import atomic


def test_an_error_while_writing_keeps_the_old_file_and_leaves_no_other(tmp_path):
    path = tmp_path / "a.txt"
    atomic.write_text(path, "old")
    with pytest.raises(RuntimeError), atomic.replaced(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_killed_writer_never_shows_half_a_file(tmp_path):
    code = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom sign_recog.storage import atomic\n"
        f"with atomic.replaced(Path({str(tmp_path / 'a.txt')!r})) as temporary:\n"
        "    temporary.write_text('half')\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -signal.SIGKILL
    assert not (tmp_path / "a.txt").exists()


def test_nan_is_refused_in_json(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        atomic.write_json(tmp_path / "a.json", {"score": float("nan")})


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_results_are_readable_by_a_group(tmp_path):
    atomic.write_text(tmp_path / "a.txt", "x")
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o644
