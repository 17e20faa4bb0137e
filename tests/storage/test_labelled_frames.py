"""Labelled frames are read as they were written, and nothing leads out of their folders."""

import dataclasses

import numpy as np
import pytest
from drawn_dots import write_dots

from sign_recog.errors import DataError
from sign_recog.landmarks.named import NamedLandmarks
from sign_recog.storage.labelled_frames import LabelledFrames, frames_dir, open_frames, write_frames


@pytest.fixture
def stored(tmp_path):
    folder = tmp_path / "corpus" / "manifests" / "abc"
    images = write_dots(tmp_path / "images", num_frames=2)
    own = write_dots(frames_dir(folder) / "v.mp4", num_frames=3, context=True, split="val")
    frames = [
        dataclasses.replace(one, frame_id=f"{i}", video="v.mp4", number=i if i > 1 else None)
        for i, one in enumerate([*images.frames, *own.frames])
    ]
    landmarks = NamedLandmarks(("left", "right", "top"), (("left", "right"),), (), (("left", "top"),))
    points = np.concatenate([images.points, own.points])
    points[1, 2] = np.nan
    labelled = LabelledFrames(landmarks, frames, points, np.where(np.isnan(points[..., 0]), 0, 2).astype(np.int8))
    write_frames(folder, labelled, tmp_path / "images")
    return folder, labelled


def test_what_is_written_is_read_again(stored):
    folder, labelled = stored
    again = open_frames(folder)
    assert again.landmarks == labelled.landmarks and again.frames == labelled.frames
    assert np.array_equal(again.points, labelled.points, equal_nan=True)
    assert np.array_equal(again.visible, labelled.visible)
    assert len(again.of_split("val").frames) == 3 and np.array_equal(again.of_split("val").points, labelled.points[2:])


def test_a_picture_outside_the_folders_is_refused(stored, tmp_path):
    folder, labelled = stored
    with pytest.raises(DataError, match="lies outside"):
        write_frames(folder, labelled, tmp_path / "elsewhere")
    table = folder / "frames.tsv"
    table.write_text(table.read_text().replace("\timg000.png\timages", "\t../../secret.png\timages"))
    with pytest.raises(DataError, match="leads out of"):
        open_frames(folder)


def test_files_that_do_not_fit_together_are_refused(stored):
    folder, _ = stored
    lines = (folder / "frames.tsv").read_text().splitlines(keepends=True)
    (folder / "frames.tsv").write_text("".join(lines[:-1]))
    with pytest.raises(DataError, match="are not of the same frames"):
        open_frames(folder)
    (folder / "landmarks.json").write_text("{")
    with pytest.raises(DataError, match="is damaged"):
        open_frames(folder)
    (folder / "landmarks.json").unlink()
    with pytest.raises(DataError, match="holds no labelled frames"):
        open_frames(folder)
