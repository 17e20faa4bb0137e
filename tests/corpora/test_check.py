"""Every fault that a prepared corpus can have is found, named and does not hide another."""

import numpy as np
import pytest

from sign_recog.corpora import ksl77
from sign_recog.corpora.check import check_corpus, content_hashes
from sign_recog.corpora.splits import leakage
from sign_recog.landmarks.layout import get_layout
from sign_recog.storage.features import FeatureSequence, write_features
from sign_recog.storage.manifest import Clip
from sign_recog.storage.sequences import KeypointSequence, write_keypoints

DEFAULTS = {"decode": True, "min_frames": 5, "max_missing_hands": 0.5, "num_workers": 0}
DEFAULTS |= {"max_swapped_frames": None, "max_jump": None, "max_frozen_frames": None}  # of points that move at random
FPS = 25


def check(clips, video_dir=None, keypoints_dir=None, features_dir=None, **changes):
    return check_corpus(clips, video_dir, keypoints_dir, features_dir, **(DEFAULTS | changes))


def kinds(result):
    return [(problem.clip_id, problem.kind) for problem in result.problems]


def write_video(path, num_frames):
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        rng = np.random.default_rng(0)
        for _ in range(num_frames):
            image = rng.integers(0, 255, (48, 64, 3), np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def write_sequence(folder, name, *, num_frames=10, layout="holistic_75", change=None, **meta):
    layout = get_layout(layout)
    keypoints = np.random.default_rng(1).random((num_frames, len(layout), 3)).astype(np.float32)
    timestamps_ms = np.arange(num_frames) * 40
    if change is not None:
        change(keypoints, timestamps_ms)
    confidence = (~np.isnan(keypoints[..., 0])).astype(np.float32)
    write_keypoints(folder / f"{name}.npz", KeypointSequence(keypoints, confidence, timestamps_ms, layout, meta))
    return Clip(name, split="train", gloss="A")


def hide_hands(num_frames):
    def change(keypoints, timestamps_ms):
        keypoints[:num_frames, 33:75] = np.nan

    return change


def hide_all(keypoints, timestamps_ms):
    keypoints[:] = np.nan


def go_back(keypoints, timestamps_ms):
    timestamps_ms[5] = 0


def test_a_good_corpus_of_keypoints_needs_no_videos(tmp_path):
    clips = [write_sequence(tmp_path, "a"), write_sequence(tmp_path, "b/c", change=hide_hands(5))]
    result = check(clips, keypoints_dir=tmp_path)
    assert result.problems == []
    assert result.counts == {"clips": 2, "videos": 0, "keypoint_files": 2, "feature_files": 0, "bad_clips": 0}


def test_a_good_corpus_of_videos_needs_no_keypoints(tmp_path):
    write_video(tmp_path / "a.mp4", 10)
    clips = [Clip("a", "a.mp4", split="train", gloss="A"), Clip("b", "a.mp4", 0.0, 0.24, "train", gloss="A")]
    for decode in (True, False):
        result = check(clips, tmp_path, decode=decode)
        assert result.problems == []
        assert result.counts == {"clips": 2, "videos": 2, "keypoint_files": 0, "feature_files": 0, "bad_clips": 0}


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        ({"num_frames": 4}, "keypoints_short"),
        ({"num_frames": 0}, "keypoints_short"),
        ({"change": hide_all}, "keypoints_empty"),
        ({"change": hide_hands(6)}, "hands_missing"),
        ({"change": go_back}, "timestamps_unordered"),
        ({"layout": "fslr_78"}, "extraction_differs"),
        ({"extractor": "other"}, "extraction_differs"),
    ],
)
def test_each_fault_of_a_keypoint_file_is_named(tmp_path, made, kind):
    clips = [write_sequence(tmp_path, name) for name in "abc"] + [write_sequence(tmp_path, "bad", **made)]
    result = check(clips, keypoints_dir=tmp_path)
    assert ("bad", kind) in kinds(result)
    assert {problem.clip_id for problem in result.problems} == {"bad"}
    assert result.counts["bad_clips"] == 1


