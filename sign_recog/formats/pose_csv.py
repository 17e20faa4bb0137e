"""The table with three header rows of DeepLabCut and Lightning Pose, one row for each frame of a clip.

It is what both write for a video (``video_preds/<video>.csv``): x and y in pixels of the picture, (0, 0) in the middle
of the first, and a likelihood. Points of Holistic go by their names (:mod:`sign_recog.landmarks.names`).
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from sign_recog.errors import DataError
from sign_recog.formats.base import frame_times, given_meta, image_size, write_csv
from sign_recog.landmarks.layout import LAYOUTS, Layout
from sign_recog.landmarks.named import NamedLandmarks
from sign_recog.landmarks.named_layout import NamedLayout
from sign_recog.landmarks.names import point_names
from sign_recog.storage import atomic
from sign_recog.storage.features import FeatureSequence
from sign_recog.storage.landmark_csv import LandmarkTable, read_landmark_csv, write_landmark_csv
from sign_recog.storage.manifest import Clip
from sign_recog.storage.sequences import KeypointSequence
from sign_recog.video.chosen import read_chosen
from sign_recog.video.pictures import png

KINDS = frozenset({"keypoints"})
LOSSES = "Tables of landmarks hold no z, and no times: a row is a frame."
LABELS = "CollectedData.csv"
_TOLERANCE_MS = 1.0  # times in keypoint files are rounded to a millisecond
_AT_ONCE = 50  # pictures in memory


def names_of(layout: Layout) -> tuple[str, ...]:
    """What the points of a layout are called."""
    return layout.landmarks.names if isinstance(layout, NamedLayout) else tuple(point_names(layout))


def layout_of(names: Sequence[str]) -> Layout:
    """The layout of Holistic's with these names in this order; any others become a layout of their own."""
    known = [layout for layout in LAYOUTS.values() if names_of(layout) == tuple(names)]
    return known[0] if known else NamedLayout.of(NamedLandmarks(tuple(names)))


def to_pixels(sequence: KeypointSequence) -> np.ndarray:
    """(T, V, 2) float64 pixels of the picture; NaN = missing.

    Raises:
        DataError: If the sequence does not say how large its pictures are.
    """
    width, _ = image_size(sequence)
    points = sequence.keypoints[..., :2].astype(np.float64) * width - 0.5
    points[~np.isfinite(points).all(axis=-1)] = np.nan
    return points


def read(path: Path, *, clip_id: str, width: int, height: int, fps: float) -> KeypointSequence:
    """Read the table of a whole clip, one row a frame in their order; z is 0.

    Args:
        width, height: Of the pictures, in pixels.
        fps: Frames a second.

    Raises:
        DataError: If it is no such table, or its rows are numbered and one is left out.
    """
    table = read_landmark_csv(path)
    numbered = all(name.isdecimal() for name in table.index)
    if numbered and [int(name) for name in table.index] != list(range(len(table.index))):
        raise DataError(
            f"{path}: its rows are not the frames 0, 1, 2 and so on of a clip. A table of labelled frames is read by "
            "data=pose_csv."
        )
    missing = np.isnan(table.points[..., 0])
    keypoints = np.zeros((*table.points.shape[:2], 3), np.float32)
    keypoints[..., :2] = (table.points + 0.5) / width
    keypoints[missing] = np.nan
    confidence = np.ones(missing.shape) if table.likelihood is None else np.nan_to_num(table.likelihood).clip(0, 1)
    confidence = np.where(missing, 0, confidence).astype(np.float32)
    meta = given_meta(path, clip_id, width=width, height=height, fps=fps)
    return KeypointSequence(keypoints, confidence, frame_times(len(missing), fps), layout_of(table.names), meta)


def file_name(clip: Clip) -> str:
    """A ``.csv`` file named as the clip, in the same subfolders."""
    return f"{clip.clip_id}.csv"


