"""Clips encoded once: same frames, same times, exactly the box; resumed after a kill; originals untouched."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from small_wlasl import square_frames

from sign_recog.config.schema import Crop
from sign_recog.corpora.boxes import Box
from sign_recog.errors import DataError, SignRecogError
from sign_recog.stages.clip_encoder import Task, encode, is_cut, stored
from sign_recog.stages.small_clips import make_small_clips
from sign_recog.storage.manifest import Clip
from sign_recog.video.frame_index import read_frame_index
from sign_recog.video.reader import probe, read_frames
from sign_recog.video.writer import write_video

WIDTH, HEIGHT = 200, 120
SQUARE = Box(90, 40, 130, 80)


@pytest.fixture(scope="module", autouse=True)
def opencv():
    pytest.importorskip("cv2", reason="OpenCV cannot be loaded; see the README on libGL", exc_type=ImportError)


def pictures(num_frames=30, square=SQUARE, size=(WIDTH, HEIGHT)):
    """A bright square on black; the whole picture gets brighter, so that frames can be told apart."""
    for i in range(num_frames):
        image = np.full((size[1], size[0], 3), 7 * i, np.uint8)
        image[square.top : square.bottom, square.left : square.right] = (120, 250, 120)
        yield image


@pytest.fixture
def video(tmp_path):
    (tmp_path / "originals").mkdir()
    write_video(tmp_path / "originals/a.mp4", pictures(), 25)
    return tmp_path / "originals/a.mp4"


def make(tmp_path, clips, *, size=40, crop=None, num_workers=0):
    return make_small_clips(
        clips, tmp_path / "originals", tmp_path / "data", clip_size=size, crop=crop, num_workers=num_workers
    )


def file_of(small, name="a"):
    return small.folder / small.files[name]


def clip(name="a", **more):
    return Clip(name, **{"video": f"{name}.mp4", "split": "train", **more})


def square_in(image):
    """Left, top, right, bottom of the green square: where its green passes half, to a share of a pixel."""
    green = image[..., 1].astype(float)
    low, high = np.median(green[0]), green.max()
    edges = []
    for line in (green.max(axis=0), green.max(axis=1)):  # over columns, over rows
        inside = (line - low) / (high - low)
        over = np.flatnonzero(inside > 0.5)
        edges.append((over[0] + 1 - min(1, inside[over[0]]), over[-1] + min(1, inside[over[-1]])))
    (left, right), (top, bottom) = edges
    return np.array([left, top, right, bottom])


@pytest.mark.parametrize(
    ("box", "size"),
    [
        ("60 20 160 100", 40),  # scaled by a half
        ("61 21 160 101", 40),
        ("50.4 10.6 171 111", 64),
        ("80 30 141 91", 64),  # smaller than asked: cut, not scaled
        ("-30 -10 140 500", 40),  # beyond the picture
    ],
)
def test_a_point_of_the_small_clip_is_where_the_box_says(tmp_path, video, box, size):
    small = make(tmp_path, [clip(extra={"box": box})], size=size, crop=Crop.annotation)
    row = small.row_of(clip(extra={"box": box}))
    cut = Box(*map(int, row.extra["source_box"].split()))
    asked = [float(x) for x in box.split()]
    assert cut.left <= max(0, asked[0]) and cut.right >= min(WIDTH, asked[2]) - 1
    image = next(iter(read_frames(small.folder / row.video))).image
    height, width, _ = image.shape
    assert width % 2 == height % 2 == 0
    assert min(width, height) == min(size, min(cut.width, cut.height))
    scale = np.array([cut.width / width, cut.height / height] * 2)
    mapped = square_in(image) * scale + [cut.left, cut.top, cut.left, cut.top]
    assert np.abs(mapped - list(SQUARE)).max() <= 0.6 * scale.max()


def test_frames_and_times_are_those_of_the_span(tmp_path, video):
    one = clip(start_s=8 / 25, end_s=20 / 25)
    small = make(tmp_path, [one])
    row = small.row_of(one)
    frames = list(read_frames(small.folder / row.video))
    assert (row.start_s, row.end_s) == (0, None) and re.fullmatch(r"a\.[0-9a-f]{8}\.mp4", row.video)
    assert (row.extra["source_video"], row.extra["source_start_s"], row.extra["source_end_s"]) == (
        "a.mp4",
        "0.32",
        "0.8",
    )
    assert [round(float(np.median(frame.image[..., 0])) / 7) for frame in frames] == list(range(8, 20))
    assert read_frame_index(small.folder / row.video).times_s == pytest.approx(np.arange(12) / 25)


def test_a_varying_rate_stays_as_it_is(tmp_path):
    import av

    (tmp_path / "originals").mkdir()
    path = tmp_path / "originals/a.mp4"
    times_ms = np.cumsum([0, *np.random.default_rng(0).choice([15, 40, 200], 19)])
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for image, t in zip(square_frames(0, 20, (64, 48)), times_ms, strict=True):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = int(t), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    small = make(tmp_path, [clip()], size=32)
    assert read_frame_index(file_of(small)).times_s == pytest.approx(read_frame_index(path).times_s, abs=1e-4)


@pytest.mark.parametrize("pixels", [(65, 49), (64, 49), (65, 48), (33, 301), (31, 31)])
def test_odd_sizes_become_even_and_nothing_is_enlarged(tmp_path, pixels):
    import av

    (tmp_path / "originals").mkdir()
    with av.open(str(tmp_path / "originals/a.mp4"), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height = pixels
        stream.pix_fmt = "yuvj444p"
        for image in square_frames(0, 12, pixels):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    info = probe(file_of(make(tmp_path, [clip()], size=32)))
    assert info.width % 2 == info.height % 2 == 0 and info.num_frames_estimate == 12
    assert min(info.width, info.height) == min(32, min(pixels) // 2 * 2)
    assert info.width / info.height == pytest.approx(pixels[0] / pixels[1], rel=0.05)


def test_a_picture_stored_on_its_side_is_upright_and_so_is_its_box(tmp_path, video):
    """The display matrix is applied before the box is: boxes are of the picture as it is shown."""
    import av

    side = tmp_path / "originals/side.mp4"
    write_video(side, (np.rot90(image).copy() for image in pictures()), 25)  # stored a quarter turn to the left
    content = bytearray(side.read_bytes())
    at = content.index(b"tkhd") + 4 + 40  # version 0: the matrix stands 40 bytes behind the flags' start
    content[at : at + 36] = turned_right()
    side.write_bytes(content)
    with av.open(str(side)) as container:
        assert next(container.decode(video=0)).rotation % 360 != 0
    one = clip("side", extra={"box": "60 20 160 100"})
    small = make(tmp_path, [one], crop=Crop.annotation)
    image = next(iter(read_frames(file_of(small, "side")))).image
    assert image.shape == (40, 50, 3) and small.row_of(one).extra["source_box"] == "60 20 160 100"
    assert square_in(image) == pytest.approx(np.array([30, 20, 70, 60]) / 2, abs=0.6)


def turned_right() -> bytes:
    """MPEG-4's matrix of a quarter turn to the right, 16.16 and 2.30 fixed point."""
    numbers = [0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30]
    return b"".join(number.to_bytes(4, "big", signed=True) for number in numbers)


