"""SignON's mediapipe/<stem>.npy."""

import pickle

import numpy as np
import pytest

from sign_recog.errors import ConfigError, DataError
from sign_recog.formats import signon
from sign_recog.landmarks.layout import get_layout
from sign_recog.storage.manifest import Clip
from sign_recog.storage.sequences import KeypointSequence

CAMERA = {"width": 640, "height": 480, "fps": 50.0}


def points(frames=6) -> np.ndarray:
    values = np.random.default_rng(0).random((frames, 75, 3)).astype(np.float32)
    values[1:3, 33:54] = np.nan
    return values


def test_s0_aspect_y_is_scaled_once_and_before_anything_else(tmp_path):
    """S0 takes the aspect from a flag and multiplies y by height / width, so that all axes count image widths."""
    given = points()
    np.save(tmp_path / "a.npy", given)
    read = signon.read(tmp_path / "a.npy", clip_id="a", **CAMERA)
    np.testing.assert_allclose(read.keypoints[..., 0], given[..., 0])
    np.testing.assert_allclose(read.keypoints[..., 1], given[..., 1] * 480 / 640, rtol=1e-6)
    np.testing.assert_allclose(read.keypoints[..., 2], given[..., 2])
    np.testing.assert_array_equal(read.confidence, ~np.isnan(given[..., 0]))
    assert read.timestamps_ms.tolist() == [0, 20, 40, 60, 80, 100]
    assert read.layout.name == "holistic_75"


def test_what_is_read_is_written_the_same(tmp_path):
    np.save(tmp_path / "a.npy", points())
    read = signon.read(tmp_path / "a.npy", clip_id="a", **CAMERA)
    assert signon.write(tmp_path / "b.npy", read, None) == 0
    np.testing.assert_allclose(np.load(tmp_path / "b.npy"), points(), rtol=1e-6)


def test_a_face_is_left_out(tmp_path):
    layout = get_layout("holistic_543")
    keypoints = np.random.default_rng(0).random((3, 543, 3)).astype(np.float32)
    meta = {"width": 10, "height": 10}
    signon.write(tmp_path / "a.npy", KeypointSequence(keypoints, keypoints[..., 0], np.arange(3), layout, meta), None)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), keypoints[:, :75])
    small = KeypointSequence(keypoints[:, :67], keypoints[:, :67, 0], np.arange(3), get_layout("signon_67"), meta)
    with pytest.raises(ConfigError, match="needs 8 points"):
        signon.write(tmp_path / "b.npy", small, None)


def test_the_table_has_exactly_signons_columns(tmp_path):
    clips = [Clip("x/1", split="train", signer="S1", gloss="HUIS", extra={"more": "1"})]
    assert signon.write_index(tmp_path, clips).read_text() == (
        "Id,Label,Participant,Video,Subset\n0,HUIS,S1,x_1.mp4,train\n"
    )
    assert signon.file_name(Clip("x/1")) == "mediapipe/x_1.npy"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (np.zeros((3, 67, 3)), r"float64 \(3, 67, 3\), expected float \(T, 75, 3\)"),
        (np.zeros((0, 75, 3)), "expected float"),
        (np.zeros((3, 75, 3), int), "expected float"),
        (np.full((3, 75, 3), np.inf), "infinite"),
        (np.array([object()]), "without pickled objects"),
        (b"\x93NUMPY", "cannot be read"),
        (pickle.dumps([1]), "cannot be read"),
        (None, "cannot be read"),
    ],
)
def test_damaged_and_foreign_files_are_refused(tmp_path, content, message):
    path = tmp_path / "a.npy"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        np.save(path, content, allow_pickle=True)
    with pytest.raises(DataError, match=message):
        signon.read(path, clip_id="a", **CAMERA)


def test_an_archive_under_a_wrong_name_is_refused(tmp_path):
    with (tmp_path / "a.npy").open("wb") as file:
        np.savez(file, a=np.zeros(3))
    with pytest.raises(DataError, match=r"is an .npz archive"):
        signon.read(tmp_path / "a.npy", clip_id="a", **CAMERA)
