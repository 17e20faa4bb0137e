"""FSLR's .npz, read as its documents describe it and written so that reading gives the same."""

import json

import numpy as np
import pytest

from sign_recog.errors import ConfigError, DataError
from sign_recog.formats import fslr, fslr_parquet
from sign_recog.landmarks.layout import FSLR_FACE_IDS, get_layout
from sign_recog.storage.features import FeatureSequence
from sign_recog.storage.manifest import Clip, read_table
from sign_recog.storage.sequences import KeypointSequence

CAMERA = {"width": 200, "height": 100}


def write_npz(path, *, frames=4, **changes):
    """A file as FSLR writes it: x and y interleaved, in [0, 1]."""
    rng = np.random.default_rng(frames)
    arrays = {
        "X": rng.random((frames, 156)).astype(np.float32),
        "X2048": rng.random((frames, 2048)).astype(np.float32),
        "mask": rng.random((frames, 78)) < 0.7,
        "timestamps_ms": np.arange(frames, dtype=np.int64) * 40,
        "meta": np.array(json.dumps({"video": "x.mp4", "target_fps": 25})),
    } | changes
    arrays = {key: value for key, value in arrays.items() if value is not None}
    np.savez(path, **arrays)
    return arrays


def sequence(layout="holistic_543", frames=12, **meta) -> KeypointSequence:
    rng = np.random.default_rng(frames)
    chosen = get_layout(layout)
    keypoints = rng.random((frames, len(chosen), 3), dtype=np.float32) * (1, 0.5, 1)  # in a 200 x 100 image
    keypoints[3:5, chosen.parts["left_hand"]] = np.nan
    keypoints[:, chosen.parts["right_hand"]] = np.nan
    confidence = np.where(np.isnan(keypoints[..., 0]), 0, 1).astype(np.float32)
    meta = {"clip_id": "c", "width": 200, "height": 100, "fps": 25} | meta
    return KeypointSequence(keypoints.astype(np.float32), confidence, np.arange(frames) * 40, chosen, meta)


def features(frames=12, width=2048) -> FeatureSequence:
    values = np.random.default_rng(1).random((frames, width), dtype=np.float32)
    return FeatureSequence(values, np.arange(frames) * 40, {"clip_id": "c"})


def test_what_is_read_and_written_is_read_again_the_same(tmp_path):
    write_npz(tmp_path / "theirs.npz")
    first = fslr.read(tmp_path / "theirs.npz", clip_id="c", **CAMERA)
    vectors = fslr.read_features(tmp_path / "theirs.npz", clip_id="c")
    assert fslr.write(tmp_path / "ours.npz", first, vectors) == 0
    again = fslr.read(tmp_path / "ours.npz", clip_id="c", width=999, height=1)  # our files know their camera
    np.testing.assert_allclose(again.keypoints, first.keypoints, atol=1e-7)
    np.testing.assert_array_equal(again.confidence, first.confidence)
    np.testing.assert_array_equal(again.timestamps_ms, first.timestamps_ms)
    np.testing.assert_array_equal(fslr.read_features(tmp_path / "ours.npz", clip_id="c").features, vectors.features)
    assert (again.meta["width"], again.meta["height"], again.meta["fps"]) == (200, 100, 25)


def test_the_written_arrays_are_fslrs(tmp_path):
    given = sequence()
    fslr.write(tmp_path / "a.npz", given, features())
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    assert {name: (a.shape, a.dtype.str) for name, a in arrays.items() if name != "meta"} == {
        "X": ((12, 156), "<f4"), "X2048": ((12, 2048), "<f4"), "mask": ((12, 78), "|b1"),
        "timestamps_ms": ((12,), "<i8"),
    }  # fmt: skip
    assert arrays["X"].min() >= 0 and arrays["X"].max() <= 1
    ids = [*range(25), *range(33, 75), *(75 + i for i in FSLR_FACE_IDS)]  # pose 0-24, hands, eleven of the face
    for v, i in enumerate(ids):
        for t in (0, 7):
            if not np.isnan(given.keypoints[t, i, 0]):
                x, y = given.keypoints[t, i, :2]
                assert arrays["X"][t, 2 * v] == pytest.approx(x)
                assert arrays["X"][t, 2 * v + 1] == pytest.approx(y * 200 / 100)
    assert json.loads(str(arrays["meta"]))["width"] == 200


def test_short_gaps_are_filled_in_x_and_stay_missing_in_mask(tmp_path):
    given = sequence()
    fslr.write(tmp_path / "a.npz", given, None)
    with np.load(tmp_path / "a.npz") as file:
        x, mask = file["X"].reshape(12, 78, 2), file["mask"]
    assert not mask[3:5, 25:46].any() and mask[[2, 5], 25:46].all()
    np.testing.assert_allclose(x[3, 25:46], x[2, 25:46] + (x[5, 25:46] - x[2, 25:46]) / 3, atol=1e-6)
    assert not mask[:, 46:67].any() and not x[:, 46:67].any()


def test_points_outside_the_image_are_moved_to_its_edge_and_counted(tmp_path):
    given = sequence()
    given.keypoints[0, 0, :2], given.keypoints[1, 1, :2] = (1.2, 0.1), (-0.5, 0.9)
    assert fslr.write(tmp_path / "a.npz", given, None) == 3
    again = fslr.read(tmp_path / "a.npz", clip_id="c", **CAMERA)
    np.testing.assert_allclose(again.keypoints[0, 0, :2], (1, 0.1), atol=1e-6)
    np.testing.assert_allclose(again.keypoints[1, 1, :2], (0, 0.5), atol=1e-6)