def test_originals_keep_their_bytes_and_times(tmp_path, video):
    before = (hashlib.sha256(video.read_bytes()).hexdigest(), video.stat().st_mtime_ns)
    make(tmp_path, [clip(extra={"box": "60 20 160 100"})], crop=Crop.annotation)
    assert (hashlib.sha256(video.read_bytes()).hexdigest(), video.stat().st_mtime_ns) == before
    assert [path.name for path in (tmp_path / "originals").iterdir()] == ["a.mp4"]


def test_what_is_there_and_whole_is_not_made_again(tmp_path, video):
    first = make(tmp_path, [clip()])
    made = file_of(first)
    before = made.stat().st_mtime_ns
    again = make(tmp_path, [clip()])
    assert again.counts == {"small clips made": 0, "small clips there before": 1}
    assert made.stat().st_mtime_ns == before and again.sources == {"a": Box(0, 0, WIDTH, HEIGHT)}
    made.write_bytes(made.read_bytes()[:-200])  # as a full disk leaves it
    assert make(tmp_path, [clip()]).counts["small clips made"] == 1
    assert make(tmp_path, [clip()], size=64).folder != first.folder


@pytest.mark.parametrize("other", ["span", "box", "video"])
def test_manifests_that_differ_in_a_clip_each_read_their_own(tmp_path, video, other):
    """The file was named by the clip alone, so preparing a second manifest replaced what the first one read."""
    one, crop = clip(end_s=0.4, extra={"box": "60 20 160 100"}), Crop.annotation
    first = make(tmp_path, [one], crop=crop)
    before = (file_of(first).read_bytes(), file_of(first).stat().st_mtime_ns)
    if other == "video":
        write_video(video, pictures(20), 25)
    changed = {"span": {"start_s": 0.4, "end_s": None}, "box": {"extra": {"box": "60 20 180 100"}}, "video": {}}
    second = make(tmp_path, [replace(one, **changed[other])], crop=crop)
    assert second.folder == first.folder and second.counts["small clips made"] == 1
    assert file_of(second) != file_of(first)
    assert (file_of(first).read_bytes(), file_of(first).stat().st_mtime_ns) == before
    grays = [round(float(np.median(frame.image[0, :, 0])) / 7) for frame in read_frames(file_of(second))]
    assert grays == {"span": [*range(10, 30)], "box": [*range(10)], "video": [*range(10)]}[other]


