"""Keypoint files: a round trip, and a clear word on every kind of damage."""

import json

import numpy as np
import pytest

from sign_recog.errors import DataError
from sign_recog.landmarks.layout import get_layout
from sign_recog.storage.sequences import KeypointSequence, read_keypoints, read_meta, write_keypoints


@pytest.fixture
def sequence() -> KeypointSequence:
    rng = np.random.default_rng(0)
    keypoints = rng.random((4, 75, 3), dtype=np.float32)
    keypoints[1, 33:54] = np.nan
    confidence = (~np.isnan(keypoints[..., 0])).astype(np.float32)
    return KeypointSequence(keypoints, confidence, np.arange(4) * 40, get_layout("holistic_75"), {"clip_id": "수어 1"})


def save(path, **changes):
    meta = json.dumps({"layout": "holistic_75"})
    arrays = {
        "keypoints": np.zeros((4, 75, 3), np.float32),
        "confidence": np.ones((4, 75), np.float32),
        "timestamps_ms": np.arange(4),
        "meta": np.array(meta),
    }
    np.savez(path, **{name: value for name, value in (arrays | changes).items() if value is not None})
    return path


def test_round_trip(tmp_path, sequence):
    path = tmp_path / "a" / "b.npz"
    write_keypoints(path, sequence)
    back = read_keypoints(path)
    np.testing.assert_array_equal(back.keypoints, sequence.keypoints)
    np.testing.assert_array_equal(back.confidence, sequence.confidence)
    np.testing.assert_array_equal(back.timestamps_ms, sequence.timestamps_ms)
    assert back.layout.name == "holistic_75" and back.meta["clip_id"] == "수어 1"
    assert read_meta(path) == back.meta


def test_pickled_objects_are_refused_and_never_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    path = save(tmp_path / "a.npz", keypoints=np.array([Bomb()], dtype=object))
    (tmp_path / "ran").unlink(missing_ok=True)
    with pytest.raises(DataError, match="pickled"):
        read_keypoints(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"keypoints": np.zeros((4, 74, 3), np.float32)}, r"keypoints are \(4, 74, 3\), layout holistic_75 needs"),
        ({"confidence": np.zeros((3, 75), np.float32)}, r"confidence is \(3, 75\)"),
        ({"confidence": None}, "lacks confidence"),
        ({"meta": np.array("{")}, "meta is not JSON"),
        ({"meta": np.array("[1]")}, "meta is JSON, but no object"),
        ({"meta": np.array('{"layout": ["a"]}')}, "unknown landmark layout"),
        ({"keypoints": np.full((4, 75, 3), "a")}, "float, float and integer are needed"),
        ({"meta": np.array('{"layout": "mine"}')}, "unknown landmark layout 'mine'"),
        ({"keypoints": np.full((4, 75, 3), np.inf, np.float32)}, "infinite"),
    ],
)
def test_what_does_not_fit_is_said(tmp_path, changes, words):
    with pytest.raises(DataError, match=words) as caught:
        read_keypoints(save(tmp_path / "a.npz", **changes))
    assert "a.npz" in str(caught.value) and "Delete the file" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 half"])
def test_half_a_file_is_damaged_not_believed(tmp_path, content):
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match="cannot be read"):
        read_keypoints(path)


def test_a_truncated_file_is_damaged(tmp_path, sequence):
    path = tmp_path / "a.npz"
    write_keypoints(path, sequence)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match="cannot be read"):
        read_keypoints(path)


def test_random_damage_is_always_a_data_error(tmp_path, sequence):
    whole = tmp_path / "whole.npz"
    write_keypoints(whole, sequence)
    content, path, rng = whole.read_bytes(), tmp_path / "a.npz", np.random.default_rng(1)
    for _ in range(300):
        damaged = bytearray(content)
        for place in rng.integers(0, len(content), 8):
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            read_keypoints(path)
        except DataError as error:
            assert "a.npz" in str(error)