@pytest.mark.parametrize("damage", ["text", "half", "shape", "pickle", "garbled", "json"])
def test_damaged_keypoint_files_are_named(tmp_path, damage):
    clip = write_sequence(tmp_path, "bad", num_frames=50)
    path = tmp_path / "bad.npz"
    data = path.read_bytes()
    keypoints = np.zeros((5, 10, 3) if damage == "shape" else (5, 75, 3))
    arrays = {"keypoints": keypoints, "confidence": np.zeros((5, 75)), "timestamps_ms": np.arange(5)}
    if damage == "pickle":
        arrays["confidence"] = np.array([object()])
    if damage == "text":
        path.write_text("hello")
    elif damage == "half":
        path.write_bytes(data[: len(data) // 2])
    elif damage == "garbled":
        path.write_bytes(data[:300] + bytes(200) + data[500:])
    else:
        np.savez(path, **arrays, meta=np.array("[1]" if damage == "json" else '{"layout": "holistic_75"}'))
    assert kinds(check([clip], keypoints_dir=tmp_path)) == [("bad", "keypoints_unreadable")]


def test_a_missing_keypoint_file_is_named_with_the_remedy(tmp_path):
    result = check([Clip("a", split="train", gloss="A")], keypoints_dir=tmp_path)
    assert kinds(result) == [("a", "keypoints_missing")]
    assert "run=extract_keypoints" in result.problems[0].detail


@pytest.mark.parametrize("num_workers", [0, 2])
def test_each_fault_of_a_video_is_named(tmp_path, num_workers):
    write_video(tmp_path / "good.mp4", 10)
    write_video(tmp_path / "short.mp4", 3)
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("404 not found")
    labels = {"split": "train", "gloss": "A"}
    clips = [
        Clip("gone", "gone.mp4", **labels),
        Clip("outside", "../../etc/passwd", **labels),
        Clip("unnamed", **labels),
        Clip("empty", "empty.mp4", **labels),
        Clip("text", "text.mp4", **labels),
        Clip("short", "short.mp4", **labels),
        Clip("short_span", "good.mp4", 0.0, 0.12, **labels),
        Clip("late", "good.mp4", 2.0, **labels),
        Clip("long", "good.mp4", 0.1, 3.0, **labels),
        Clip("good", "good.mp4", 0.0, 0.4, **labels),
    ]
    expected = [
        ("gone", "video_missing"), ("outside", "video_missing"), ("unnamed", "video_missing"),
        ("empty", "video_unreadable"), ("text", "video_unreadable"), ("short", "video_short"),
        ("short_span", "video_short"), ("late", "span_beyond_end"), ("long", "span_beyond_end"),
    ]  # fmt: skip
    for decode in (True, False):
        assert kinds(check(clips, tmp_path, decode=decode, num_workers=num_workers)) == expected


def test_only_decoding_finds_damage_behind_the_header(test_data, tmp_path):
    data = bytearray((test_data / "video_ksl77_koala" / "clips" / "again_example1.mp4").read_bytes())
    moov = data.find(b"moov")
    media = data.find(b"mdat") + 8
    end = moov - 4 if moov > media else len(data)
    middle = (media + end) // 2  # the first frames stay whole
    data[middle:end] = bytes(end - middle)
    (tmp_path / "bad.mp4").write_bytes(bytes(data))
    clip = Clip("bad", "bad.mp4", split="train", gloss="A")
    assert check([clip], tmp_path, decode=False).problems == []
    assert check([clip], tmp_path, decode=True).counts["bad_clips"] == 1


def test_copied_videos_are_found_as_leakage(tmp_path):
    for name, content in {"a.mp4": b"one", "copy.mp4": b"one", "b.mp4": b"two", "c.mp4": b"other"}.items():
        (tmp_path / name).write_bytes(content)
    names = {"a": "train", "copy": "test", "b": "test", "c": "val", "gone": "val"}
    clips = [Clip(name, f"{name}.mp4", split=split, signer=split) for name, split in names.items()]
    hashes = content_hashes(clips, tmp_path)
    assert set(hashes) == {"a.mp4", "copy.mp4", "b.mp4"}  # c has a size of its own
    assert leakage(clips, hashes) == ["the same recording is in train (a) and in test (copy)."]


def test_labels_that_cannot_be_learned_are_named(tmp_path):
    clips = [
        Clip("a", split="train", gloss="A"), Clip("b", split="val", gloss="B"), Clip("c", split="test", gloss="B"),
        Clip("d", split="train"), Clip("e", split="test", text="a sentence"),
    ]  # fmt: skip
    result = check(clips)
    assert kinds(result) == [("d", "label_missing"), ("", "gloss_not_in_train")]
    assert result.problems[1].detail.startswith("B: 1 clips in val and 1 clips in test, none in train.")


def test_a_corpus_that_only_tests_is_no_fault():
    assert check([Clip("a", split="test", gloss="A"), Clip("b", split="test", gloss="B")]).problems == []


def test_the_real_clips_pass(test_data, tmp_path):
    corpus = ksl77.read(str(test_data / "video_ksl77_koala"), tmp_path)
    clips = [Clip(c.clip_id, c.video, split="train", gloss=c.gloss) for c in corpus.clips]
    assert check(clips, corpus.video_dir, decode=False).problems == []


def write_vectors(folder, name, *, num=10, width=6, change=None, **meta):
    features, times = np.random.default_rng(1).random((num, width), np.float32), np.arange(num) * 40
    if change is not None:
        change(features, times)
    meta = {"window": 1, "extractor": "given"} | meta
    write_features(folder / f"{name}.npz", FeatureSequence(features, times, meta))
    return Clip(name, split="train", gloss="A")


def test_s1_keypoints_need_no_features_and_features_no_keypoints(tmp_path):
    """S1's validator asks every file for X2048 by default, so folders of keypoints alone cannot pass."""
    keypoints = check([write_sequence(tmp_path, "a")], keypoints_dir=tmp_path)
    assert keypoints.problems == [] and keypoints.counts["feature_files"] == 0
    clips = [write_vectors(tmp_path / "f", name) for name in ("a", "b/c")]
    for video_dir in (None, tmp_path):
        features = check(clips, video_dir, features_dir=tmp_path / "f")
        assert features.problems == []
        assert (features.counts["keypoint_files"], features.counts["feature_files"]) == (0, 2)


def test_a_clip_may_be_one_window_of_many_frames(tmp_path):
    clip = write_vectors(tmp_path, "a", num=1, window=64)
    assert check([clip], features_dir=tmp_path).problems == []


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        ({"num": 4}, "features_short"),
        ({"num": 0, "window": 64}, "features_short"),
        ({"width": 7}, "features_differ"),
        ({"extractor": "other"}, "features_differ"),
        ({"change": lambda features, times: times.__setitem__(5, 0)}, "timestamps_unordered"),
        ({"change": lambda features, times: features.__setitem__((3, 2), np.nan)}, "features_unreadable"),
        ({"change": lambda features, times: features.__setitem__((3, 2), np.inf)}, "features_unreadable"),
    ],
)
def test_each_fault_of_a_feature_file_is_named(tmp_path, made, kind):
    clips = [write_vectors(tmp_path, name) for name in "abc"] + [write_vectors(tmp_path, "bad", **made)]
    result = check(clips, features_dir=tmp_path)
    assert kinds(result) == [("bad", kind)]
    assert result.counts["bad_clips"] == 1