def test_a_clip_that_cannot_be_encoded_leaves_other_manifests_files(tmp_path, video):
    """What was left of a failure was deleted by the clip's name, whoever it belonged to."""
    first = make(tmp_path, [clip()])
    with pytest.raises(DataError, match="None of 1 clips can be decoded"):
        make(tmp_path, [clip(start_s=50.0, end_s=51.0)])
    video.unlink()
    with pytest.raises(DataError, match=r"None of 1 clips can be decoded(.|\n)*a\.mp4"):
        make(tmp_path, [clip()])
    assert read_frame_index(file_of(first)).num_frames == 30


def test_colours_stay_where_they_are_in_a_scaled_clip(tmp_path, video):
    """Red on the left and blue on the right: exchanged channels would exchange them."""
    image = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
    image[40:80, 20:60], image[40:80, 140:180] = (220, 30, 30), (30, 30, 220)
    write_video(video, (image for _ in range(5)), 25)
    shown = next(iter(read_frames(file_of(make(tmp_path, [clip()], size=60))))).image.astype(int)
    assert shown.shape == (60, 100, 3)  # scaled by a half
    assert np.abs(shown[30, 20] - (220, 30, 30)).max() < 25 and np.abs(shown[30, 80] - (30, 30, 220)).max() < 25


def test_another_box_makes_the_clip_again(tmp_path, video):
    for box, count in (("60 20 160 100", 1), ("60 20 160 100", 0), ("60 20 180 100", 1)):
        assert make(tmp_path, [clip(extra={"box": box})], crop=Crop.annotation).counts["small clips made"] == count


def test_a_clip_without_a_usable_box_keeps_its_picture_and_is_named(tmp_path, video):
    for name in "bc":
        write_video(video.with_name(f"{name}.mp4"), pictures(), 25)
    clips = [clip(extra={"box": "60 20 160 100"}), clip("b", extra={"box": "0 0 0 0"}), clip("c")]
    small = make(tmp_path, clips, crop=Crop.annotation)
    whole = Box(0, 0, WIDTH, HEIGHT)
    assert small.sources == {"a": Box(60, 20, 160, 100), "b": whole, "c": whole}
    assert small.notes == ["2 of 3 clips have no usable box, so their whole picture is kept: b, c."]


def test_a_corpus_without_boxes_cannot_be_cut_to_them(tmp_path, video):
    with pytest.raises(DataError, match=r"data.crop=annotation, but no clip has a box(.|\n)*data.crop=pose"):
        make(tmp_path, [clip()], crop=Crop.annotation)
    with pytest.raises(DataError, match=r"a: box '1 2' is not four numbers"):
        make(tmp_path, [clip(extra={"box": "1 2"})], crop=Crop.annotation)


def test_pose_cuts_to_the_person(tmp_path, test_data):
    """A real signer beside a wide empty wall; and a picture of nobody."""
    pytest.importorskip("mediapipe", reason="MediaPipe is not installed")
    real = sorted((test_data / "video_ksl77_koala" / "clips").glob("*.mp4"))[0]
    info = probe(real)
    (tmp_path / "originals").mkdir()
    wide = [np.pad(f.image, ((0, 0), (info.width, 0), (0, 0)), mode="edge") for f in read_frames(real, end_s=0.6)]
    write_video(tmp_path / "originals/signer.mp4", wide, info.fps)
    write_video(tmp_path / "originals/wall.mp4", pictures(12), 25)
    small = make(tmp_path, [clip("signer"), clip("wall")], size=64, crop=Crop.pose)
    box = small.sources["signer"]
    assert box.left >= info.width and box.width < info.width and box.height >= info.height // 2
    assert small.sources["wall"] == Box(0, 0, WIDTH, HEIGHT)
    assert small.notes == ["1 of 2 clips have no pose that is detected, so their whole picture is kept: wall."]
    assert make(tmp_path, [clip("signer")], size=64, crop=Crop.pose).sources == {"signer": box}


