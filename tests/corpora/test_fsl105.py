"""FSLR's labels.csv, with videos or its .npz files -> clips."""

import json

import numpy as np
import pytest

from sign_recog.corpora.fsl105 import read
from sign_recog.corpora.splits import select_categories, select_glosses
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


def test_the_occlusion_flag_is_0_or_1(tmp_path):
    with pytest.raises(DataError, match="line 3: occluded='yes' is neither 0 nor 1"):
        make_corpus(tmp_path, ["file,gloss,cat,occluded", "a,0,0,1", "b,0,0,yes"], files=["a.mp4", "b.mp4"])


def test_numbers_of_the_reference_are_offered_beside_the_names(tmp_path):
    corpus = make_corpus(tmp_path, ["file,gloss,cat", "a,15,1", "b,0,0"], files=["a.mp4", "b.mp4"], reference=REFERENCE)
    assert corpus.gloss_ids == {"0": "GOOD MORNING", "15": "DON'T KNOW"}
    assert corpus.category_ids == {"0": "GREETING", "1": "SURVIVAL"}
    assert [c.gloss for c in select_glosses(corpus.clips, ["15"], ids=corpus.gloss_ids)] == ["DON'T KNOW"]
    assert [c.gloss for c in select_glosses(corpus.clips, None, ["0"], corpus.gloss_ids)] == ["DON'T KNOW"]
    assert [c.gloss for c in select_categories(corpus.clips, ["0"], corpus.category_ids)] == ["GOOD MORNING"]
    with pytest.raises(DataError, match=r"1 glosses are not in the corpus(.|\n)*'99' \(numbered from 0 to 15\)"):
        select_glosses(corpus.clips, ["99"], ids=corpus.gloss_ids)
    with pytest.raises(DataError, match=r"1 categories are not(.|\n)*'SURVIVE': did you mean SURVIVAL"):
        select_categories(corpus.clips, ["SURVIVE"], corpus.category_ids)


def test_a_name_wins_over_another_gloss_number(tmp_path):
    reference = "gloss_id,label\n1,2\n2,B\n"
    corpus = make_corpus(tmp_path, ["file,gloss,cat", "a,1,", "b,2,"], files=["a.mp4", "b.mp4"], reference=reference)
    assert [c.clip_id for c in select_glosses(corpus.clips, ["2"], ids=corpus.gloss_ids)] == ["a"]


def test_npz_files_become_keypoints_in_image_widths(tmp_path):
    arrays = write_npz(tmp_path / "clip_0001_yes.npz")
    corpus = make_corpus(tmp_path, ["file,gloss,cat", "clip_0001_yes,0,0"], files=[])
    assert corpus.video_dir is None
    assert any("200x100" in note for note in corpus.notes)
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
    assert len(sequence.meta.pop("fingerprint")) > 30
    assert sequence.meta == {
        "clip_id": "clip_0001_yes", "width": 200, "height": 100, "fps": 25, "extractor": "given",
        "source": "clip_0001_yes.npz", "video": "x.mp4", "target_fps": 25,
    }  # fmt: skip
    write_keypoints(tmp_path / "out.npz", sequence)
    assert read_keypoints(tmp_path / "out.npz").layout.name == "fslr_78"
    np.testing.assert_array_equal(corpus.features(corpus.clips[0]).features, arrays["X2048"])


@pytest.mark.parametrize(
    ("absent", "offered"), [({"X2048"}, "keypoints"), ({"X", "mask"}, "features"), ({"X", "mask", "meta"}, "features")]
)
def test_s1_folders_of_one_kind_need_not_hold_the_other(tmp_path, absent, offered):
    """S1's validator asks for X2048 unless it is told not to, so folders of keypoints fail it as documented."""
    write_npz(tmp_path / "a.npz", **dict.fromkeys(absent))
    corpus = make_corpus(tmp_path, ["file,gloss,cat", "a,0,0"], files=[])
    assert [kind for kind in ("keypoints", "features") if getattr(corpus, kind)] == [offered]


def test_what_only_some_files_hold_is_named_and_not_offered(tmp_path):
    write_npz(tmp_path / "a.npz")
    write_npz(tmp_path / "b.npz", X2048=None)
    corpus = make_corpus(tmp_path, ["file,gloss,cat", "a,0,0", "b,0,0"], files=[])
    assert corpus.features is None and len(corpus.keypoints(corpus.clips[1]).keypoints) == 4
    assert corpus.notes[0].startswith("1 of 2 files hold no features (b), so features are not offered.")
    write_npz(tmp_path / "a.npz", X=None)
    with pytest.raises(DataError, match=r"neither keypoints .* nor features .* in common"):
        make_corpus(tmp_path, ["file,gloss,cat", "a,0,0", "b,0,0"], files=[])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"X": np.zeros((4, 178), np.float32)}, r"X has shape \(4, 178\), expected \(4, 156\)"),
        ({"X": np.float32(1)}, r"X has shape \(\), expected \(0, 156\)"),
        ({"mask": np.ones((3, 78), bool)}, "mask has shape"),
        ({"X": np.full((4, 156), np.nan, np.float32)}, "not finite"),
        ({"X": np.zeros((0, 156), np.float32), "mask": np.zeros((0, 78)), "timestamps_ms": np.zeros(0)}, "empty"),
        ({"X": None, "X2048": None}, "neither X nor X2048"),
        ({"X": np.array([object()])}, "no readable FSLR file"),
        ({"meta": np.array("[1]")}, "no readable FSLR file"),
        ({"meta": np.array("{")}, "no readable FSLR file"),
    ],
)
def test_damaged_npz_files_are_refused(tmp_path, changes, message):
    write_npz(tmp_path / "a.npz", **changes)
    with pytest.raises(DataError, match=message):
        corpus = make_corpus(tmp_path, ["file,gloss,cat", "a,0,0"], files=[])
        corpus.keypoints(corpus.clips[0])


def test_all_damaged_files_are_named_at_once(tmp_path):
    (tmp_path / "a.npz").write_text("hello")
    (tmp_path / "b.npz").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"2 of 2 files cannot be used(.|\n)*a.npz(.|\n)*b.npz"):
        make_corpus(tmp_path, ["file,gloss,cat", "a,0,0", "b,0,0"], files=[])
