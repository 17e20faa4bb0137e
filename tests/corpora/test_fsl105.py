"""FSLR's labels.csv, with videos or its .npz files -> clips."""

import json

import numpy as np
import pytest

from sign_recog.corpora.fsl105 import read
from sign_recog.errors import DataError
from sign_recog.storage.sequences import read_keypoints, write_keypoints

REFERENCE = "gloss_id,label,cat_id,category\n0,GOOD MORNING,0,GREETING\n15,DON'T KNOW,1,SURVIVAL\n"
CAMERA = {"width": 200, "height": 100}


def make_corpus(folder, lines, *, files, reference=""):
    for name in files:
        (folder / name).touch()
    (folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "reference.csv").write_text(reference, encoding="utf-8")
    settings = CAMERA | ({"label_reference": str(folder / "reference.csv")} if reference else {})
    return read(str(folder), folder / "out", **settings)


def write_npz(path, *, frames=4, **changes):
    rng = np.random.default_rng(frames)
    arrays = {
        "X": rng.random((frames, 156)).astype(np.float32),
        "X2048": np.zeros((frames, 2048), np.float32),
        "mask": rng.random((frames, 78)) < 0.7,
        "timestamps_ms": np.arange(frames, dtype=np.int64) * 40,
        "meta": np.array(json.dumps({"video": "x.mp4", "target_fps": 25})),
    } | changes
    np.savez(path, **{key: value for key, value in arrays.items() if value is not None})
    return arrays


def test_numbers_become_names_and_the_occlusion_flag_stays(tmp_path):
    lines = ["file,gloss,cat,occluded", "clip_0012_don't know,15,1,1", "clip_0001_good morning.mp4,0,0,0"]
    files = ["clip_0012_don't know.MOV", "clip_0001_good morning.mp4"]
    corpus = make_corpus(tmp_path, lines, files=files, reference=REFERENCE)
    first, second = corpus.clips
    assert (first.clip_id, first.video, first.gloss, first.category, first.extra) == (
        "clip_0012_don_t know", files[0], "DON'T KNOW", "SURVIVAL", {"occluded": "1"},
    )  # fmt: skip
    assert (second.clip_id, second.gloss, second.category) == ("clip_0001_good morning", "GOOD MORNING", "GREETING")
    assert (corpus.video_dir, corpus.keypoints, corpus.notes) == (tmp_path, None, [])


def test_without_a_reference_the_numbers_are_the_names(tmp_path):
    corpus = make_corpus(tmp_path, ["file,gloss,cat,split", "a,42,3,train"], files=["a.mp4"])
    assert (corpus.clips[0].gloss, corpus.clips[0].category, corpus.clips[0].split) == ("42", "3", "train")


def test_names_may_stand_in_the_labels_and_categories_without_numbers(tmp_path):
    reference = "gloss_id,gloss,category\n0,YES,SURVIVAL\n1,NO,SURVIVAL\n"
    corpus = make_corpus(
        tmp_path, ["file,gloss,cat", "a,YES,1", "b,1,1"], files=["a.mp4", "b.mp4"], reference=reference
    )
    assert [(clip.gloss, clip.category) for clip in corpus.clips] == [("YES", "SURVIVAL"), ("NO", "SURVIVAL")]


@pytest.mark.parametrize(
    ("lines", "reference", "message"),
    [
        (["file,label,cat", "a,1,1"], "", "lacks the column gloss"),
        (["file,gloss,cat", "a,99,1"], REFERENCE, "line 2: gloss='99' is not in"),
        (["file,gloss,cat", "a,0,7"], REFERENCE, "line 2: cat='7' is not in"),
        (["file,gloss,cat", "../../etc/passwd,0,0"], "", "line 2: .* leads out of"),
        (["file,gloss,cat", "gone,0,0"], "", "none of its 1 videos"),
        (["file,gloss,cat", "both,0,0"], "", "line 2: file 'both' may be both.mov or both.mp4"),
        (["file,gloss,cat", "a,0,0"], "gloss_id,label\n0,YES\n1,YES\n", "'YES' is 0, 1"),
        (["file,gloss,cat", "a,0,0"], "gloss_id,label\n0,YES\n0,NO\n", "0 is NO, YES"),
        (["file,gloss,cat", "a,0,0"], "gloss_id,word\n0,YES\n", "lacks a column label or gloss"),
        (["file,gloss,cat", "a,0,0", "n,0,0"], "", "holds .npz files for 1 of the 2 clips"),
    ],
)
def test_wrong_tables_are_refused(tmp_path, lines, reference, message):
    with pytest.raises(DataError, match=message):
        make_corpus(tmp_path, lines, files=["a.mp4", "both.mp4", "both.mov", "n.npz"], reference=reference)


def test_npz_files_become_keypoints_in_image_widths(tmp_path):
    arrays = write_npz(tmp_path / "clip_0001_yes.npz")
    corpus = make_corpus(tmp_path, ["file,gloss,cat", "clip_0001_yes,0,0"], files=[])
    assert corpus.video_dir is None
    assert "200x100" in corpus.notes[0]
    sequence = corpus.keypoints(corpus.clips[0])
    mask = arrays["mask"]
    for t in range(4):
        for v in range(78):
            x, y, z = sequence.keypoints[t, v]
            if mask[t, v]:
                assert x == pytest.approx(arrays["X"][t, 2 * v])
                assert y == pytest.approx(arrays["X"][t, 2 * v + 1] / 2)  # the image is twice as wide as high
                assert z == 0
            else:
                assert np.isnan([x, y, z]).all()
    np.testing.assert_array_equal(sequence.confidence, mask)
    np.testing.assert_array_equal(sequence.timestamps_ms, [0, 40, 80, 120])
    assert sequence.meta == {
        "clip_id": "clip_0001_yes", "width": 200, "height": 100, "fps": 25, "extractor": "given",
        "source": "clip_0001_yes.npz", "video": "x.mp4", "target_fps": 25,
    }  # fmt: skip
    write_keypoints(tmp_path / "out.npz", sequence)
    assert read_keypoints(tmp_path / "out.npz").layout.name == "fslr_78"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"X": np.zeros((4, 178), np.float32)}, r"X has shape \(4, 178\), expected \(4, 156\)"),
        ({"mask": np.ones((3, 78), bool)}, "mask has shape"),
        ({"X": np.full((4, 156), np.nan, np.float32)}, "not finite"),
        ({"X": np.zeros((0, 156), np.float32), "mask": np.zeros((0, 78)), "timestamps_ms": np.zeros(0)}, "empty"),
        ({"X": None}, "no readable FSLR file"),
        ({"X": np.array([object()])}, "no readable FSLR file"),
        ({"meta": np.array("[1]")}, "no readable FSLR file"),
    ],
)
def test_damaged_npz_files_are_refused(tmp_path, changes, message):
    write_npz(tmp_path / "a.npz", **changes)
    corpus = make_corpus(tmp_path, ["file,gloss,cat", "a,0,0"], files=[])
    with pytest.raises(DataError, match=message):
        corpus.keypoints(corpus.clips[0])
