"""Labelled frames in the table of DeepLabCut and Lightning Pose, and the videos beside them.

A row names a picture, relative to a folder of pictures, or a frame of a video, ``VIDEO.mp4:NUMBER`` counted from 0,
relative to a folder of videos. Frames of one video are alike: a picture's video is the folder that it lies in, as both
programs lay them out.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sign_recog.corpora.annotation import VIDEO_SUFFIXES, to_clip_id, to_folder, to_relative, without_video_suffix
from sign_recog.corpora.base import Corpus, LeftOut
from sign_recog.corpora.frame_files import measured_pictures, neighbours
from sign_recog.errors import DataError
from sign_recog.landmarks.named import NamedLandmarks
from sign_recog.storage.labelled_frames import FRAME_SPLITS, LabelledFrame, LabelledFrames
from sign_recog.storage.landmark_csv import LandmarkTable, read_landmark_csv
from sign_recog.storage.manifest import Clip, inside, listing, read_table
from sign_recog.video.affine import inside as on_picture
from sign_recog.video.reader import probe

_FRAME_OF_VIDEO = re.compile(r"(?P<video>.+):(?P<number>\d+)")
_SPLITS = {"validation": "val", "valid": "val", "dev": "val", "testing": "test", "training": "train"}
_AROUND = range(-2, 3)  # the frames that are taken out of a video for each labelled one
_MOST_OUTSIDE = 0.5  # of the labels; with more, they were made on pictures of another size


@dataclass
class _Rows:
    """What is read so far: one entry a frame that is used."""

    frames: list[LabelledFrame]
    points: list[np.ndarray]
    visible: list[np.ndarray | None]


def read(
    source: str,
    out_dir: Path,
    *,
    image_dir: str | None,
    video_dir: str | None,
    new_source: str | None,
    split_list: str | None,
    numbered: bool,
    swap_pairs: Sequence[Sequence[str]],
    views: Sequence[Sequence[str]],
    limbs: Sequence[Sequence[str]],
) -> Corpus:
    """Read the labels; every video of ``video_dir`` is a clip of train, to be learned from without labels.

    Left out, and named: frames whose picture is missing or damaged, frames without a label, labels outside their
    picture, landmarks without a label, and videos of another size than the labelled pictures.

    Args:
        out_dir: Frames of videos are planned in ``frames/`` below it; nothing is written.
        image_dir: What the pictures' names start from; None = the folder of ``source``.
        video_dir: What the videos' names start from; None = there are none.
        new_source: A second table, whose frames get the split ``new``.
        split_list: A table with the columns frame and split; None = the column ``set``, where there is one.
        numbered: Whether the number in a picture's name is that of its frame, so that its neighbours in time are
            beside it.
        swap_pairs, views, limbs: As :class:`NamedLandmarks` has them; of points with Holistic's names, pairs and limbs
            are known where none are given.

    Raises:
        DataError: If a table is none, no frame is left, or most labels lie outside their pictures.
    """
    path = Path(source).expanduser().absolute()
    table = read_landmark_csv(path)
    images = to_folder(image_dir or path.parent)
    videos = None if video_dir is None else to_folder(video_dir)
    left_out: list[tuple[str, str]] = []
    notes: list[str] = []
    tables = [(table, "")]
    if new_source is not None:
        new_path = Path(new_source).expanduser().absolute()
        tables.append((_reordered(read_landmark_csv(new_path), table, new_path, path), "new"))
    rows, known = _Rows([], [], []), set[Path]()
    splits = _given_splits(path, table, split_list, notes)
    for one, split in tables:
        frames = _located(one, images, videos, out_dir, left_out)
        for number, frame in frames.items():
            if frame.image in known:
                where = f"in {path} too" if split else "twice"
                raise DataError(f"{new_source if split else path}: frame {frame.frame_id!r} is labelled {where}.")
            known.add(frame.image)
            rows.frames.append(replace(frame, split=split or splits.get(frame.frame_id, "")))
            rows.points.append(one.points[number])
            rows.visible.append(None if one.visible is None else one.visible[number])
    _refuse_nothing(path, images, left_out, rows)
    if numbered:
        rows.frames = [replace(frame, context=frame.context or neighbours(frame.image)) for frame in rows.frames]
    labelled = _cleaned(path, table, rows, (swap_pairs, views, limbs), left_out, notes)
    clips, without = ([], []) if videos is None else _unlabelled(videos, labelled)
    if left_out:
        notes.append(
            f"{len(left_out)} of {len(table.index)} labelled frames are left out; frames_left_out.tsv says why."
        )
    return Corpus(
        clips,
        video_dir=videos,
        notes=notes,
        left_out=without,
        frames=labelled,
        image_dir=images,
        frames_left_out=left_out,
    )


def _reordered(new: LandmarkTable, table: LandmarkTable, new_path: Path, path: Path) -> LandmarkTable:
    """The second table with the landmarks in the first one's order."""
    if set(new.names) != set(table.names):
        differing = sorted(set(new.names) ^ set(table.names))
        raise DataError(
            f"{new_path}: its landmarks are not those of {path}: {', '.join(differing)} stands in one of them only."
        )
    order = [new.names.index(name) for name in table.names]
    visible = None if new.visible is None else new.visible[:, order]
    return replace(new, names=table.names, points=new.points[:, order], visible=visible)