def test_damaged_and_missing_feature_files_are_named_with_the_remedy(tmp_path):
    clips = [write_vectors(tmp_path, "bad"), Clip("gone", split="train", gloss="A")]
    (tmp_path / "bad.npz").write_bytes((tmp_path / "bad.npz").read_bytes()[:300])
    result = check(clips, features_dir=tmp_path)
    assert kinds(result) == [("bad", "features_unreadable"), ("gone", "features_missing")]
    assert "run=extract_features" in result.problems[1].detail


def signer(change=None):
    """A change for ``write_sequence`` that puts a drawn signer, slightly trembling, in place of noise."""

    def put(keypoints, timestamps_ms):
        moved, length = np.linspace(0, 1, len(keypoints))[:, None], len(keypoints)
        keypoints[:] = np.random.default_rng(0).normal(0, 0.002, keypoints.shape)
        for points, place in (
            ([11], (0.6, 0.4)), ([12], (0.4, 0.4)), ([15, *range(33, 54)], (0.7, 0.7)),
            ([16, *range(54, 75)], (0.3, 0.7)),
        ):  # fmt: skip
            keypoints[:, points, :2] += place
        keypoints[:, [15, *range(33, 54)], 1] -= 0.2 * moved * length / 30
        if change is not None:
            change(keypoints)

    return put


def exchange(keypoints):
    keypoints[5:9, 33:54], keypoints[5:9, 54:75] = keypoints[5:9, 54:75].copy(), keypoints[5:9, 33:54].copy()


def jump(keypoints):
    keypoints[12:, 54:75, 0] += 0.2


def freeze(keypoints):
    keypoints[10:24] = keypoints[10]


MOVEMENT = {"max_swapped_frames": 0, "max_jump": 8, "max_frozen_frames": 10}


def test_swapped_hands_jumps_and_frozen_frames_are_named_each_by_itself(tmp_path):
    changes = {"good": None, "hands_swapped": exchange, "keypoints_jump": jump, "keypoints_frozen": freeze}
    clips = [write_sequence(tmp_path, name, num_frames=30, change=signer(c)) for name, c in changes.items()]
    result = check(clips, keypoints_dir=tmp_path, **MOVEMENT)
    assert {(p.clip_id, p.kind) for p in result.problems} == {(name, name) for name in changes if name != "good"} | {
        ("hands_swapped", "keypoints_jump")  # hands that change places jump there, too
    }
    details = {problem.kind: problem.detail for problem in result.problems if problem.clip_id == problem.kind}
    assert "2 frames" in details["hands_swapped"] or "frames (5" in details["hands_swapped"]
    assert "right hand jumps in frame 12." in details["keypoints_jump"]
    assert "13 frames in a row" in details["keypoints_frozen"]


@pytest.mark.parametrize("name", MOVEMENT)
def test_what_is_not_looked_for_is_not_named(tmp_path, name):
    clips = [
        write_sequence(tmp_path, str(i), num_frames=30, change=signer(c))
        for i, c in enumerate((exchange, jump, freeze))
    ]
    kind = {
        "max_swapped_frames": "hands_swapped",
        "max_jump": "keypoints_jump",
        "max_frozen_frames": "keypoints_frozen",
    }
    result = check(clips, keypoints_dir=tmp_path, **MOVEMENT | {name: None})
    assert kind[name] not in {problem.kind for problem in result.problems}
    assert {problem.kind for problem in result.problems} == set(kind.values()) - {kind[name]}
