"""Tables and folders of .pose files -> clips and keypoints."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from sign_recog.corpora import pose_files
from sign_recog.errors import ConfigError, DataError
from sign_recog.formats import pose
from sign_recog.landmarks.layout import get_layout
from sign_recog.storage.sequences import KeypointSequence

read = partial(pose_files.read, out_dir=Path(), layout="holistic_75")
COLUMNS = {"video": "path"}


def write_pose(path, *, layout="holistic_75", frames=10, fps=25.0):
    chosen = get_layout(layout)
    keypoints = np.random.default_rng(frames).random((frames, len(chosen), 3), np.float32)
    meta = {"width": 100, "height": 80, "fps": fps}
    pose.write(path, KeypointSequence(keypoints, np.ones(keypoints.shape[:2]), np.arange(frames), chosen, meta), None)
    return keypoints


def test_a_folder_with_one_subfolder_a_gloss(tmp_path):
    keypoints = write_pose(tmp_path / "HUIS/1.pose")
    write_pose(tmp_path / "BOOM/1.pose")
    corpus = read(str(tmp_path), columns=COLUMNS)
    assert [(c.clip_id, c.gloss, c.video) for c in corpus.clips] == [("BOOM/1", "BOOM", ""), ("HUIS/1", "HUIS", "")]
    np.testing.assert_allclose(corpus.keypoints(corpus.clips[1]).keypoints, keypoints, atol=1e-6)
    assert corpus.video_dir is None


def test_a_table_names_files_spans_and_labels(tmp_path):
    keypoints = write_pose(tmp_path / "a.pose")
    write_pose(tmp_path / "b.pose")
    table = tmp_path / "index.csv"
    table.write_text("path,gloss,signer,start_s,end_s\na.pose,A,S1,0.08,0.2\na.pose,B,S1,0.2,\nb.pose,C,S2,,\n")
    corpus = read(str(table), columns=COLUMNS)
    assert [c.clip_id for c in corpus.clips] == ["a_0.08", "a_0.2", "b"]
    first, second, third = (corpus.keypoints(clip) for clip in corpus.clips)
    np.testing.assert_allclose(first.keypoints, keypoints[2:5], atol=1e-6)  # frames of 40 ms
    np.testing.assert_allclose(second.keypoints, keypoints[5:], atol=1e-6)
    assert first.timestamps_ms.tolist() == [0, 40, 80] and len(third.keypoints) == 10
    table.write_text("path,gloss,start_s,end_s\na.pose,A,5,6\n")
    late = read(str(table), columns=COLUMNS)
    with pytest.raises(DataError, match=r"no frame from 5 to 6 s .* it ends at 0.40 s"):
        late.keypoints(late.clips[0])


def test_files_of_too_few_points_are_left_out_and_named(tmp_path):
    write_pose(tmp_path / "A/whole.pose")
    write_pose(tmp_path / "B/less.pose", layout="signon_67")
    corpus = read(str(tmp_path), columns=COLUMNS)
    assert [c.clip_id for c in corpus.clips] == ["A/whole"]
    assert "1 files are left out: they lack points of layout holistic_75" in corpus.notes[0]
    with pytest.raises(DataError, match=r"none of its 2 .pose files holds the points of layout holistic_543"):
        read(str(tmp_path), columns=COLUMNS, layout="holistic_543")
    with pytest.raises(ConfigError, match="no landmark layout 'all'"):
        read(str(tmp_path), columns=COLUMNS, layout="all")


def test_missing_files_and_wrong_folders_are_said_in_these_words(tmp_path):
    (tmp_path / "index.csv").write_text("path,gloss\ngone.pose,A\n")
    with pytest.raises(DataError, match=r"none of its 1 poses .* Set data.corpus.pose_dir"):
        read(str(tmp_path / "index.csv"), columns=COLUMNS)
    with pytest.raises(DataError, match=r"holds no pose \(.pose\).*<clip>.pose"):
        read(str(tmp_path), columns=COLUMNS)
    (tmp_path / "index.csv").write_text("clip_id,gloss\nx,A\n")
    with pytest.raises(DataError, match="names no files"):
        read(str(tmp_path / "index.csv"))


def test_real_files_are_read_and_reduced_ones_refused(test_data, tmp_path):
    folder = test_data / "pose_files"
    lexicon = tmp_path / "lexicon"
    lexicon.mkdir()
    (lexicon / "sgg").symlink_to(folder / "dummy_lexicon_sgg")
    (lexicon / "index.csv").write_bytes((folder / "dummy_lexicon_sgg/index.csv").read_bytes())
    with pytest.raises(DataError, match=r"none of its 4 .pose files holds .* lacks 25"):
        read(str(lexicon / "index.csv"), columns={"video": "path", "gloss": "glosses", "text": "words"})
    table = tmp_path / "houses.csv"
    table.write_text("path,gloss\ncolin-1-HOUSE.pose,HOUSE\ncolin-2-HOUSE.pose,HOUSE\ncolin-SAD.pose,SAD\n")
    corpus = read(str(table), columns=COLUMNS, pose_dir=str(folder / "pose_eval"), layout="fslr_78")
    shapes = [corpus.keypoints(clip).keypoints.shape for clip in corpus.clips]
    assert shapes == [(93, 78, 3), (71, 78, 3), (76, 78, 3)]