def _given_splits(path: Path, table: LandmarkTable, split_list: str | None, notes: list[str]) -> dict[str, str]:
    """Frame -> its split, where one is given."""
    if split_list is None:
        where, given = f"{path}, column set", dict(zip(table.index, table.sets or [], strict=False))
    else:
        list_path = Path(split_list).expanduser().absolute()
        rows = read_table(list_path, required=("frame", "split"))
        where, given = str(list_path), {row["frame"]: row["split"] for row in rows}
        twice = [name for name, count in Counter(row["frame"] for row in rows).items() if count > 1]
        if twice:
            raise DataError(f"{list_path}: frame {twice[0]!r} stands there more than once. Keep one row of it.")
        if unknown := [name for name in given if name not in set(table.index)]:
            notes.append(f"{list_path.name} names {len(unknown)} frames that are not labelled ({unknown[0]}).")
    given = {name: _SPLITS.get(split.lower(), split.lower()) for name, split in given.items() if split}
    if bad := [f"{name}: {split!r}" for name, split in given.items() if split not in FRAME_SPLITS]:
        raise DataError(listing(f"{where}: {len(bad)} splits are none of {', '.join(FRAME_SPLITS)}.", bad))
    return given


def _located(
    table: LandmarkTable, images: Path, videos: Path | None, out_dir: Path, left_out: list[tuple[str, str]]
) -> dict[int, LabelledFrame]:
    """Row -> its frame, of those whose picture or video is there; the others are added to ``left_out``."""
    found: dict[int, LabelledFrame] = {}
    pictures: dict[int, Path] = {}
    for number, frame_id in enumerate(table.index):
        match = _FRAME_OF_VIDEO.fullmatch(frame_id)
        try:
            if match and Path(match["video"]).suffix.lower() in VIDEO_SUFFIXES:
                found[number] = _of_video(frame_id, match["video"], int(match["number"]), videos, out_dir)
            else:
                pictures[number] = images / to_relative(images, frame_id)
        except ValueError as error:
            left_out.append((frame_id, str(error)))
    for (number, picture), size in zip(pictures.items(), measured_pictures(list(pictures.values())), strict=True):
        if isinstance(size, str):
            left_out.append((table.index[number], size))
            continue
        folder = picture.parent.relative_to(images).as_posix()
        found[number] = LabelledFrame(table.index[number], picture, "", *size, video="" if folder == "." else folder)
    return dict(sorted(found.items()))


def _of_video(frame_id: str, name: str, number: int, videos: Path | None, out_dir: Path) -> LabelledFrame:
    """A frame that is to be taken out of its video.

    Raises:
        ValueError: If the video cannot be read.
    """
    if videos is None:
        raise DataError(f"{frame_id}: is a frame of a video. Give the videos' folder, data.video_dir.")
    video = to_relative(videos, name)
    try:
        info = probe(inside(videos, video))
    except DataError as error:
        raise ValueError(str(error)) from error
    folder = out_dir / "frames" / to_clip_id(video)
    context = tuple(folder / f"img{max(0, number + i):08d}.png" for i in _AROUND)
    return LabelledFrame(frame_id, context[2], "", info.width, info.height, video, number, context)


def _refuse_nothing(path: Path, images: Path, left_out: list[tuple[str, str]], rows: _Rows) -> None:
    if rows.frames:
        return
    name = left_out[0][0]
    above = next((one for one in images.parents if (one / name).is_file()), None)
    remedy = "the folder that the names in the table start from" if above is None else str(above)
    raise DataError(
        f"{path}: none of its {len(left_out)} frames can be read. The first, {name!r}: {left_out[0][1]} "
        f"Set data.image_dir={remedy}."
    )


