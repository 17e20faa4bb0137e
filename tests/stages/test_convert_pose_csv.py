"""run=convert run.format=pose_csv: drawn signers leave as tables and as frames to label, and come back."""

import numpy as np
import pytest
from conftest import load_config

from sign_recog.errors import ConfigError
from sign_recog.stages import convert, prepare
from sign_recog.stages.run_folder import corpus_dir, prepared
from sign_recog.storage.corpus import open_corpus
from sign_recog.storage.labelled_frames import open_frames
from sign_recog.storage.sequences import read_keypoints

SMALL = [
    "data=synthetic", "data.corpus.num_glosses=2", "data.corpus.num_signers={train: 1, val: 1, test: 1}",
    "data.corpus.image_size=128", "++data.corpus.num_workers=0",
]  # fmt: skip


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Prepared, with its true landmarks in place of an extractor's."""
    folder = tmp_path_factory.mktemp("convert")
    paths = [f"paths.data_root={folder / 'data'}", f"paths.output_root={folder / 'out'}"]
    config = load_config("run=prepare", *SMALL, *paths)
    prepare.run(config)
    made = prepared(config)
    made.keypoints_dir("mediapipe_holistic").parent.mkdir()
    made.keypoints_dir("mediapipe_holistic").symlink_to(made.root / "truth")
    return folder, paths, made


def convert_all(corpus, *overrides):
    _, paths, _ = corpus
    return convert.run(load_config("run=convert", *SMALL, *paths, "run.format=pose_csv", *overrides))


def test_tables_come_back_as_the_same_keypoints(corpus):
    folder, paths, made = corpus
    result = convert_all(corpus, f"run.output_dir={folder / 'tables'}")
    config = load_config(
        "run=prepare", "data=landmark_csv", f"data.source={result.summary['table']}",
        f"data.video_dir={made.video_dir}", *paths,
    )  # fmt: skip
    prepare.run(config)
    again = prepared(config)
    assert [clip.clip_id for clip in again.clips] == [clip.clip_id for clip in made.clips]
    for clip in made.clips:
        before = read_keypoints(made.keypoints_dir("mediapipe_holistic") / f"{clip.clip_id}.npz")
        after = read_keypoints(again.keypoints_dir("given") / f"{clip.clip_id}.npz")
        assert after.layout == before.layout and np.array_equal(after.timestamps_ms, before.timestamps_ms)
        same = np.isclose(after.keypoints[..., :2], before.keypoints[..., :2], atol=1e-5, equal_nan=True)
        assert same.all()


def test_every_nth_frame_becomes_a_corpus_of_labelled_frames(corpus):
    folder, paths, made = corpus
    result = convert_all(corpus, f"run.output_dir={folder / 'labels'}", "run.every=10")
    table = result.summary["pictures to label"]
    config = load_config(
        "run=prepare", "data=pose_csv", f"data.source={table}", f"data.video_dir={made.video_dir}",
        "data.split.strategy=video_disjoint", *paths,
    )  # fmt: skip
    prepare.run(config)
    frames = open_frames(corpus_dir(config))
    expected = sum(
        len(
            range(
                0, len(read_keypoints(made.keypoints_dir("mediapipe_holistic") / f"{clip.clip_id}.npz").keypoints), 10
            )
        )
        for clip in made.clips
    )
    assert len(frames.frames) == expected and len(open_corpus(corpus_dir(config)).clips) == len(made.clips)
    first = made.clips[0]
    truth = (
        read_keypoints(made.keypoints_dir("mediapipe_holistic") / f"{first.clip_id}.npz").keypoints[10, :, :2] * 128
        - 0.5
    )
    row = [frame.frame_id for frame in frames.frames].index(f"labeled-data/{first.clip_id}/img00000010.png")
    names = list(frames.landmarks.names)
    nose = frames.points[row, names.index("pose.nose")]
    assert np.allclose(nose, truth[0], atol=0.006)


def test_pictures_are_for_tables_alone(corpus):
    with pytest.raises(ConfigError, match=r"run\.every=10 has no effect: format pose holds no pictures"):
        convert_all(corpus, "run.format=pose", "run.every=10")