def damage(path):
    """Overwrite a packet in the middle: the header, and the first frame, stay whole."""
    import av

    with av.open(str(path)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    position, size = packets[len(packets) // 2]
    content = bytearray(path.read_bytes())
    content[position : position + size] = b"\xff" * size
    path.write_bytes(content)


def test_a_damaged_middle_is_noticed_and_listed(tmp_path, video):
    noise = np.random.default_rng(0)
    bad = video.with_name("b.mp4")
    write_video(bad, (noise.integers(0, 255, (48, 64, 3), dtype=np.uint8) for _ in range(30)), 25)
    damage(bad)
    small = make(tmp_path, [clip(), clip("b")])
    (lost,) = small.left_out
    assert (lost.clip.clip_id, lost.reason) == ("b", "damaged video") and "b.mp4" in lost.detail
    assert small.counts == {"small clips made": 1, "small clips there before": 0, "small clips not made": 1}
    assert set(small.sources) == {"a"} and sorted(p.name for p in small.folder.glob("*.mp4")) == [small.files["a"]]
    with pytest.raises(DataError, match=r"None of 1 clips can be decoded(.|\n)*b.mp4"):
        make(tmp_path, [clip("b")])


def test_one_frame_is_enough(tmp_path, video):
    write_video(video, pictures(1), 25)
    small = make(tmp_path, [clip()])
    assert len(list(read_frames(file_of(small)))) == 1


def test_workers_make_the_same_files(tmp_path, video):
    names = "abcd"
    for name in names[1:]:
        video.with_name(f"{name}.mp4").write_bytes(video.read_bytes())
    clips = [clip(name) for name in names]
    small = make(tmp_path, clips, num_workers=2)
    assert set(small.sources) == set(names)
    made = [[f.image for f in read_frames(file_of(small, name))] for name in names]
    for name in names:
        file_of(small, name).unlink()
    again = make(tmp_path, clips, num_workers=0)
    alone = [[f.image for f in read_frames(file_of(again, name))] for name in names]
    assert again.sources == small.sources and np.shape(alone) == np.shape(made)
    assert np.abs(np.array(alone, float) - made).mean() < 1  # x264 itself is not always the same to the bit


def test_a_full_disk_ends_the_run_with_one_message(tmp_path, video):
    (tmp_path / "blocked").write_text("a file where a folder is needed")
    task = Task(video, 0.0, None, None, 40, False, tmp_path / "blocked" / "a.mp4")
    made = encode(task)
    assert made.fatal and made.box is None and "blocked" in made.error
    (tmp_path / "data" / "clips").mkdir(parents=True)
    folder = make(tmp_path, [clip()]).folder
    (folder / "b").write_text("")
    with pytest.raises(SignRecogError, match="b"):
        make(tmp_path, [clip("b/a", video="a.mp4")])


def test_a_killed_run_is_resumed(tmp_path, video):
    """The process is killed outright between its clips; nothing half-written is believed."""
    for i in range(40):
        video.with_name(f"v{i}.mp4").write_bytes(video.read_bytes())
    code = (
        "from pathlib import Path\n"
        "from test_small_clips import clip, make\n"
        f"make(Path({str(tmp_path)!r}), [clip(f'v{{i}}') for i in range(40)])\n"
    )
    tests = Path(__file__).parents[1]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [tests / "stages", tests, tests.parent]))}
    process = subprocess.Popen([sys.executable, "-c", code], env=env, stderr=subprocess.DEVNULL)
    while process.poll() is None and len(list((tmp_path / "data").rglob("v*.mp4"))) < 3:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = len([p for p in (tmp_path / "data").rglob("v*.mp4") if not p.name.startswith(".")])
    small = make(tmp_path, [clip(f"v{i}") for i in range(40)])
    assert small.counts["small clips there before"] == done >= 3 and len(small.sources) == 40
    assert all(read_frame_index(file_of(small, f"v{i}")).num_frames == 30 for i in range(40))


def test_a_file_that_is_not_ours_is_not_believed(tmp_path, video):
    task = Task(video, 0.0, None, None, 40, False, tmp_path / "out" / "a.mp4")
    task.output.parent.mkdir()
    task.output.write_bytes(video.read_bytes())
    assert stored(task) is None
    assert stored(task) is None and encode(task).box == Box(0, 0, WIDTH, HEIGHT) and stored(task) is not None


def test_a_clip_that_is_cut_already_is_known(tmp_path, video):
    box = make(tmp_path, [clip(extra={"box": "60 20 160 100"})], crop=Crop.annotation)
    assert is_cut(file_of(box)) and not is_cut(file_of(make(tmp_path, [clip()]))) and not is_cut(video)
    video.write_text("no video")
    assert not is_cut(video)


def test_the_settings_stand_beside_the_clips(tmp_path, video):
    small = make(tmp_path, [clip()])
    written = json.loads((small.folder / "encoding.json").read_text())
    assert (written["clip_size"], written["crop"], written["encoding"]["g"]) == (40, None, "12")