def _cleaned(
    path: Path,
    table: LandmarkTable,
    rows: _Rows,
    groups: tuple[Sequence[Sequence[str]], ...],
    left_out: list[tuple[str, str]],
    notes: list[str],
) -> LabelledFrames:
    """The frames with a label, the landmarks with a label, and the labels on their pictures."""
    points = np.stack(rows.points)
    visible = None
    if any(one is not None for one in rows.visible):  # of a table without the column: labelled and seen
        visible = np.stack(
            [
                np.where(np.isnan(p[:, 0]), 0, 2).astype(np.int8) if v is None else v
                for p, v in zip(points, rows.visible, strict=True)
            ]
        )
        points[visible == 0] = np.nan
    labelled = ~np.isnan(points[..., 0])
    sizes = np.array([(frame.width, frame.height) for frame in rows.frames])
    outside = labelled & ~np.stack([on_picture(own, tuple(size)) for own, size in zip(points, sizes, strict=True)])
    if outside.any():
        number, part = np.argwhere(outside)[0]
        x, y = points[number, part]
        frame = rows.frames[number]
        first = f"{table.names[part]} at ({x:g}, {y:g}) in {frame.frame_id}, {frame.width} x {frame.height} pixels"
        if outside.sum() > _MOST_OUTSIDE * labelled.sum():
            raise DataError(
                f"{path}: {outside.sum()} of {labelled.sum()} labels lie outside their pictures ({first}). They were "
                "made on pictures of another size: give those, or scale the labels."
            )
        points[outside] = np.nan
        notes.append(
            f"{outside.sum()} of {labelled.sum()} labels are left out: they lie outside their picture ({first})."
        )
    if visible is not None:
        visible[np.isnan(points[..., 0])] = 0
    some = ~np.isnan(points[..., 0])
    kept, known = some.any(axis=1), some.any(axis=0)
    left_out += [
        (frame.frame_id, "no landmark is labelled") for frame, has in zip(rows.frames, kept, strict=True) if not has
    ]
    frames = [frame for frame, has in zip(rows.frames, kept, strict=True) if has]
    if not frames:
        raise DataError(f"{path}: no frame has a label on its picture. Label some.")
    never = [name for name, has in zip(table.names, known, strict=True) if not has]
    if used := [name for name in never if any(name in group for groups_of in groups for group in groups_of)]:
        raise DataError(
            f"{path}: {', '.join(used)} has no label in any frame, and data.swap_pairs, data.views or data.limbs name "
            "it. Label it, or leave it out there."
        )
    if never:
        notes.append(f"{len(never)} landmarks are left out, since no frame has a label of them: {', '.join(never)}.")
    names = tuple(name for name, has in zip(table.names, known, strict=True) if has)
    swap_pairs, views, limbs = groups
    landmarks = NamedLandmarks(
        names,
        tuple((one, other) for one, other in swap_pairs),
        tuple(tuple(view) for view in views),
        tuple((one, other) for one, other in limbs),
    ).with_holistics()
    return LabelledFrames(
        landmarks, frames, points[kept][:, known], None if visible is None else visible[kept][:, known]
    )


def _unlabelled(videos: Path, labelled: LabelledFrames) -> tuple[list[Clip], list[LeftOut]]:
    """The videos of a folder, of train, without those whose pictures are unlike the labelled ones."""
    sizes = {(frame.width, frame.height) for frame in labelled.frames}
    clips, left_out = [], []
    for path in sorted(videos.rglob("*")):
        name = path.relative_to(videos)
        if path.suffix.lower() not in VIDEO_SUFFIXES or any(part.startswith(".") for part in name.parts):
            continue
        clip = Clip(to_clip_id(without_video_suffix(name.as_posix())), name.as_posix(), split="train")
        try:
            info = probe(path)
        except DataError as error:
            left_out.append(LeftOut(clip, "damaged video", str(error)))
            continue
        if (info.width, info.height) not in sizes:
            known = ", ".join(f"{width} x {height}" for width, height in sorted(sizes)[:3])
            detail = f"{info.width} x {info.height} pixels; the labelled pictures have {known}"
            left_out.append(LeftOut(clip, "other size than the labelled pictures", detail))
            continue
        clips.append(clip)
    return clips, left_out
