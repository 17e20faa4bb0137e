"""Decoding: which frames a span and a rate give, and what is refused."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

from sign_recog.errors import DataError
from sign_recog.video.reader import VideoReader, probe, read_frames
from sign_recog.video.writer import write_video

NUM_FRAMES, FPS = 75, 25
STEP = 3  # frame i is evenly gray at 16 + 3 i, so a decoded frame tells its number


def gray(i, height=48, width=64):
    return np.full((height, width, 3), 16 + STEP * i, np.uint8)


def numbers(frames):
    return [round((float(frame.image.mean()) - 16) / STEP) for frame in frames]


@pytest.fixture(scope="module")
def counting(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "counting.mp4"
    write_video(path, (gray(i) for i in range(NUM_FRAMES)), FPS)
    return path


def remuxed(path, target):
    """The same packets in another container."""
    import av

    with av.open(str(path)) as source, av.open(str(target), "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    return target


def test_every_frame_comes_once_with_its_time(counting):
    frames = list(read_frames(counting))
    assert numbers(frames) == list(range(NUM_FRAMES))
    assert [frame.timestamp_ms for frame in frames] == [40 * i for i in range(NUM_FRAMES)]
    assert frames[0].image.shape == (48, 64, 3)
    assert frames[0].image.dtype == np.uint8


def test_probe_says_what_was_written(counting):
    info = probe(counting)
    assert (info.width, info.height, info.fps, info.num_frames_estimate, info.codec) == (64, 48, 25, 75, "h264")
    assert info.duration_s == pytest.approx(3.0)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize(("first", "last"), [(0, 75), (1, 2), (7, 40), (30, 31), (74, 75)])
def test_a_span_of_frame_numbers_gives_exactly_those_frames(counting, tmp_path, suffix, first, last):
    path = counting if suffix == ".mp4" else remuxed(counting, tmp_path / f"counting{suffix}")
    # Six significant digits are what a manifest keeps.
    frames = list(read_frames(path, start_s=float(f"{first / FPS:g}"), end_s=float(f"{last / FPS:g}")))
    assert numbers(frames) == list(range(first, last))
    assert frames[0].timestamp_ms == 0


def test_consecutive_spans_share_no_frame_and_lose_none(counting):
    bounds = np.linspace(0, 3.0, 8)
    pieces = [numbers(read_frames(counting, start_s=a, end_s=b)) for a, b in itertools.pairwise(bounds)]
    assert list(itertools.chain(*pieces)) == list(range(NUM_FRAMES))


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        (".mp4", "libx264"),
        (".mkv", "libx264"),
        (".flv", "libx264"),
        (".ts", "libx264"),  # its search lands late near the start
        (".h264", "libx264"),  # cannot be searched
        (".avi", "mpeg4"),  # starts at time 1
        (".mpg", "mpeg2video"),  # starts at half a second, and has wrong times after a search
    ],
)
def test_a_span_from_anywhere_holds_the_frames_of_the_whole(tmp_path, suffix, codec):
    import av

    path = tmp_path / f"keyframes{suffix}"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.options = {"g": "8", "bf": "2", "crf": "10", "sc_threshold": "0"}
        for i in range(30):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(gray(2 * i), format="rgb24")))
        container.mux(stream.encode())
    whole = [frame.image for frame in read_frames(path)]
    assert len(whole) == 30
    for first in range(0, 30, 2):
        (frame,) = read_frames(path, start_s=first / FPS, end_s=(first + 1) / FPS)
        assert np.array_equal(frame.image, whole[first])


@pytest.mark.parametrize("target_fps", [5, 10, 12.5, 24, 25, 30, 50, 60])
def test_resampling_shows_what_a_player_would_show(counting, target_fps):
    # An exact, direct version: at k / target_fps the latest frame that has begun, a quarter of a frame early at most.
    tolerance = Fraction(1, 4 * FPS)
    instants = [k / Fraction(target_fps) for k in range(1000)]
    expected = [int((t + tolerance) * FPS) for t in instants if t < Fraction(NUM_FRAMES, FPS) - tolerance]
    frames = list(read_frames(counting, target_fps=target_fps))
    assert numbers(frames) == expected
    assert [f.timestamp_ms for f in frames] == [round(k * 1000 / target_fps) for k in range(len(expected))]


def test_s0_reading_streams(counting):
    reader = VideoReader(counting)
    next(iter(reader))
    assert reader.num_decoded == 1
    assert len(list(reader)) == reader.num_decoded == NUM_FRAMES


def test_rotation_of_phones_is_applied(tmp_path):
    # Right half white; the track header's matrix (ISO/IEC 14496-12) turns the picture clockwise, as phones write it.
    path = tmp_path / "phone.mp4"
    image = np.zeros((48, 64, 3), np.uint8)
    image[:, 32:] = 255
    write_video(path, [image] * 3, FPS)
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40  # version and flags, times, track, duration, reserved, layer, volume
    identity = [0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000]
    clockwise = [0, 0x10000, 0, -0x10000, 0, 0, 48 * 0x10000, 0, 0x40000000]
    assert data[matrix : matrix + 36] == np.array(identity, ">i4").tobytes()
    data[matrix : matrix + 36] = np.array(clockwise, ">i4").tobytes()
    path.write_bytes(data)
    (upright, *_) = [frame.image for frame in read_frames(path)]
    assert upright.shape == (64, 48, 3)
    assert upright[:28].mean() < 5
    assert upright[36:].mean() > 250
    assert (probe(path).width, probe(path).height) == (48, 64)


@pytest.mark.parametrize(
    ("aspect", "size"), [(Fraction(2), (48, 128)), (Fraction(1, 2), (96, 64)), (Fraction(1), (48, 64))]
)
def test_pixels_come_out_square(tmp_path, aspect, size):
    import av

    path = tmp_path / "wide.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = aspect
        container.mux(stream.encode(av.VideoFrame.from_ndarray(gray(5), format="rgb24")))
        container.mux(stream.encode())
    (frame,) = read_frames(path)
    assert frame.image.shape[:2] == size


def test_a_single_frame_is_a_video(tmp_path):
    write_video(tmp_path / "one.mp4", [gray(9)], FPS)
    assert numbers(read_frames(tmp_path / "one.mp4")) == [9]
    assert numbers(read_frames(tmp_path / "one.mp4", target_fps=50)) == [9, 9]


def noise_video(path):
    rng = np.random.default_rng(0)
    write_video(path, (rng.integers(0, 256, (48, 64, 3), dtype=np.uint8) for _ in range(40)), FPS)
    return path


@pytest.mark.parametrize("share", [0.4, 0.7, 0.9])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
def test_a_truncated_video_is_an_error_and_not_a_short_clip(tmp_path, suffix, share):
    whole = noise_video(tmp_path / "noise.mp4")
    path = (
        whole
        if suffix == ".mp4"
        else remuxed(whole, tmp_path / f"noise{suffix}")
        if suffix == ".mkv"
        else avi(tmp_path)
    )
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(DataError, match=r"noise\.\w+: (truncated|damaged) after frame \d+"):
        list(read_frames(path))


def avi(folder):
    """Motion JPEG in AVI: x264's B-frames do not fit there."""
    import av

    path, rng = folder / "noise.avi", np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for _ in range(40):
            image = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


