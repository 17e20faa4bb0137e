"""How a stage's end is told."""

import errno
import json
import os
from pathlib import Path

import pytest

from sign_recog import stages
from sign_recog.errors import DataError
from sign_recog.stages import lifecycle


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR])
@pytest.mark.parametrize("file", ["a.npz", None])
def test_what_the_disk_refuses_is_told_with_the_folders_to_check(tiny, monkeypatch, number, file):
    def refused(config):
        raise OSError(number, os.strerror(number), file)

    config = tiny("run=extract_features", "extractor=inception_v3")
    monkeypatch.setattr(lifecycle, "get_method", lambda target: refused)
    name = file or "A file"
    with pytest.raises(
        DataError, match=rf"{name}: {os.strerror(number)}. Check paths.data_root={config.paths.data_root}"
    ):
        stages.run(config)
    status = json.loads((Path(config.paths.run_dir) / "status.json").read_text())
    assert status["state"] == "failed" and os.strerror(number) in status["error"]
