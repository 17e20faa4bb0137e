"""A clip as a strip of skeletons or of frames: what the network was given, at a glance.

The left and the right hand (the signer's) have colours of their own, so swapped or missing hands show.
"""

import io

import numpy as np

from sign_recog.evaluation.plots import BLUE, GREY, VERMILION, new_figure, png_bytes
from sign_recog.landmarks.layout import NUM_POSE, Layout
from sign_recog.storage.sequences import KeypointSequence

PART_COLOURS = {"pose": GREY, "left_hand": BLUE, "right_hand": VERMILION, "face": "#C4C9D1", "landmarks": BLUE}
_FIRST_LEG_POINT = 25  # of MediaPipe's pose model: knees and below, which it guesses where the picture ends


def frame_indices(num_frames: int, count: int) -> np.ndarray:
    """Evenly spaced frames, the first and the last among them; fewer where the clip is shorter.

    Raises:
        ValueError: If there is no frame.

    >>> frame_indices(10, 4).tolist()
    [0, 3, 6, 9]
    """
    if num_frames < 1:
        raise ValueError("A clip with no frame has nothing to show.")
    return np.unique(np.linspace(0, num_frames - 1, count).round().astype(int))


def frame_strip(frames: np.ndarray, *, num_frames: int = 8) -> bytes:
    """PNG of evenly spaced frames (T, 3, H, W) uint8 RGB, side by side."""
    from PIL import Image

    shown = frames[frame_indices(len(frames), num_frames)]
    buffer = io.BytesIO()
    Image.fromarray(np.concatenate(list(shown.transpose(0, 2, 3, 1)), axis=1)).save(buffer, "png")
    return buffer.getvalue()


def skeleton_strip(sequence: KeypointSequence, *, num_frames: int = 8) -> bytes:
    """PNG of evenly spaced frames, side by side at one scale, each with its time in seconds.

    A frame without any landmark stays empty but for the words "nobody seen".
    """
    from matplotlib.collections import LineCollection

    frames = frame_indices(len(sequence.keypoints), num_frames)
    shown = _shown_points(sequence.layout)
    points = sequence.keypoints[frames][:, :, :2].astype(np.float64)
    points[:, ~shown] = np.nan
    low, high = _bounds(points[np.isfinite(points).all(2)])
    width, height = high - low
    step = width * 1.06
    points[:, :, 0] += np.arange(len(frames))[:, None] * step - low[0]
    points[:, :, 1] -= low[1]
    scale = 1.6 / height  # inches for a unit
    with new_figure(step * len(frames) * scale + 0.1, 1.95) as figure:
        figure.set_layout_engine("none")
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(-0.03 * width, step * len(frames)), ylim=(height * 1.16, -0.04 * height), aspect="equal")
        axes.set_axis_off()
        for part, columns in sequence.layout.parts.items():
            inside = range(columns.start, columns.stop)
            limbs = [limb for limb in sequence.layout.limbs if limb[0] in inside]
            segments = points[:, limbs].reshape(-1, 2, 2) if limbs else np.empty((0, 2, 2))
            segments = segments[np.isfinite(segments).all((1, 2))]
            thickness = 1.6 if part == "pose" else 1.0
            axes.add_collection(LineCollection(segments, colors=PART_COLOURS[part], linewidths=thickness))
            if part == "face" or not limbs:
                axes.plot(
                    *points[:, columns].reshape(-1, 2).T,
                    ".",
                    color=PART_COLOURS[part],
                    markersize=0.8 if len(inside) > 100 else 1.5,
                )
        for place, frame in enumerate(frames):
            middle = place * step + width / 2
            if np.isnan(points[place]).all():
                axes.text(middle, height / 2, "nobody\nseen", ha="center", va="center", color=VERMILION, fontsize=10)
            time_s = sequence.timestamps_ms[frame] / 1000
            axes.text(middle, height * 1.13, f"{time_s:.2f} s", ha="center", fontsize=10, color=GREY)
        return png_bytes(figure)


def _shown_points(layout: Layout) -> np.ndarray:
    """(V,) bool: all points but the legs."""
    ids = np.array(layout.ids)
    return (ids < _FIRST_LEG_POINT) | (ids >= NUM_POSE)


def _bounds(seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest x and y (2,) of points (N, 2), with a margin; the unit square if there are none."""
    if not len(seen):
        return np.zeros(2), np.ones(2)
    low, high = seen.min(0), seen.max(0)
    margin = 0.06 * np.maximum(high - low, 0.05)
    return low - margin, high + margin
