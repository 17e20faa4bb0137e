"""SignON SLR (S0): ``samples.csv`` beside ``clips/`` with videos, ``mediapipe/`` with keypoints, or both."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from sign_recog.corpora.annotation import (
    extra_columns,
    keep_existing,
    rows_to_clips,
    to_clip_id,
    to_relative,
    to_split,
    to_table,
    without_video_suffix,
)
from sign_recog.corpora.base import Corpus
from sign_recog.errors import ConfigError
from sign_recog.formats import signon
from sign_recog.storage.manifest import Clip, read_table
from sign_recog.storage.sequences import KeypointSequence
from sign_recog.video.reader import probe


def read(source: str, out_dir: Path, *, keypoints: bool | None, width: int, height: int, fps: float) -> Corpus:
    """Read samples.csv (``source`` or in it). A clip is named as its video, ``Id`` is kept as an extra column.

    Rows whose video or keypoint file does not exist are left out, with a note. ``out_dir`` is unused; nothing is
    written.

    Args:
        keypoints: True = take the keypoints of ``mediapipe/``; False = take the videos of ``clips/``; None = the videos
            if any is there.
        width, height, fps: Of the camera, pixels and frames a second; only keypoints without their video need them,
            since beside a video they are read from it.

    Raises:
        DataError: If samples.csv lacks a column, or lines are wrong (all are named), or no file exists.
    """
    if min(width, height, fps) <= 0:
        raise ConfigError(f"data.corpus: width={width}, height={height} and fps={fps:g} must be above 0.")
    table = to_table(source, "samples.csv")
    rows = read_table(table, required=signon.HEADER)
    video_dir, array_dir = table.parent / "clips", table.parent / "mediapipe"
    clips = rows_to_clips(table, rows, lambda row: _clip(row, video_dir))
    if keypoints is None:
        keypoints = array_dir.is_dir() and not any((video_dir / clip.video).is_file() for clip in clips)
    if not keypoints:
        clips, left_out, notes = keep_existing(table, clips, video_dir, what="video", remedy=_REMEDY)
        return Corpus(clips, video_dir, notes=notes, left_out=left_out)
    videos = {clip.clip_id: clip.video for clip in clips}
    for clip in clips:
        clip.video = f"{without_video_suffix(clip.video)}.npy"
    clips, left_out, notes = keep_existing(table, clips, array_dir, what="keypoint file", remedy=_REMEDY)
    arrays = {clip.clip_id: array_dir / clip.video for clip in clips}
    beside = {name: video_dir / videos[name] for name in arrays if (video_dir / videos[name]).is_file()}
    for clip in clips:
        clip.video = ""
    if len(beside) < len(clips):
        notes.append(
            f"The files do not say the camera's size and speed: {width}x{height} pixels and {fps:g} fps are assumed "
            f"for the {len(clips) - len(beside)} clips without a video beside them."
        )
    read_file = partial(signon.read, width=width, height=height, fps=fps)
    return Corpus(clips, keypoints=partial(_keypoints, read_file, arrays, beside), notes=notes, left_out=left_out)


def _clip(row: dict[str, str], video_dir: Path) -> Clip:
    video = to_relative(video_dir, row["Video"])
    return Clip(
        to_clip_id(without_video_suffix(video)),
        video,
        split=to_split(row["Subset"]),
        signer=row["Participant"],
        gloss=row["Label"],
        extra={"Id": row["Id"], **extra_columns(row, signon.HEADER)},
    )


def _keypoints(
    read_file: Callable[..., KeypointSequence], arrays: dict[str, Path], videos: dict[str, Path], clip: Clip
) -> KeypointSequence:
    camera = {}
    if clip.clip_id in videos:
        info = probe(videos[clip.clip_id])
        camera = {"width": info.width, "height": info.height, "fps": info.fps}
    return read_file(arrays[clip.clip_id], clip_id=clip.clip_id, **camera)


_REMEDY = "samples.csv belongs beside clips/ (videos) or mediapipe/ (<video without suffix>.npy)."