def test_a_doubtful_pose_point_counts_as_not_detected(tmp_path):
    given = sequence()
    given.confidence[:, 5], given.confidence[:, 6] = 0.49, 0.5
    given.confidence[0, 33:54] = 0.1  # of hands FSLR asks only whether they are there
    fslr.write(tmp_path / "a.npz", given, None)
    confidence = fslr.read(tmp_path / "a.npz", clip_id="c", **CAMERA).confidence
    assert confidence[:, 5].max() == 0 and confidence[:, 6].min() == 1 and confidence[0, 25:46].all()


def test_s1_missing_landmarks_are_not_joints_in_the_top_left_corner(tmp_path):
    """S1 writes and masks missing points as (0, 0); here mask tells, and without mask the zeros themselves."""
    x = np.random.default_rng(0).random((6, 78, 2)).astype(np.float32)
    mask = np.ones((6, 78), bool)
    x[2, 25:46], mask[2, 25:46] = 0, False
    write_npz(tmp_path / "mask.npz", frames=6, X=x.reshape(6, 156), mask=mask)
    write_npz(tmp_path / "none.npz", frames=6, X=x.reshape(6, 156), mask=None)
    for name in ("mask", "none"):
        read = fslr.read(tmp_path / f"{name}.npz", clip_id="c", **CAMERA)
        np.testing.assert_array_equal(np.isnan(read.keypoints).all(axis=2), ~mask)
        np.testing.assert_array_equal(read.confidence, mask)


@pytest.mark.parametrize(
    ("arrays", "kinds"),
    [
        ({}, {"keypoints", "features"}),
        ({"X2048": None}, {"keypoints"}),
        ({"X": None, "mask": None}, {"features"}),
        ({"X2048": None, "mask": None, "X": np.ones((4, 2048), np.float32)}, {"features"}),
    ],
)
def test_a_file_needs_only_one_kind(tmp_path, arrays, kinds):
    path = tmp_path / "a.npz"
    write_npz(path, **arrays)
    assert fslr.contents(path).kinds == kinds
    if "keypoints" in kinds:
        assert len(fslr.read(path, clip_id="c", **CAMERA).keypoints) == 4
    else:
        with pytest.raises(DataError, match=r"holds no keypoints|has shape"):
            fslr.read(path, clip_id="c", **CAMERA)
    if "features" in kinds:
        assert fslr.read_features(path, clip_id="c").features.shape == (4, 2048)
    else:
        with pytest.raises(DataError, match="holds no features"):
            fslr.read_features(path, clip_id="c")


def test_without_times_the_speed_stands_in_meta(tmp_path):
    write_npz(tmp_path / "a.npz", timestamps_ms=None)
    assert fslr.read(tmp_path / "a.npz", clip_id="c", **CAMERA).timestamps_ms.tolist() == [0, 40, 80, 120]
    write_npz(tmp_path / "b.npz", timestamps_ms=None, meta=None)
    with pytest.raises(DataError, match="its speed is unknown"):
        fslr.read_features(tmp_path / "b.npz", clip_id="c")


@pytest.mark.parametrize(
    ("keypoints", "vectors", "error", "message"),
    [
        (sequence(), features(frames=3), DataError, "12 frames of keypoints and 3 feature vectors"),
        (sequence(), features(width=512), DataError, "512 values; FSLR holds InceptionV3's 2048"),
        (sequence(width=0), None, DataError, "meta holds width=0"),
        (sequence("holistic_75"), None, ConfigError, "needs 11 points that layout holistic_75 does not hold"),
        (None, None, DataError, "neither keypoints nor features"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, keypoints, vectors, error, message):
    with pytest.raises(error, match=message):
        fslr.write(tmp_path / "a.npz", keypoints, vectors)
    assert not (tmp_path / "a.npz").exists()


def test_the_tables_number_names_as_fslr_does(tmp_path):
    clips = [
        Clip("a/1", split="train", signer="s1", gloss="YES", category="SURVIVAL", extra={"occluded": "1"}),
        Clip("a/2", split="val", gloss="GOOD MORNING", category="GREETING"),
        Clip("a/3", split="test", gloss="NO", category="SURVIVAL"),
    ]
    rows = read_table(fslr.write_index(tmp_path, clips), required=("file", "gloss", "cat", "occluded"))
    assert [(r["file"], r["gloss"], r["cat"], r["occluded"]) for r in rows] == [
        ("a_1", "2", "1", "1"), ("a_2", "0", "0", ""), ("a_3", "1", "1", ""),
    ]  # fmt: skip
    names = read_table(tmp_path / "label_reference.csv", required=("gloss_id", "label", "cat_id", "category"))
    assert [tuple(row.values()) for row in names] == [
        ("0", "GOOD MORNING", "0", "GREETING"), ("1", "NO", "1", "SURVIVAL"), ("2", "YES", "1", "SURVIVAL"),
    ]  # fmt: skip


def test_the_parquet_beside_it_holds_the_same(tmp_path):
    pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed; see the extra formats")
    fslr_parquet.write(tmp_path / "a.npz", sequence(), features())
    table = fslr_parquet.read_table(tmp_path / "a.parquet")
    with np.load(tmp_path / "a.npz") as file:
        for name in ("X", "mask", "timestamps_ms"):
            np.testing.assert_array_equal(table[name], file[name])
    (tmp_path / "bad.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:200])
    with pytest.raises(DataError, match="cannot be read as parquet"):
        fslr_parquet.read_table(tmp_path / "bad.parquet")
