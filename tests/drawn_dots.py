"""Labelled pictures whose landmarks are soft dots, one a colour, so that they can be found again by their centroids."""

from pathlib import Path

import numpy as np

from sign_recog.landmarks.named import NamedLandmarks
from sign_recog.storage.labelled_frames import LabelledFrame, LabelledFrames

NAMES = ("left", "right", "top")  # drawn in red, green, blue


def dots(points: np.ndarray, height: int, width: int, sigma: float = 3.0) -> np.ndarray:
    """(H, W, 3) uint8: dot c of ``points`` (3, 2) in channel c; (0, 0) is the middle of the top left pixel."""
    y, x = np.mgrid[0:height, 0:width]
    squared = [(x - px) ** 2 + (y - py) ** 2 for px, py in points]
    return np.round(240 * np.exp(-np.stack(squared, axis=-1) / (2 * sigma**2))).astype(np.uint8)


def centroids(picture: np.ndarray) -> np.ndarray:
    """(3, 2): where the dots of a picture (H, W, 3) are; NaN = there is none."""
    values = np.where(picture > 8, picture, 0).astype(float)
    total = values.sum(axis=(0, 1))
    y, x = np.mgrid[0 : picture.shape[0], 0 : picture.shape[1]]
    sums = np.stack([(values * x[..., None]).sum((0, 1)), (values * y[..., None]).sum((0, 1))], axis=-1)
    return np.where(total[:, None] > 0, sums / np.maximum(total, 1)[:, None], np.nan)


def write_dots(
    folder: Path,
    *,
    sizes: list[tuple[int, int]] | None = None,
    num_frames: int = 5,
    swap_pairs: tuple[tuple[str, str], ...] = (("left", "right"),),
    context: bool = False,
    split: str = "train",
) -> LabelledFrames:
    """Pictures of ``sizes`` (width, height) in turn, with dots at random places away from the edges."""
    from sign_recog.video.pictures import png

    sizes = sizes or [(96, 80)]
    frames, points = [], []
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(num_frames):
        width, height = sizes[number % len(sizes)]
        own = rng.uniform(0.3, 0.7, (3, 2)) * (width, height)
        path = folder / f"img{number:03d}.png"
        path.write_bytes(png(dots(own, height, width)))
        frames.append((path, width, height))
        points.append(own)
    landmarks = NamedLandmarks(NAMES, swap_pairs)
    paths = [path for path, _, _ in frames]

    def around(number: int) -> tuple[Path, ...]:
        return tuple(paths[min(max(number + step, 0), num_frames - 1)] for step in range(-2, 3)) if context else ()

    labelled = [
        LabelledFrame(f"f{i}", path, split, width, height, context=around(i))
        for i, (path, width, height) in enumerate(frames)
    ]
    return LabelledFrames(landmarks, labelled, np.stack(points))
