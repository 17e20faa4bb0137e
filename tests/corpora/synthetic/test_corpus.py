import av
import numpy as np
import pytest

from sign_recog.corpora import synthetic
from sign_recog.errors import ConfigError
from sign_recog.storage.manifest import read_manifest, write_manifest
from sign_recog.storage.sequences import read_keypoints

SETTINGS = {
    "num_glosses": 2,
    "num_signers": {"train": 2, "val": 1, "test": 1},
    "takes_per_gloss": 1,
    "image_size": 160,
    "seed": 3,
    "num_workers": 1,
}


def read(folder, **changes):
    return synthetic.read(None, folder, **(SETTINGS | changes))


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.mp4")} | {
        str(path.relative_to(folder)): read_keypoints(path).keypoints.tobytes() for path in folder.rglob("*.npz")
    }


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rendered")
    return folder, read(folder)


def test_two_processes_write_the_same_files_as_one(rendered, tmp_path):
    folder, corpus = rendered
    assert read(tmp_path, num_workers=2).clips == corpus.clips
    assert contents(tmp_path) == contents(folder)
    assert len(contents(folder)) == 2 * len(corpus.clips) == 16


def test_rendering_again_and_again_gives_the_same_video(tmp_path):
    videos = set()
    for again in range(8):
        read(tmp_path / str(again), num_glosses=1, num_signers={"train": 1}, image_size=320)
        videos |= {path.read_bytes() for path in tmp_path.glob(f"{again}/clips/*.mp4")}
    assert len(videos) == 1


def test_a_clip_does_not_depend_on_the_others(rendered, tmp_path):
    folder, _ = rendered
    read(tmp_path, num_glosses=1, num_signers={"train": 1, "test": 1}, takes_per_gloss=2)
    shared = contents(tmp_path).keys() & contents(folder).keys()
    assert len(shared) == 4  # two clips, two files each
    assert all(contents(tmp_path)[name] == contents(folder)[name] for name in shared)


def test_no_signer_is_in_two_splits_and_training_has_both_handednesses(rendered):
    _, corpus = rendered
    signers = {split: {c.signer for c in corpus.clips if c.split == split} for split in ("train", "val", "test")}
    assert [len(signers[split]) for split in ("train", "val", "test")] == [2, 1, 1]
    assert len(set.union(*signers.values())) == 4
    assert {c.extra["handedness"] for c in corpus.clips if c.split == "train"} == {"left", "right"}


def test_clips_survive_the_manifest_and_say_what_is_signed(rendered, tmp_path):
    _, corpus = rendered
    write_manifest(tmp_path / "manifest.tsv", corpus.clips)
    assert read_manifest(tmp_path / "manifest.tsv") == corpus.clips
    assert {clip.gloss: clip.category for clip in corpus.clips} == {
        "spread-temple-hold": "thought",
        "fist-chest-circle-two": "feeling",
    }


def test_videos_hold_as_many_frames_at_as_many_a_second_as_the_truth(rendered):
    folder, corpus = rendered
    for clip in corpus.clips:
        truth = read_keypoints(folder / "truth" / f"{clip.clip_id}.npz")
        with av.open(str(corpus.video_dir / clip.video)) as container:
            stream = container.streams.video[0]
            assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
            assert (stream.width, stream.height) == (160, 160)
            times = [frame.time for frame in container.decode(stream)]
        np.testing.assert_allclose(np.array(times) * 1000, truth.timestamps_ms, atol=1)


def test_truth_is_missing_outside_the_image_and_nowhere_else(rendered):
    folder, corpus = rendered
    for clip in corpus.clips:
        truth = read_keypoints(folder / "truth" / f"{clip.clip_id}.npz")
        seen = truth.confidence == 1
        assert (np.isnan(truth.keypoints).all(axis=-1) == ~seen).all()
        assert ((truth.keypoints[seen][:, :2] >= 0) & (truth.keypoints[seen][:, :2] <= 1)).all()
        first, last = truth.meta["stroke"]
        part = "left_hand" if clip.extra["handedness"] == "left" else "right_hand"
        assert seen[first:last, truth.layout.parts[part]].mean() > 0.95
        assert seen[:, :17].mean() > 0.8  # head, shoulders and arms


def test_whole_clips_are_kept_and_damaged_ones_are_rendered_again(tmp_path):
    settings = {"num_glosses": 2, "num_signers": {"train": 1}}
    corpus = read(tmp_path, **settings)
    before = contents(tmp_path)
    first, second = (tmp_path / "clips" / clip.video for clip in corpus.clips)
    times = second.stat().st_mtime_ns
    first.write_bytes(first.read_bytes()[:1000])  # what a kill would leave without a temporary name
    (tmp_path / "clips" / ".left-over.partial.mp4").write_bytes(b"half a video")
    assert read(tmp_path, **settings).clips == corpus.clips
    (tmp_path / "clips" / ".left-over.partial.mp4").unlink()
    assert contents(tmp_path) == before
    assert second.stat().st_mtime_ns == times

    truth = tmp_path / "truth" / f"{corpus.clips[1].clip_id}.npz"
    truth.write_bytes(truth.read_bytes()[:100])
    read(tmp_path, **settings)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("changes", [{"image_size": 192}, {"seed": 4}])
def test_other_settings_render_again(tmp_path, changes):
    settings = {"num_glosses": 1, "num_signers": {"train": 1}}
    read(tmp_path, **settings)
    before = contents(tmp_path)
    read(tmp_path, **(settings | changes))
    after = contents(tmp_path)
    assert before.keys() == after.keys()
    assert all(before[name] != after[name] for name in before if name.endswith(".mp4"))
    fresh = tmp_path / "fresh"
    read(fresh, **(settings | changes))
    assert contents(fresh) == after


def test_all_bad_settings_are_named_at_once_and_nothing_is_written(tmp_path):
    with pytest.raises(ConfigError) as error:
        read(tmp_path / "out", num_signers={"train": 0, "dev": 1}, takes_per_gloss=0, image_size=161, seed=-1)
    for word in ("dev", "train", "takes_per_gloss=0", "image_size=161", "seed=-1"):
        assert word in str(error.value)
    with pytest.raises(ConfigError, match="source"):
        synthetic.read("somewhere", tmp_path / "out", **SETTINGS)
    assert not (tmp_path / "out").exists()


def test_mediapipe_finds_the_true_landmarks(tmp_path):
    mediapipe = pytest.importorskip("mediapipe", reason="MediaPipe cannot be imported", exc_type=ImportError)
    corpus = read(tmp_path, num_glosses=1, num_signers={"train": 1}, image_size=320)
    clip = corpus.clips[0]
    truth = read_keypoints(tmp_path / "truth" / f"{clip.clip_id}.npz")
    first, last = truth.meta["stroke"]
    with av.open(str(corpus.video_dir / clip.video)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)][first:last]
    body, hand = slice(0, 17), truth.layout.parts["right_hand"]
    with mediapipe.solutions.holistic.Holistic(model_complexity=1) as holistic:
        for index, frame in enumerate(frames[:8], start=first):
            found = holistic.process(frame)
            for landmarks, part, tolerance in (
                (found.pose_landmarks, body, 0.06),
                (found.right_hand_landmarks, hand, 0.02),
            ):
                points = np.array([[point.x, point.y] for point in landmarks.landmark])
                points = points[: part.stop - part.start]
                distance = np.linalg.norm(points - truth.keypoints[index, part, :2], axis=-1)
                assert np.nanmean(distance) < tolerance / 2
                assert np.nanmax(distance) < 2 * tolerance
