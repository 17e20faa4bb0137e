"""samples.csv and clips/ or mediapipe/ -> clips."""

from functools import partial

import numpy as np
import pytest

from sign_recog.corpora import signon
from sign_recog.errors import DataError

CAMERA = {"width": 1280, "height": 720, "fps": 25}
read = partial(signon.read, keypoints=None, **CAMERA)
HEADER = "Id,Label,Participant,Video,Subset"


def make_corpus(folder, *lines, header=HEADER, videos=("v1.mp4", "v2.mp4")):
    (folder / "clips").mkdir(parents=True)
    for video in videos:
        (folder / "clips" / video).touch()
    (folder / "samples.csv").write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return str(folder)


def test_columns_get_their_meaning(tmp_path):
    corpus = read(make_corpus(tmp_path, "0,AUTO-A,S023,v1.mp4,train", "1,HUIS,S001,v2.mp4,val"), tmp_path)
    first, second = corpus.clips
    assert (first.clip_id, first.video, first.gloss, first.signer, first.split) == (
        "v1", "v1.mp4", "AUTO-A", "S023", "train",
    )  # fmt: skip
    assert first.extra == {"Id": "0"}
    assert second.split == "val"
    assert corpus.video_dir == tmp_path / "clips"
    assert read(str(tmp_path / "samples.csv"), tmp_path).clips == corpus.clips


@pytest.mark.parametrize(
    ("header", "line", "message"),
    [
        ("id,label,participant,video,subset", "0,A,S,v1.mp4,train", "lacks the column Id, Label"),
        (HEADER, "0,A,S,v1.mp4,all", "line 2: split 'all'"),
        (HEADER, "0,A,S,../../etc/passwd,train", "line 2: .*leads out of"),
        (HEADER, "0,A,S,gone.mp4,train", "none of its 1 videos"),
    ],
)
def test_wrong_tables_are_refused(tmp_path, header, line, message):
    with pytest.raises(DataError, match=message):
        read(make_corpus(tmp_path, line, header=header), tmp_path)


def test_a_folder_without_clips_is_named(tmp_path):
    make_corpus(tmp_path, "0,A,S,v1.mp4,train", videos=())
    (tmp_path / "clips").rmdir()
    with pytest.raises(DataError, match=r"none of its 1 videos .* beside clips/"):
        read(str(tmp_path), tmp_path)


def add_arrays(folder, *names, frames=4):
    (folder / "mediapipe").mkdir(exist_ok=True)
    for name in names:
        np.save(folder / "mediapipe" / f"{name}.npy", np.random.default_rng(0).random((frames, 75, 3)))


def test_a_folder_of_keypoints_needs_no_videos(tmp_path):
    make_corpus(tmp_path, "0,A,S,v1.mp4,train", "1,B,S,v2.mp4,val", "2,B,S,v3.mp4,val", videos=())
    (tmp_path / "clips").rmdir()
    add_arrays(tmp_path, "v1", "v2")
    corpus = read(str(tmp_path), tmp_path)
    assert [(clip.clip_id, clip.video, clip.gloss) for clip in corpus.clips] == [("v1", "", "A"), ("v2", "", "B")]
    assert corpus.video_dir is None and corpus.features is None
    assert "1 of 3 clips are left out: their keypoint file" in corpus.notes[0] and "1280x720" in corpus.notes[1]
    sequence = corpus.keypoints(corpus.clips[0])
    stored = np.load(tmp_path / "mediapipe/v1.npy")
    np.testing.assert_allclose(sequence.keypoints[..., 1], stored[..., 1] * 720 / 1280, rtol=1e-6)
    assert sequence.timestamps_ms.tolist() == [0, 40, 80, 120]


def test_where_both_are_there_the_setting_decides(tmp_path):
    make_corpus(tmp_path, "0,A,S,v1.mp4,train", videos=["v1.mp4"])
    add_arrays(tmp_path, "v1")
    assert read(str(tmp_path), tmp_path).keypoints is None
    assert read(str(tmp_path), tmp_path, keypoints=True).video_dir is None
    with pytest.raises(DataError, match="none of its 1 keypoint files"):
        make_corpus(tmp_path / "b", "0,A,S,v1.mp4,train", videos=["v1.mp4"])
        read(str(tmp_path / "b"), tmp_path, keypoints=True)


def test_s0_aspect_ratio_is_read_from_the_video_not_from_a_flag(tmp_path, test_data):
    """S0 is told the aspect of a whole corpus; here each clip's own video says it, where there is one."""
    source = next((test_data / "video_ksl77_koala" / "clips").glob("*.mp4"))  # 320 x 180
    make_corpus(tmp_path, "0,A,S,v1.mp4,train", "1,A,S,v2.mp4,train", videos=())
    (tmp_path / "clips/v1.mp4").write_bytes(source.read_bytes())
    add_arrays(tmp_path, "v1", "v2")
    corpus = read(str(tmp_path), tmp_path, keypoints=True, width=100, height=100)
    stored = np.load(tmp_path / "mediapipe/v1.npy")[..., 1]
    first, second = (corpus.keypoints(clip) for clip in corpus.clips)
    np.testing.assert_allclose(first.keypoints[..., 1], stored * 180 / 320, rtol=1e-6)
    np.testing.assert_allclose(second.keypoints[..., 1], stored, rtol=1e-6)
    assert first.meta["fps"] != 25 or first.meta["width"] == 320
    assert "the 1 clips without a video" in corpus.notes[0]
