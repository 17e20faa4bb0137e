"""RGB frames -> an H.264 video."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np

_LARGEST_TIME_BASE = 65535  # MPEG-4's limit for the frame rate's denominator


def write_video(path: Path, frames: Iterable[np.ndarray], fps: float) -> int:
    """Write ``frames`` as H.264, yuv420p, in MP4 that starts playing before it is loaded; return how many there were.

    The file grows at ``path``: to write it atomically, call this inside
    :func:`sign_recog.storage.atomic.replaced` with the path that gives. Odd sizes, which yuv420p cannot
    hold, are extended by repeating the last row or column.

    Args:
        frames: (H, W, 3) uint8 RGB, all of one size.

    Raises:
        ValueError: If there are no frames.
    """
    import av

    count = 0
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(_LARGEST_TIME_BASE))
        stream.pix_fmt, stream.options = "yuv420p", {"crf": "18", "preset": "veryfast"}
        for frame in frames:
            height, width, _ = frame.shape
            even = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
            if not count:
                stream.height, stream.width = even.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))
            count += 1
        if not count:
            raise ValueError(f"{path}: there are no frames to write.")
        container.mux(stream.encode())
    return count
