"""keypoints.npz and labels.csv -> clips and keypoint sequences."""

import pickle

import numpy as np
import pytest

from sign_recog.corpora.holistic_arrays import read
from sign_recog.errors import ConfigError, DataError
from sign_recog.storage.sequences import read_keypoints, write_keypoints

CAMERA = {"width": 640, "height": 480, "fps": 25}
LABELS = "idx,gloss,who,part,n_frames\n0,hello,A,train,3\n1,_background,B,dev,2\n"


def make_frames():
    """Five frames of distinct numbers: the left hand is missing in frame 1, the pose in frame 4."""
    frames = (np.arange(1, 5 * 258 + 1).reshape(5, 258) / 2000).astype(np.float32)
    frames[1, 132:195] = 0
    frames[4, :132] = 0
    return frames


def make_corpus(folder, *, labels=LABELS, **changes):
    arrays = {"frames": make_frames(), "offsets": np.array([0, 3, 5])} | changes
    np.savez(folder / "keypoints.npz", **{key: value for key, value in arrays.items() if value is not None})
    (folder / "labels.csv").write_text(labels)
    return str(folder)


def test_columns_get_their_meaning(tmp_path):
    corpus = read(make_corpus(tmp_path), tmp_path, **CAMERA, signer_column="who", split_column="part")
    first, second = corpus.clips
    assert (first.clip_id, first.gloss, first.signer, first.split) == ("00000_hello", "hello", "A", "train")
    assert (second.clip_id, second.gloss, second.split) == ("00001__background", "_background", "val")
    assert corpus.video_dir is None
    assert "640x480" in corpus.notes[0]


def test_every_value_goes_where_the_layout_says(tmp_path):
    corpus = read(make_corpus(tmp_path), tmp_path, **CAMERA)
    frames = make_frames().astype(float)
    for clip, start in zip(corpus.clips, (0, 3), strict=True):
        sequence = corpus.keypoints(clip)
        assert sequence.layout.name == "holistic_75"
        for t in range(len(sequence.keypoints)):
            frame = frames[start + t]
            parts = {0: frame[:132], 33: frame[132:195], 54: frame[195:]}  # first landmark -> values
            for first, values in parts.items():
                width = 4 if first == 0 else 3
                for v in range(len(values) // width):
                    x, y, z = values[width * v : width * v + 3]
                    expected = (x, y * 480 / 640, z) if values.any() else (np.nan,) * 3
                    np.testing.assert_allclose(sequence.keypoints[t, first + v], expected, rtol=1e-6)
                    visible = values[4 * v + 3] if first == 0 else 1.0
                    assert sequence.confidence[t, first + v] == pytest.approx(visible if values.any() else 0)
    assert sequence.timestamps_ms.tolist() == [0, 40]
    assert sequence.meta["fps"] == 25


def test_reading_a_clip_leaves_the_stored_arrays_alone(tmp_path):
    corpus = read(make_corpus(tmp_path), tmp_path, **CAMERA)
    first = corpus.keypoints(corpus.clips[0]).keypoints.copy()
    np.testing.assert_array_equal(corpus.keypoints(corpus.clips[0]).keypoints, first)


def test_sequences_survive_the_keypoint_file(tmp_path):
    corpus = read(make_corpus(tmp_path), tmp_path, **CAMERA)
    sequence = corpus.keypoints(corpus.clips[1])
    write_keypoints(tmp_path / "a.npz", sequence)
    again = read_keypoints(tmp_path / "a.npz")
    np.testing.assert_array_equal(again.keypoints, sequence.keypoints)
    assert again.meta["clip_id"] == "00001__background"


def test_a_sequence_under_two_glosses_is_left_out_but_never_from_test(tmp_path):
    frames = np.concatenate([make_frames()[[0, 1]]] * 2 + [make_frames()[[2, 3]]] * 2 + [make_frames()[[0, 4]]] * 2)
    glosses, parts = ["no", "help", "no", "help", "yes", "yes"], ["train", "val", "test", "train", "train", "val"]
    rows = [f"{i},{gloss},2,{part}" for i, (gloss, part) in enumerate(zip(glosses, parts, strict=True))]
    labels = "\n".join(["idx,gloss,n_frames,part", *rows, ""])
    folder = make_corpus(tmp_path, labels=labels, frames=frames, offsets=np.arange(0, 13, 2))
    corpus = read(folder, tmp_path, **CAMERA, split_column="part", drop_contradictions=True)
    assert [clip.clip_id[:5] for clip in corpus.clips] == ["00002", "00003", "00004", "00005"]
    assert "2 sequences stand under several glosses" in corpus.notes[-1]
    assert len(read(folder, tmp_path, **CAMERA, split_column="part").clips) == 6


def test_rows_are_selected_by_value(tmp_path):
    folder = make_corpus(tmp_path)
    corpus = read(folder, tmp_path, **CAMERA, where={"who": "B"})
    assert [clip.gloss for clip in corpus.clips] == ["_background"]
    assert "1 of 2 sequences are left out" in corpus.notes[1]
    with pytest.raises(DataError, match=r"first values it has: {'who': \['A', 'B'\]}"):
        read(folder, tmp_path, **CAMERA, where={"who": "C"})
    with pytest.raises(DataError, match="lacks the column word16"):
        read(folder, tmp_path, **CAMERA, where={"word16": "1"})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frames": np.zeros((5, 1662), np.float32)}, "expected float .F, 258."),
        ({"frames": np.zeros((5, 258), np.int64)}, "expected float"),
        ({"frames": np.where(np.eye(5, 258, k=3), np.nan, 1)}, "frame 0 .sequence 0. is not finite"),
        ({"frames": np.where(np.arange(5)[:, None] == 3, np.inf, np.ones((5, 258)))}, "frame 3 .sequence 1."),
        ({"frames": np.array([None] * 5)}, "without pickled objects"),
        ({"frames": None}, "with frames and offsets"),
        ({"offsets": np.array([0, 4, 3, 5])}, "must rise"),
        ({"offsets": np.array([0, 0, 5])}, "must rise"),
        ({"offsets": np.array([0, 3, 6])}, "must rise from 0 to the number of frames .5."),
        ({"offsets": np.array([1, 3, 5])}, "must rise"),
        ({"offsets": np.array([0.0, 3.0, 5.0])}, "whole numbers"),
        ({"labels": "idx,gloss\n0,a\n2,b\n"}, "line 3: idx='2' is none of the 2"),
        ({"labels": "idx,gloss\n-1,a\n"}, "line 2: idx='-1'"),
        ({"labels": "idx,gloss\n0,a\n0,a\n"}, "line 3: clip .* is already"),
        ({"labels": "idx,gloss,n_frames\n0,a,4\n"}, "line 2: n_frames=4, but sequence 0 has 3"),
        ({"labels": "idx,word\n0,a\n"}, "lacks the column gloss"),
    ],
)
def test_damaged_sets_are_refused(tmp_path, changes, message):
    with pytest.raises(DataError, match=message):
        read(make_corpus(tmp_path, **changes), tmp_path, **CAMERA)


