"""Labelled frames as ``run=prepare`` keeps them: pictures, where their landmarks are, and which split they are in.

Points are in pixels of the picture, x to the right and y down; (0, 0) is the middle of the top left pixel, as OpenCV
draws. NaN = not labelled.
"""

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sign_recog.errors import DataError
from sign_recog.landmarks.named import NamedLandmarks
from sign_recog.storage import atomic
from sign_recog.storage.landmark_csv import LandmarkTable, read_landmark_csv, write_landmark_csv
from sign_recog.storage.manifest import inside, read_table

FRAME_SPLITS = ("train", "val", "test", "new")  # new: labelled later, scored by themselves
TABLE = "labelled_frames.csv"
_AROUND = 2  # neighbours on each side
_COLUMNS = (
    "frame", "image", "folder", "split", "width", "height", "video", "number", "before_2", "before_1", "after_1",
    "after_2",
)  # fmt: skip
_REMEDY = "Delete the folder and run run=prepare again."


@dataclass(frozen=True)
class LabelledFrame:
    """One labelled picture.

    Attributes:
        frame_id: As the label file names it.
        image: The picture.
        split: One of ``FRAME_SPLITS``.
        width, height: Pixels.
        video: Where it was taken from; empty = not known. Frames of one video are alike.
        number: Its place in the video, from 0; None = not known.
        context: Pictures of the frames around it, itself in the middle: (number - 2 ... number + 2); a neighbour
            beyond the video's end is the frame at its end. Empty = there are none.
    """

    frame_id: str
    image: Path
    split: str
    width: int
    height: int
    video: str = ""
    number: int | None = None
    context: tuple[Path, ...] = ()


@dataclass(frozen=True)
class LabelledFrames:
    """The labelled frames of a corpus.

    Attributes:
        points: (N, V, 2) float64, pixels of each frame's own picture; NaN = not labelled.
        visible: (N, V) int8: 0 = not labelled, 1 = labelled though hidden, 2 = labelled and seen; None = not told.
    """

    landmarks: NamedLandmarks
    frames: list[LabelledFrame]
    points: np.ndarray
    visible: np.ndarray | None = None

    def of_split(self, *splits: str) -> "LabelledFrames":
        """Those of some splits, in their order."""
        rows = [i for i, frame in enumerate(self.frames) if frame.split in splits]
        visible = None if self.visible is None else self.visible[rows]
        return LabelledFrames(self.landmarks, [self.frames[i] for i in rows], self.points[rows], visible)


def frames_dir(folder: Path) -> Path:
    """Where pictures lie that were taken out of videos, or drawn: all manifests of a corpus share them.

    Args:
        folder: Of the manifest.
    """
    return folder.parents[1] / "frames"


def write_frames(folder: Path, labelled: LabelledFrames, image_dir: Path | None) -> None:
    """Write ``labelled_frames.csv``, ``frames.tsv`` and ``landmarks.json`` into a manifest's folder, each atomically.

    Args:
        image_dir: The user's folder of pictures; those in :func:`frames_dir` need none.

    Raises:
        DataError: If a picture lies in neither.
    """
    own = frames_dir(folder)
    rows: list[tuple[str, ...]] = [_COLUMNS]
    for frame in labelled.frames:
        in_own = frame.image.is_relative_to(own)
        top = own if in_own else image_dir
        if top is None or not frame.image.is_relative_to(top):
            raise DataError(f"{frame.image}: lies outside {top or own}. Frames may only name files in data.image_dir.")
        around = [path.relative_to(top).as_posix() for path in frame.context] or [""] * (2 * _AROUND + 1)
        rows.append(
            (
                frame.frame_id,
                frame.image.relative_to(top).as_posix(),
                "frames" if in_own else "images",
                frame.split,
                str(frame.width),
                str(frame.height),
                frame.video,
                "" if frame.number is None else str(frame.number),
                *(name for i, name in enumerate(around) if i != _AROUND),
            )
        )
    buffer = io.StringIO()
    csv.writer(buffer, delimiter="\t", lineterminator="\n").writerows(rows)
    names = tuple(frame.frame_id for frame in labelled.frames)
    table = LandmarkTable(labelled.landmarks.names, list(names), labelled.points, visible=labelled.visible)
    write_landmark_csv(folder / TABLE, table)
    atomic.write_text(folder / "frames.tsv", buffer.getvalue())
    content = labelled.landmarks.to_json() | {"image_dir": None if image_dir is None else str(image_dir)}
    atomic.write_json(folder / "landmarks.json", content)


def open_frames(folder: Path) -> LabelledFrames:
    """Read what :func:`write_frames` wrote into a manifest's folder.

    Raises:
        DataError: If there is nothing, a file is damaged, or the files do not fit together.
    """
    path = folder / "landmarks.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        landmarks = NamedLandmarks.from_json(content)
        image_dir = None if content["image_dir"] is None else Path(content["image_dir"])
    except FileNotFoundError as error:
        raise DataError(
            f"{folder}: holds no labelled frames. Prepare a corpus that has them, such as data=pose_csv or "
            "data=synthetic_pose."
        ) from error
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise DataError(f"{path}: is damaged ({error}). {_REMEDY}") from error
    table = read_landmark_csv(folder / TABLE)
    rows = read_table(folder / "frames.tsv", required=_COLUMNS)
    if table.names != landmarks.names or table.index != [row["frame"] for row in rows]:
        raise DataError(f"{folder}: frames.tsv, landmarks.json and {TABLE} are not of the same frames. {_REMEDY}")
    tops = {"frames": frames_dir(folder), "images": image_dir}
    return LabelledFrames(landmarks, [_row_to_frame(row, tops, path) for row in rows], table.points, table.visible)


def _row_to_frame(row: dict[str, str], tops: dict[str, Path | None], path: Path) -> LabelledFrame:
    top = tops.get(row["folder"])
    if top is None or row["split"] not in FRAME_SPLITS:
        raise DataError(
            f"{path.with_name('frames.tsv')}: frame {row['frame']!r} has folder={row['folder']!r} and "
            f"split={row['split']!r}. {_REMEDY}"
        )
    names = [row["before_2"], row["before_1"], row["image"], row["after_1"], row["after_2"]]
    return LabelledFrame(
        row["frame"],
        inside(top, row["image"]),
        row["split"],
        int(row["width"]),
        int(row["height"]),
        row["video"],
        int(row["number"]) if row["number"] else None,
        tuple(inside(top, name) for name in names) if all(names) else (),
    )
