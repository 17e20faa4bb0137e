"""Tables of landmarks, a row a frame, become clips with keypoints; their videos say how large and how fast they are."""

import numpy as np
import pytest

from sign_recog.corpora import landmark_csv
from sign_recog.errors import ConfigError, DataError
from sign_recog.storage.landmark_csv import LandmarkTable, write_landmark_csv
from sign_recog.video.writer import write_video

SETTINGS = {"video_dir": None, "width": None, "height": None, "fps": None, "columns": {"video": "path"}}
POINTS = np.arange(12.0).reshape(3, 2, 2)


@pytest.fixture
def tables(tmp_path):
    for gloss, name in (("hello", "a"), ("you", "b")):
        table = LandmarkTable(("nose", "tail"), ["0", "1", "2"], POINTS, likelihood=np.full((3, 2), 0.5))
        write_landmark_csv(tmp_path / "tables" / gloss / f"{name}.csv", table)
    return tmp_path / "tables"


def test_a_folder_with_one_subfolder_a_gloss(tables, tmp_path):
    corpus = landmark_csv.read(str(tables), tmp_path, **SETTINGS | {"width": 64, "height": 48, "fps": 20.0})
    assert [(clip.clip_id, clip.gloss) for clip in corpus.clips] == [("hello/a", "hello"), ("you/b", "you")]
    sequence = corpus.keypoints(corpus.clips[0])
    assert np.allclose(sequence.keypoints[..., :2], (POINTS + 0.5) / 64)
    assert sequence.timestamps_ms.tolist() == [0, 50, 100] and (sequence.confidence == 0.5).all()
    assert sequence.layout.landmarks.names == ("nose", "tail")


def test_videos_say_how_large_and_how_fast(tables, tmp_path):
    (tmp_path / "videos" / "hello").mkdir(parents=True)
    write_video(tmp_path / "videos" / "hello" / "a.mp4", [np.zeros((48, 32, 3), np.uint8)] * 3, 10)
    corpus = landmark_csv.read(str(tables), tmp_path, **SETTINGS | {"video_dir": str(tmp_path / "videos")})
    sequence = corpus.keypoints(corpus.clips[0])
    assert (sequence.meta["width"], sequence.meta["height"], sequence.timestamps_ms.tolist()) == (32, 48, [0, 100, 200])
    with pytest.raises(DataError, match=r"you/b\.csv: no video you/b\.\w+ is in"):
        corpus.keypoints(corpus.clips[1])


@pytest.mark.parametrize("given", [{}, {"width": 64, "height": 48}, {"video_dir": "x", "fps": 20.0}])
def test_size_and_speed_come_from_one_place(tables, tmp_path, given):
    with pytest.raises(ConfigError, match=r"data\.video_dir, or all of data\.corpus\.width, height and fps"):
        landmark_csv.read(str(tables), tmp_path, **SETTINGS | given)
