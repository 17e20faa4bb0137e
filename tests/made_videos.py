"""Videos of every kind that decoding must get right, and broken ones."""

import struct
from fractions import Fraction
from pathlib import Path

import numpy as np

FPS = 25


def pictures(num_frames: int, height: int = 48, width: int = 64) -> list[np.ndarray]:
    """Frames that differ from each other everywhere: noise that moves, on a gray that rises."""
    base = np.random.default_rng(0).integers(0, 120, (height, width, 3))
    return [(np.roll(base, (i, 2 * i), (0, 1)) + 2 * i).clip(0, 255).astype(np.uint8) for i in range(num_frames)]


def write_made(
    path: Path,
    frames: list[np.ndarray],
    *,
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    pts: list[int] | None = None,
    pix_fmt: str = "yuv420p",
) -> Path:
    """Encode ``frames``, at the times ``pts`` in units of 1 / 1000 s or at a steady rate."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=FPS)
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], pix_fmt
        stream.options = options or {}
        if pts is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for i, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            if pts is not None:
                frame.pts, frame.time_base = pts[i], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def x264(params: str) -> dict[str, str]:
    return {"preset": "medium", "x264-params": f"{params}:scenecut=0"}


def rotated(path: Path) -> Path:
    """A video that phones would write: its track header's matrix (ISO/IEC 14496-12) turns the picture clockwise."""
    write_made(path, pictures(20))
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40
    data[matrix : matrix + 36] = np.array([0, 65536, 0, -65536, 0, 0, 48 * 65536, 0, 0x40000000], ">i4").tobytes()
    path.write_bytes(data)
    return path


def cut_in_front(path: Path) -> Path:
    """Without its first 8 packets, so that it begins between keyframes."""
    import av

    whole = write_made(path.with_name("whole.mkv"), pictures(40), options=x264("keyint=10:min-keyint=10:bframes=2"))
    with av.open(str(whole)) as source, av.open(str(path), "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        for i, packet in enumerate(source.demux(video=0)):
            if i >= 8 and packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    return path


def edited(path: Path) -> Path:
    """30 frames of which an edit list shows those from 0.4 s on; its units are the movie's 1000 and the track's own."""
    write_made(path, pictures(30), options=x264("keyint=30:bframes=0"))
    data = bytearray(path.read_bytes())
    header = data.index(b"mdhd") + 16
    (ticks,) = struct.unpack(">I", data[header : header + 4])
    entry = data.index(b"elst") + 12  # version and flags, number of entries; then duration, start, rate
    data[entry : entry + 8] = struct.pack(">Ii", 800, int(0.4 * ticks))
    path.write_bytes(data)
    return path


def sound_only(path: Path) -> Path:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), format="fltp", layout="mono")
        sound.rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    return path


UNEVEN = np.cumsum([0, *np.random.default_rng(1).integers(15, 90, 39)]).tolist()
KINDS = {
    "b_frames.mp4": lambda p: write_made(p, pictures(60), options=x264("bframes=5:b-adapt=0:keyint=250")),
    "short_gop.mp4": lambda p: write_made(p, pictures(60), options=x264("keyint=7:min-keyint=7:bframes=2:b-adapt=0")),
    "open_gop.mp4": lambda p: write_made(
        p, pictures(60), options=x264("open-gop=1:keyint=10:min-keyint=10:bframes=3:b-adapt=0")
    ),
    "intra_refresh.mkv": lambda p: write_made(p, pictures(60), options=x264("intra-refresh=1:keyint=12:bframes=0")),
    "uneven.mp4": lambda p: write_made(p, pictures(40), options=x264("keyint=15:bframes=3"), pts=UNEVEN),
    "uneven.mkv": lambda p: write_made(p, pictures(40), options=x264("keyint=15:bframes=3"), pts=UNEVEN),
    "late_start.mkv": lambda p: write_made(p, pictures(40), pts=[700 + 40 * i for i in range(40)]),
    "transport.ts": lambda p: write_made(p, pictures(40), options=x264("keyint=9:bframes=2")),
    "one.mp4": lambda p: write_made(p, pictures(1)),
    "odd.mp4": lambda p: write_made(p, pictures(20, 47, 61), pix_fmt="yuv444p"),
    "rotated.mp4": rotated,
    "edited.mp4": edited,
    "hevc.mp4": lambda p: write_made(
        p, pictures(40), codec="libx265", options={"x265-params": "keyint=10:log-level=0"}
    ),
    "packed.avi": lambda p: write_made(p, pictures(40), codec="mpeg4", options={"bf": "2", "g": "8"}),
    "program.mpg": lambda p: write_made(p, pictures(40), codec="mpeg2video", options={"bf": "2", "g": "8"}),
    "bare.h264": lambda p: write_made(p, pictures(40), options=x264("keyint=9:bframes=2")),
    "hidden.webm": lambda p: write_made(
        p, pictures(40), codec="libvpx", options={"auto-alt-ref": "1", "lag-in-frames": "16", "b": "300k"}
    ),
    "vp9.webm": lambda p: write_made(p, pictures(40), codec="libvpx-vp9", options={"lag-in-frames": "16"}),
    "cut_in_front.mkv": cut_in_front,
}
