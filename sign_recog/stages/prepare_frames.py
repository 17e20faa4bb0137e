"""The labelled frames of a corpus: divided, taken out of their videos, and written beside the manifest."""

import logging
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from sign_recog.config.schema import DataConfig
from sign_recog.config.split import SplitStrategy
from sign_recog.corpora.base import Corpus
from sign_recog.corpora.splits import divide
from sign_recog.errors import DataError
from sign_recog.storage import atomic
from sign_recog.storage.labelled_frames import FRAME_SPLITS, LabelledFrame, LabelledFrames, frames_dir, write_frames
from sign_recog.storage.manifest import SPLITS, Clip, inside
from sign_recog.video.chosen import read_chosen
from sign_recog.video.pictures import png

logger = logging.getLogger(__name__)

_AT_ONCE = 20  # labelled frames of a video whose pictures are in memory together, with their neighbours


def divide_frames(corpus: Corpus, data: DataConfig) -> None:
    """Give every frame of ``corpus`` its split, as ``data.split`` says; those of ``new`` stay by themselves.

    Raises:
        DataError: If the strategy lacks what it needs, or nothing is left to train on or to validate with.
    """
    labelled = corpus.frames
    assert labelled is not None
    clips = [Clip(frame.frame_id, frame.video, split=frame.split) for frame in labelled.frames if frame.split != "new"]
    without = [clip.clip_id for clip in clips if not clip.split]
    if without and data.split.strategy is SplitStrategy.given:
        raise DataError(
            f"{len(without)} of {len(clips)} labelled frames have no split (the first: {without[0]}). Give "
            "data.split_list or a column set, or let it be made: data.split.strategy=random or video_disjoint."
        )
    divided, notes = divide(clips, data.split)
    splits = {clip.clip_id: clip.split for clip in divided}
    rows = [i for i, frame in enumerate(labelled.frames) if frame.split == "new" or frame.frame_id in splits]
    frames = [replace(labelled.frames[i], split=splits.get(labelled.frames[i].frame_id, "new")) for i in rows]
    visible = None if labelled.visible is None else labelled.visible[rows]
    corpus.frames = LabelledFrames(labelled.landmarks, frames, labelled.points[rows], visible)
    corpus.notes += notes
    _refuse_empty(corpus.frames)


def prepare_frames(corpus: Corpus, folder: Path) -> dict[str, Any]:
    """Take out the frames that are missing, write the tables into ``folder``, and return what corpus.json says.

    Raises:
        DataError: If no frame of train or val can be taken out of its video.
    """
    labelled = corpus.frames
    assert labelled is not None
    lost = {} if corpus.video_dir is None else _take_out(labelled.frames, corpus.video_dir, frames_dir(folder))
    if lost:
        corpus.frames_left_out += lost.items()
        corpus.notes.append(f"{len(lost)} frames cannot be taken out of their videos; frames_left_out.tsv says why.")
        rows = [i for i, frame in enumerate(labelled.frames) if frame.frame_id not in lost]
        visible = None if labelled.visible is None else labelled.visible[rows]
        frames = [labelled.frames[i] for i in rows]
        labelled = corpus.frames = LabelledFrames(labelled.landmarks, frames, labelled.points[rows], visible)
        _refuse_empty(labelled)
    write_frames(folder, labelled, corpus.image_dir)
    rows_out = [("frame", "reason"), *((name, " ".join(why.split())) for name, why in corpus.frames_left_out)]
    atomic.write_text(folder / "frames_left_out.tsv", "".join("\t".join(row) + "\n" for row in rows_out))
    counts = Counter(frame.split for frame in labelled.frames)
    return {
        "landmarks": len(labelled.landmarks),
        "splits": {split: counts[split] for split in FRAME_SPLITS if counts[split] or split != "new"},
        "left_out": len(corpus.frames_left_out),
    }


def frames_summary(info: dict[str, Any]) -> dict[str, Any]:
    """What :func:`prepare_frames` returned, as lines of the stage's summary."""
    lines = {f"{split} labelled frames": count for split, count in info["splits"].items()}
    return lines | {"landmarks": info["landmarks"], "labelled frames left out": info["left_out"]}


