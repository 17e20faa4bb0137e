"""Frame numbers -> spans: the reader must give exactly those frames, whatever the file's times."""

from fractions import Fraction

import numpy as np
import pytest

from sign_recog.corpora.frame_ranges import OutOfVideo, range_to_span
from sign_recog.video.frame_index import read_frame_index
from sign_recog.video.reader import read_frames

NUM_FRAMES, STEP = 40, 5


def write_timed(path, times_ms):
    """Frame i is evenly gray at 16 + 5 i and is shown at ``times_ms[i]``."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for i, time_ms in enumerate(times_ms):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 16 + STEP * i, np.uint8), format="rgb24")
            frame.pts, frame.time_base = time_ms, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def numbers(frames):
    return [round((float(frame.image.mean()) - 16) / STEP) for frame in frames]


def varying(seed):
    return np.cumsum(np.random.default_rng(seed).choice([3, 12, 40, 80, 160], NUM_FRAMES)).tolist()


TIMES = {
    "constant": [40 * i for i in range(NUM_FRAMES)],
    "starts late": [5000 + 40 * i for i in range(NUM_FRAMES)],
    "varying": varying(0),
    "varying, starts late": [777 + t for t in varying(1)],
    "a burst": [40 * i if i < 20 else 800 + 3 * (i - 20) for i in range(NUM_FRAMES)],
}


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("times", TIMES.values(), ids=TIMES.keys())
def test_a_range_gives_exactly_its_frames(tmp_path, times, suffix):
    path = write_timed(tmp_path / f"video{suffix}", times)
    index = read_frame_index(path)
    for first, last in [(1, 40), (1, -1), (2, 39), (7, 7), (21, 30), (39, 40), (12, 40)]:
        span = range_to_span(index, first, last)
        stop = NUM_FRAMES if last == -1 else last
        assert span.num_frames == stop - first + 1 and span.note == ""
        start_s = float(f"{span.start_s:.12g}")  # as the manifest keeps it
        assert numbers(read_frames(path, start_s=start_s, end_s=span.end_s)) == list(range(first - 1, stop))


def test_every_range_of_the_real_clips_is_exact(test_data):
    path = sorted((test_data / "video_ksl77_koala" / "clips").glob("*.mp4"))[0]
    whole = [frame.image for frame in read_frames(path)]
    index = read_frame_index(path)
    for first, last in [(1, -1), (2, 5), (9, len(whole))]:
        span = range_to_span(index, first, last)
        found = [frame.image for frame in read_frames(path, start_s=span.start_s, end_s=span.end_s)]
        assert np.array_equal(found, whole[first - 1 : len(whole) if last == -1 else last])


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    return read_frame_index(write_timed(tmp_path_factory.mktemp("video") / "v.mp4", TIMES["constant"]))


def test_a_range_that_ends_behind_the_video_ends_with_it_and_says_so(index):
    span = range_to_span(index, 20, 43)
    assert (span.num_frames, span.end_s, span.note) == (21, None, "ends 3 frames early")


@pytest.mark.parametrize("first", [20, 1146])
@pytest.mark.parametrize("more", [-7, -2, 0, 1, 9])
def test_a_video_that_was_already_cut_to_its_range_is_read_whole(index, first, more):
    """WLASL publishes videos that are cut already, with the frame numbers of the long video."""
    span = range_to_span(index, first, first + NUM_FRAMES - 1 + more)
    assert (span.start_s, span.end_s, span.num_frames) == (0, None, NUM_FRAMES) and "already cut" in span.note


@pytest.mark.parametrize(("first", "last"), [(41, 60), (500, 900), (41, -1), (1146, 1241), (0, 5), (9, 8), (-3, 4)])
def test_a_range_without_a_frame_is_refused(index, first, last):
    with pytest.raises(OutOfVideo, match="frames"):
        range_to_span(index, first, last)