def test_damage_after_the_span_does_not_matter(tmp_path):
    path = noise_video(tmp_path / "noise.mp4")
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.7)])
    assert len(list(read_frames(path, end_s=0.2))) == 5


def test_damage_in_the_middle_is_an_error(tmp_path):
    path = noise_video(tmp_path / "noise.mp4")
    data = bytearray(path.read_bytes())
    half = len(data) // 2
    data[half : half + 3000] = bytes(3000)
    path.write_bytes(data)
    with pytest.raises(DataError, match="damaged after frame"):
        list(read_frames(path))


def cut_header(path):
    whole = noise_video(path).read_bytes()
    return whole[:300]


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: b"", r"is empty \(0 bytes\)"),
        (lambda path: b"These are words, not pictures.\n" * 50, "is not a video"),
        (cut_header, "holds no video"),
    ],
)
def test_files_that_are_no_videos_are_refused_with_the_reason(tmp_path, make, reason):
    path = tmp_path / "clip.mp4"
    path.write_bytes(make(path))
    with pytest.raises(DataError, match=rf"clip\.mp4: {reason}"):
        probe(path)


def test_a_sound_file_holds_no_video(tmp_path):
    import av

    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), format="fltp", layout="mono")
        sound.rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    with pytest.raises(DataError, match="holds no video"):
        read_frames(path)


def test_a_missing_file_a_folder_and_an_empty_span_are_named(counting, tmp_path):
    with pytest.raises(DataError, match="no such video"):
        probe(tmp_path / "absent.mp4")
    with pytest.raises(DataError, match="is a folder"):
        probe(tmp_path)
    with pytest.raises(DataError, match=r"no frame lies in \[7, 8\) s; the video is 3\.00 s long"):
        list(read_frames(counting, start_s=7, end_s=8))


def test_real_clips_of_varying_frame_rate_are_read_whole(test_data):
    import csv

    folder = test_data / "video_ksl77_koala"
    with (folder / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))[::8]
    for row in rows:
        frames = list(read_frames(folder / row["file"]))
        assert len(frames) == int(row["n_frames"])
        assert np.all(np.diff([frame.timestamp_ms for frame in frames]) > 0)
