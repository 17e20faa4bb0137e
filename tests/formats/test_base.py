"""What the formats share."""

import importlib

import numpy as np
import pytest

from sign_recog.errors import ConfigError, DataError
from sign_recog.formats import base, fslr, pose, signon
from sign_recog.landmarks.layout import get_layout
from sign_recog.storage.manifest import Clip
from sign_recog.storage.sequences import KeypointSequence


def test_every_writer_has_what_the_protocol_asks_and_is_found_by_name():
    assert base.writers() == ["fslr", "fslr_parquet", "pose", "pose_csv", "signon", "ssvp_slt"]
    for name in base.writers():
        writer = base.get_writer(name)
        assert writer.KINDS.issubset({"keypoints", "features"}) and writer.LOSSES.endswith(".")
        assert writer.file_name(Clip("a/b")).partition(".")[0].endswith(("a/b", "a_b"))
        assert callable(writer.write) and callable(writer.write_index)


@pytest.mark.parametrize("name", ["elan", "base", "uea", "../fslr", ""])
def test_other_names_are_refused(name):
    with pytest.raises(ConfigError, match="is none of fslr, fslr_parquet, pose, pose_csv, signon, ssvp_slt"):
        base.get_writer(name)


def test_an_absent_library_is_named_with_its_extra(monkeypatch):
    def absent(name):
        raise ImportError("No module named 'pyarrow'")

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(ConfigError, match=r"Reading .parquet needs pyarrow.*pip install 'sign-recog\[formats\]'"):
        base.require("pyarrow.parquet", "Reading .parquet")


@pytest.mark.parametrize("fps", [12.5, 25, 30, 29.97])
def test_frame_times_and_fps_are_each_others_inverse(fps):
    times = base.frame_times(100, fps)
    assert times.dtype == np.int64 and times[0] == 0
    assert times[-1] == pytest.approx(99 * 1000 / fps, abs=0.5)
    assert base.fps_of(times) == pytest.approx(fps, rel=0.02)
    assert base.fps_of(times[:1]) == 0


READERS = {
    "fslr": lambda path: (fslr.contents(path), fslr.read(path, clip_id="c", width=9, height=9)),
    "signon": lambda path: signon.read(path, clip_id="c", width=9, height=9, fps=9),
    "pose": lambda path: (pose.missing_points(path, layout="fslr_78"), pose.read(path, clip_id="c", layout="fslr_78")),
}


@pytest.mark.parametrize("name", READERS)
def test_whatever_bytes_are_damaged_the_error_is_one_a_user_can_act_on(tmp_path, name):
    """Files are read or refused with a DataError; nothing else is raised, whichever bytes are wrong."""
    layout, rng = get_layout("holistic_543"), np.random.default_rng(5)
    keypoints = rng.random((2, 543, 3), np.float32)
    meta = {"width": 64, "height": 64, "fps": 25}
    sequence = KeypointSequence(keypoints, np.ones((2, 543), np.float32), np.array([0, 40]), layout, meta)
    base.get_writer(name).write(tmp_path / "good", sequence, None)
    content = (tmp_path / "good").read_bytes()
    refused = 0
    for i in range(60):
        damaged = bytearray(content[: rng.integers(len(content))] if i % 4 == 0 else content)
        for place in rng.integers(min(len(damaged), 3000) or 1, size=min(4, len(damaged))):
            damaged[place] = rng.integers(256)
        (tmp_path / "bad").write_bytes(damaged)
        try:
            READERS[name](tmp_path / "bad")
        except DataError as error:
            assert str(tmp_path / "bad") in str(error)
            refused += 1
    assert refused > 10
