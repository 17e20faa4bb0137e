"""RGB frames with their times -> a small H.264 file made for reading at random.

Group of pictures of 12 without B-frames: to show any frame a decoder works through at most 12. One thread, since
several files are written at once.
"""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np

GOP = 12
# cpu-independent: without it the same frames now and then give other bytes.
ENCODING = {
    "crf": "18", "preset": "veryfast", "g": str(GOP), "bf": "0", "tune": "fastdecode",
    "x264-params": "cpu-independent=1",
}  # fmt: skip
_TICKS_PER_S = 90_000  # usual in video: frames of 24, 25, 30 and 50 a second, and milliseconds, fall on whole ticks


def write_clip(path: Path, frames: Iterable[tuple[np.ndarray, float]], fps: float, comment: str) -> int:
    """Write ``frames`` one to one as MP4 (H.264, yuv420p, crf 18) and return how many there were.

    The file grows at ``path``; see :func:`sign_recog.video.writer.write_video`.

    Args:
        frames: (H, W, 3) uint8 RGB of one even size, and the time of each in seconds, rising from 0.
        fps: The usual rate, which says how long the last frame lasts.
        comment: Text kept in the file; :func:`read_comment` gives it back.

    Raises:
        ValueError: If there are no frames.
    """
    import av

    count, last = 0, -1
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:
        container.metadata["comment"] = comment
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(65535))
        stream.pix_fmt, stream.options = "yuv420p", dict(ENCODING)
        stream.time_base = stream.codec_context.time_base = Fraction(1, _TICKS_PER_S)
        stream.codec_context.thread_count = 1
        for image, time_s in frames:
            if not count:
                stream.height, stream.width = image.shape[:2]
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            last = max(round(time_s * _TICKS_PER_S), last + 1)
            frame.pts, frame.time_base = last, Fraction(1, _TICKS_PER_S)
            container.mux(stream.encode(frame))
            count += 1
        if not count:
            raise ValueError(f"{path}: there are no frames to write.")
        container.mux(stream.encode())
    return count


def read_comment(path: Path) -> str | None:
    """The comment of a whole file that :func:`write_clip` wrote; None = the file is cut off, or of another kind."""
    import av

    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            found = sum(packet.size > 0 for packet in container.demux(stream))
            return container.metadata.get("comment") if found == stream.frames > 0 else None
    except (av.FFmpegError, IndexError):
        return None