def frame_warnings(labelled: LabelledFrames) -> list[str]:
    """What the user should know about the labels, a sentence each."""
    found = []
    labels = ~np.isnan(labelled.points[..., 0])
    in_split = {split: np.array([frame.split == split for frame in labelled.frames]) for split in FRAME_SPLITS}
    never = np.flatnonzero(~labels[in_split["train"]].any(axis=0))
    if len(never):
        names = ", ".join(labelled.landmarks.names[i] for i in never)
        found.append(f"train has no label of {names}, so it cannot be learned.")
    if not in_split["test"].any():
        found.append("test has no labelled frames.")
    videos: dict[str, set[str]] = defaultdict(set)
    for frame in labelled.frames:
        if frame.split != "new":
            videos[frame.video].add(frame.split)
    shared = sorted(video or "the folder of pictures" for video, splits in videos.items() if len(splits) > 1)
    if shared:
        found.append(
            f"{len(shared)} of {len(videos)} videos have frames in more than one split ({', '.join(shared[:3])}), so "
            "errors of test say little about other videos."
            + (" data.split.strategy=video_disjoint keeps them apart." if len(videos) >= len(SPLITS) else "")
        )
    return found


def _refuse_empty(labelled: LabelledFrames) -> None:
    counts = Counter(frame.split for frame in labelled.frames)
    for split in ("train", "val"):
        if not counts[split]:
            raise DataError(
                f"{split} has none of the {len(labelled.frames)} labelled frames: "
                f"{', '.join(f'{name} {count}' for name, count in sorted(counts.items()))}. Label more, change "
                "data.split, or raise data.split.val_share; a detector needs frames to train on and to validate with."
            )


def _take_out(frames: Sequence[LabelledFrame], video_dir: Path, own: Path) -> dict[str, str]:
    """Write the frames of videos that are not there yet, with their neighbours; return those that fail, and why."""
    by_video: dict[str, list[LabelledFrame]] = defaultdict(list)
    for frame in frames:
        of_video = frame.number is not None and frame.image.is_relative_to(own)
        if of_video and not all(path.is_file() for path in frame.context):
            by_video[frame.video].append(frame)
    lost: dict[str, str] = {}
    if not by_video:
        return lost
    with tqdm(total=sum(map(len, by_video.values())), desc="taking out frames", unit="frame", mininterval=1.0) as bar:
        for video, wanted in sorted(by_video.items()):
            wanted.sort(key=lambda frame: frame.number or 0)
            for first in range(0, len(wanted), _AT_ONCE):
                lost |= _take_from(inside(video_dir, video), wanted[first : first + _AT_ONCE])
                bar.update(len(wanted[first : first + _AT_ONCE]))
    return lost


def _take_from(video: Path, wanted: Sequence[LabelledFrame]) -> dict[str, str]:
    """Write pictures of one video; a neighbour beyond its end is its last frame."""
    places = {path: frame.number + step for frame in wanted for step, path in _around(frame)}  # type: ignore[operator]
    length = 0

    def choose(times_s: np.ndarray, interval_s: float) -> np.ndarray:
        nonlocal length
        length = len(times_s)
        return np.clip(list(places.values()), 0, length - 1)

    try:
        pictures = read_chosen(video, choose, lambda image: image)
    except DataError as error:
        return {frame.frame_id: str(error) for frame in wanted}
    lost = {
        frame.frame_id: f"{video.name} has {length} frames, counted from 0, so there is no frame {frame.number}."
        for frame in wanted
        if frame.number is not None and frame.number >= length
    }
    beyond = {path for frame in wanted if frame.frame_id in lost for path in frame.context}
    for path, picture in zip(places, pictures, strict=True):
        if path not in beyond and not path.is_file():
            atomic.write_bytes(path, png(picture))
    return lost


def _around(frame: LabelledFrame) -> list[tuple[int, Path]]:
    middle = len(frame.context) // 2
    return [(place - middle, path) for place, path in enumerate(frame.context)]