@pytest.mark.parametrize("content", ["missing", "pickle", "text", "half", "garbled", "npy"])
def test_files_that_are_no_arrays_are_refused(tmp_path, content):
    make_corpus(tmp_path, frames=np.random.default_rng(0).random((5, 258)))
    path = tmp_path / "keypoints.npz"
    data = path.read_bytes()
    path.unlink()
    if content == "pickle":
        path.write_bytes(pickle.dumps({"frames": 1}))
    elif content == "text":
        path.write_text("not found")
    elif content == "half":
        path.write_bytes(data[: len(data) // 2])
    elif content == "garbled":
        path.write_bytes(data[:500] + bytes(100) + data[600:])
    elif content == "npy":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    with pytest.raises(DataError, match=r"keypoints\.npz"):
        read(str(tmp_path), tmp_path, **CAMERA)


def test_a_camera_without_size_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="height=0"):
        read(make_corpus(tmp_path), tmp_path, width=640, height=0, fps=25)


def test_the_real_sets_are_read(test_data, tmp_path):
    folder = test_data / "kp_asl_webcam_multisigner"
    corpus = read(str(folder), tmp_path, **CAMERA, signer_column="signer", split_column="split")
    assert len(corpus.clips) == 2519
    assert len({clip.signer for clip in corpus.clips}) == 30
    sequence = corpus.keypoints(corpus.clips[7])
    shoulders = sequence.keypoints[:, 11, 0] - sequence.keypoints[:, 12, 0]
    assert (shoulders > 0).all()  # the signer's left shoulder is on the right of the image
    heights = sequence.keypoints[:, 0, 1], sequence.keypoints[:, 11, 1]
    assert (heights[0] < heights[1]).all()  # y points down: the nose is above the shoulder


def test_the_real_selection_of_words(test_data, tmp_path):
    folder = test_data / "kp_asl_traduttore"
    corpus = read(
        str(folder), tmp_path, **CAMERA, signer_column="contributor", split_column="split", where={"word16": "1"}
    )
    assert len(corpus.clips) == 3928
    assert len({clip.gloss for clip in corpus.clips}) == 16


def test_the_real_set_without_signers(test_data, tmp_path):
    corpus = read(str(test_data / "kp_isl13_mopgru"), tmp_path, **CAMERA)
    assert (len(corpus.clips), len({clip.gloss for clip in corpus.clips})) == (390, 13)
    assert {(clip.signer, clip.split) for clip in corpus.clips} == {("", "")}
    assert {len(corpus.keypoints(clip).keypoints) for clip in corpus.clips[:20]} == {30}
