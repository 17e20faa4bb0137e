"""One clip -> one small file: what a worker process of :mod:`sign_recog.stages.small_clips` does."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from sign_recog.corpora.boxes import Box, to_pixels, to_size
from sign_recog.errors import DataError, SignRecogError
from sign_recog.extractors.mediapipe_holistic import HolisticExtractor
from sign_recog.storage import atomic
from sign_recog.storage.fingerprint import fingerprint
from sign_recog.video.clip_writer import read_comment, write_clip
from sign_recog.video.container import REMEDY
from sign_recog.video.reader import VideoReader

POSE_FPS = 4.0  # frames a second that are looked at for the signer
_VISIBLE = 0.5  # MediaPipe guesses points outside the picture too, with a low visibility
# Of the longer side of the box around the points, on each side: no point is on top of the head or beyond the fingers.
MARGIN = 0.15


def origin_of(
    source: str | None, start_s: float, end_s: float | None, box: tuple[float, float, float, float] | None
) -> dict[str, Any]:
    """What tells two small clips of the same settings apart; ``source`` is the video's fingerprint."""
    return {
        "source": source,
        "start_s": float(start_s),
        "end_s": None if end_s is None else float(end_s),
        "asked_box": None if box is None else list(box),
    }


@dataclass(frozen=True)
class Task:
    """A span of a video to encode as ``output``.

    Attributes:
        box: Where the signer is, in pixels; None = the whole picture, unless ``find_pose``.
        size: Pixels of the shorter side.
    """

    video: Path
    start_s: float
    end_s: float | None
    box: tuple[float, float, float, float] | None
    size: int
    find_pose: bool
    output: Path

    def origin(self) -> dict[str, Any]:
        """What the file is made from, as its comment says."""
        return origin_of(fingerprint(self.video), self.start_s, self.end_s, self.box)


@dataclass(frozen=True)
class Made:
    """What became of a task.

    Attributes:
        box: What was cut out of the picture; None = there is no file, and ``error`` says why.
        cut: Whether it was cut to a signer's box; False = there was none, so it is the whole picture.
        fatal: Whether the error would meet every clip.
    """

    box: Box | None = None
    cut: bool = False
    error: str | None = None
    fatal: bool = False


def stored(task: Task) -> Made | None:
    """The file of an earlier run, if it is there, whole, and made from the same; else None."""
    if not task.output.is_file():
        return None
    try:
        made = json.loads(read_comment(task.output) or "{}")
        origin = task.origin()
        if origin != {name: made.get(name) for name in origin}:
            return None
        return Made(Box(*made["box"]), made["cut"])
    except (json.JSONDecodeError, KeyError, TypeError, OSError):
        return None  # damaged, or another's: it is made again


def is_cut(path: Path) -> bool:
    """Whether a video is a small clip that has been cut to its signer."""
    try:
        return json.loads(read_comment(path) or "{}")["cut"] is True
    except (json.JSONDecodeError, KeyError, TypeError):
        return False  # anybody's video, whose comment says something else


def encode(task: Task) -> Made:
    """Write the task's file; never raises, so that one clip's trouble does not end the others'."""
    try:
        return _encode(task)
    except DataError as error:
        made = Made(error=str(error))
    except (SignRecogError, OSError) as error:  # nothing can be written, or a library is missing
        return Made(error=str(error), fatal=True)
    except Exception as error:
        made = Made(error=f"{task.video}: {type(error).__name__}: {error}")
    task.output.unlink(missing_ok=True)  # what is left from before is not of this video
    return made


def _encode(task: Task) -> Made:
    reader = VideoReader(task.video, start_s=task.start_s, end_s=task.end_s)
    width, height = reader.info.width, reader.info.height
    wanted = _around_pose(task, width, height) if task.find_pose else task.box
    signer = None if wanted is None else to_pixels(wanted, width, height)
    box, size = to_size(signer or Box(0, 0, width, height), width, height, task.size)
    if min(size) < 2:
        raise DataError(f"{task.video}: its picture of {width} x {height} pixels is too small. Leave the clip out.")
    origin = task.origin() | {"box": list(box), "cut": signer is not None}
    with atomic.replaced(task.output) as temporary:
        write_clip(temporary, _pictures(reader, box, size), reader.info.fps, json.dumps(origin))
    return Made(box, signer is not None)


def _pictures(reader: VideoReader, box: Box, size: tuple[int, int]) -> Iterator[tuple[np.ndarray, float]]:
    """The part ``box`` of every frame, scaled to ``size`` (width, height), with its time in seconds."""
    import cv2

    expected = (reader.info.height, reader.info.width, 3)
    for (frame, convert), time_s in reader.timed_frames():
        if frame.is_corrupt:  # the decoder invents what is missing, and says so here
            raise DataError(f"{reader.path}: frame {reader.num_decoded} of the clip is damaged. {REMEDY}")
        image = convert(frame)
        if image.shape != expected:
            raise DataError(
                f"{reader.path}: its picture changes from {expected[1]} x {expected[0]} to {image.shape[1]} x "
                f"{image.shape[0]} pixels in frame {reader.num_decoded}. Leave the clip out, or convert it."
            )
        part = image[box.top : box.bottom, box.left : box.right]
        if (box.width, box.height) != size:
            part = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
        yield np.ascontiguousarray(part), time_s


def _around_pose(task: Task, width: int, height: int) -> tuple[float, float, float, float] | None:
    """A box around all points of body and hands in some frames of the span; None = nobody is detected."""
    try:
        found = _detector().extract(task.video, task.start_s, task.end_s)
    except DataError:
        return None  # nobody, or the video is damaged: then encoding it fails as well, and says so
    seen = (found.confidence >= _VISIBLE) & ~np.isnan(found.keypoints).any(axis=2)  # (T, V)
    if not seen.any():
        return None
    points = found.keypoints[seen][:, :2] * width  # both axes come in image widths
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    margin = MARGIN * max(right - left, bottom - top)
    return float(left - margin), float(top - margin), float(right + margin), float(bottom + margin)


@cache
def _detector() -> HolisticExtractor:
    """One a process: its graph takes half a second to load."""
    return HolisticExtractor(
        layout="holistic_75",
        target_fps=POSE_FPS,
        model_complexity=1,
        min_detection_confidence=0.5,
        min_tracking_confidence=0.5,
        smooth_landmarks=False,
        sharpen=None,
        background=None,
    )