def write(path: Path, keypoints: KeypointSequence | None, features: FeatureSequence | None) -> int:
    """Write one table; see :class:`sign_recog.formats.base.Writer`."""
    if keypoints is None or features is not None:
        raise DataError(f"{path}: tables of landmarks hold keypoints and nothing else.")
    points = to_pixels(keypoints)
    index = [str(number) for number in range(len(points))]
    table = LandmarkTable(names_of(keypoints.layout), index, points, keypoints.confidence.astype(np.float64))
    write_landmark_csv(path, table, decimals=4)
    return 0


def write_index(folder: Path, clips: Sequence[Clip]) -> Path:
    """Write ``index.csv``: path, and the manifest's columns."""
    header = ("path", "clip_id", "video", "split", "signer", "gloss", "category", "text")
    rows = [[file_name(clip), *(getattr(clip, name) for name in header[1:])] for clip in clips]
    write_csv(folder / "index.csv", header, rows)
    return folder / "index.csv"


def write_labels(
    folder: Path,
    clips: Sequence[Clip],
    read_clip: Callable[[Clip], KeypointSequence],
    video_path: Callable[[Clip], Path],
    every: int,
) -> tuple[Path, dict[str, str]]:
    """Write every n-th frame of the clips as pictures, and one table of what is known of them, to start labelling from.

    The table, ``CollectedData.csv``, names ``labeled-data/<clip_id>/img<number>.png``; a picture that is there stays.

    Returns:
        The table, and clip_id -> reason of clips whose pictures cannot be had.
    """
    tables: list[tuple[tuple[str, ...], list[str], np.ndarray]] = []
    failed: dict[str, str] = {}
    for clip in clips:
        try:
            sequence = read_clip(clip)
            numbers = np.arange(0, len(sequence.keypoints), every)
            names = [f"labeled-data/{clip.clip_id}/img{number:08d}.png" for number in numbers]
            _write_pictures(folder, names, video_path(clip), clip, sequence, numbers)
            tables.append((names_of(sequence.layout), names, to_pixels(sequence)[numbers]))
        except DataError as error:
            failed[clip.clip_id] = str(error)
    if not tables:
        raise DataError(f"No clip gives pictures to label. The first: {next(iter(failed.values()), 'there is none')}")
    landmarks = tables[0][0]
    if other := next((names[0] for own, names, _ in tables if own != landmarks), None):
        raise DataError(f"{other}: has other landmarks than the clips before it. Extract all in the same way.")
    index = [name for _, names, _ in tables for name in names]
    table = LandmarkTable(landmarks, index, np.concatenate([points for *_, points in tables]))
    write_landmark_csv(folder / LABELS, table, decimals=2)
    return folder / LABELS, failed


def _write_pictures(
    folder: Path, names: Sequence[str], video: Path, clip: Clip, sequence: KeypointSequence, numbers: np.ndarray
) -> None:
    width, height = image_size(sequence)
    missing = [i for i, name in enumerate(names) if not (folder / name).is_file()]
    for first in range(0, len(missing), _AT_ONCE):
        chosen = missing[first : first + _AT_ONCE]
        wanted_ms = sequence.timestamps_ms[numbers[chosen]]

        def choose(times_s: np.ndarray, interval_s: float, wanted_ms: np.ndarray = wanted_ms) -> np.ndarray:
            # What a player shows at that time, as extraction chose it, also where it took fewer frames a second.
            late_ms = _TOLERANCE_MS + 250 * interval_s
            shown = np.searchsorted(1000 * times_s, wanted_ms + late_ms, side="right") - 1
            return np.clip(shown, 0, len(times_s) - 1)

        pictures = read_chosen(video, choose, lambda image: image, start_s=clip.start_s, end_s=clip.end_s)
        for i, picture in zip(chosen, pictures, strict=True):
            if picture.shape[:2] != (height, width):
                raise DataError(
                    f"{video}: its pictures are {picture.shape[1]} x {picture.shape[0]}, its keypoints of {width} x "
                    f"{height}. Extract it again."
                )
            atomic.write_bytes(folder / names[i], png(picture))
