"""Landmarks collected as one array: ``keypoints.npz`` beside ``labels.csv``, MediaPipe Holistic without the face.

``keypoints.npz`` holds ``frames`` (F, 258), all sequences one after another, and ``offsets`` (N + 1): sequence i is
``frames[offsets[i]:offsets[i + 1]]``. A frame is pose 33 x (x, y, z, visibility), left hand 21 x (x, y, z), right
hand 21 x (x, y, z); x and y are shares of the image's width and height, and a part of zeros was not detected.
``labels.csv`` has the columns idx (the sequence), gloss and others.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sign_recog.corpora.annotation import extra_columns, rows_to_clips, to_clip_id, to_folder, to_split
from sign_recog.corpora.base import Corpus
from sign_recog.errors import ConfigError, DataError
from sign_recog.landmarks.layout import NUM_HAND, NUM_POSE, get_layout
from sign_recog.storage.manifest import Clip, read_table
from sign_recog.storage.sequences import UNREADABLE_NPZ, KeypointSequence

_POSE_VALUES, _HAND_VALUES = NUM_POSE * 4, NUM_HAND * 3
_FRAME_VALUES = _POSE_VALUES + 2 * _HAND_VALUES  # 258


def read(
    source: str,
    out_dir: Path,
    *,
    width: int,
    height: int,
    fps: float,
    signer_column: str | None = None,
    split_column: str | None = None,
    where: Mapping[str, str] | None = None,
    drop_contradictions: bool = False,
    split_strategy: str = "given",
) -> Corpus:
    """Read the folder ``source``. A clip is named ``<idx>_<gloss>``. ``out_dir`` is unused; nothing is written.

    Args:
        width, height: The camera's image in pixels; the arrays do not hold it, and y needs its aspect.
        fps: Frames a second; the arrays hold no times.
        signer_column, split_column: Columns of labels.csv; None = unknown.
        where: Column -> value: only rows with these values are kept.
        drop_contradictions: Leave out sequences that stand under several glosses, the same to the bit: at most one
            of the labels is true. Those of test stay, so that its score still compares with others'.
        split_strategy: That of ``data.split``; only with ``given`` is it known here which clips are test.

    Raises:
        DataError: If a file is missing or damaged, the arrays are of another shape, not finite, or do not fit the
            table, or no row is left.
    """
    if min(width, height, fps) <= 0:
        raise ConfigError(f"data.corpus: width={width}, height={height} and fps={fps:g} must be above 0.")
    folder = to_folder(source)
    table = folder / "labels.csv"
    where = {column: str(value) for column, value in (where or {}).items()}
    signer, split = signer_column or "", split_column or ""
    needed = [name for name in ("idx", "gloss", signer, split, *where) if name]
    rows = read_table(table, required=tuple(needed))
    arrays = _read_arrays(folder / "keypoints.npz", width, height, fps)
    num_sequences = len(arrays.offsets) - 1

    def row_to_clip(row: dict[str, str]) -> Clip:
        if not row["idx"].isdecimal() or int(row["idx"]) >= num_sequences:
            raise ValueError(f"idx={row['idx']!r} is none of the {num_sequences} sequences of keypoints.npz.")
        index = int(row["idx"])
        num_frames = int(arrays.offsets[index + 1] - arrays.offsets[index])
        if row.get("n_frames", str(num_frames)) != str(num_frames):
            raise ValueError(f"n_frames={row['n_frames']}, but sequence {index} has {num_frames} frames.")
        return Clip(
            to_clip_id(f"{index:05d}_{row['gloss'].replace('/', '_')}"),
            split=to_split(row.get(split, "")),
            signer=row.get(signer, ""),
            gloss=row["gloss"],
            extra=extra_columns(row, ("gloss", signer, split)),
        )

    clips = rows_to_clips(table, rows, row_to_clip)
    clips = [clip for clip, row in zip(clips, rows, strict=True) if all(row[name] == where[name] for name in where)]
    if not clips:
        values = {name: sorted({row[name] for row in rows})[:10] for name in where}
        raise DataError(f"{table}: no row has data.corpus.where={where}. The first values it has: {values}.")
    notes = [
        f"The arrays do not say the camera's size and speed: {width}x{height} pixels and {fps:g} fps are assumed. "
        "A wrong aspect stretches y by the same factor in every clip."
    ]
    if len(clips) < len(rows):
        notes.append(f"{len(rows) - len(clips)} of {len(rows)} sequences are left out by data.corpus.where={where}.")
    if drop_contradictions and (split_strategy != "given" or split_column is None):
        raise DataError(
            "data.corpus.drop_contradictions spares the clips of test, so it needs a split that the annotation gives: "
            "data.split.strategy=given and data.corpus.split_column. Leave it out otherwise."
        )
    if drop_contradictions and (contradictions := _contradictions(clips, arrays)):
        names = ", ".join(sorted({f"{clip.gloss} of {clip.signer or 'unknown'}" for clip in contradictions}))
        notes.append(f"{len(contradictions)} sequences stand under several glosses and are left out: {names}.")
        dropped = {clip.clip_id for clip in contradictions}
        clips = [clip for clip in clips if clip.clip_id not in dropped]
    return Corpus(clips, keypoints=arrays, notes=notes)


def _contradictions(clips: list[Clip], arrays: "_HolisticArrays") -> list[Clip]:
    """The clips, those of test aside, whose sequence is another's with another gloss."""
    labelled = defaultdict(list)
    for clip in clips:
        if clip.split != "test":
            labelled[arrays.stored(clip).tobytes()].append(clip)
    return [clip for same in labelled.values() if len({c.gloss for c in same}) > 1 for clip in same]


@dataclass(frozen=True)
class _HolisticArrays:
    """All sequences, and a clip's landmarks cut from them."""

    frames: np.ndarray  # (F, 258), as stored
    offsets: np.ndarray  # (N + 1,) int64
    source: str
    width: int
    height: int
    fps: float

    def stored(self, clip: Clip) -> np.ndarray:
        """(T, 258) of a clip, as stored."""
        index = int(clip.extra["idx"])
        return self.frames[self.offsets[index] : self.offsets[index + 1]]

    def __call__(self, clip: Clip) -> KeypointSequence:
        frames = self.stored(clip).astype(np.float32)
        num_frames = len(frames)
        pose = frames[:, :_POSE_VALUES].reshape(num_frames, NUM_POSE, 4)
        hands = frames[:, _POSE_VALUES:].reshape(num_frames, 2, NUM_HAND, 3)
        pose_found = pose.any(axis=(1, 2))  # (T,)
        hands_found = hands.any(axis=(2, 3))  # (T, 2)
        keypoints = np.concatenate([pose[..., :3], hands.reshape(num_frames, 2 * NUM_HAND, 3)], axis=1)
        keypoints[..., 1] *= self.height / self.width
        # MediaPipe gives hands no visibility (google-ai-edge/mediapipe #5212): a detected hand counts as 1.
        found = np.concatenate(
            [np.repeat(pose_found[:, None], NUM_POSE, 1), np.repeat(hands_found, NUM_HAND, axis=1)], axis=1
        )
        confidence = found.astype(np.float32)
        confidence[:, :NUM_POSE] = np.clip(pose[..., 3], 0, 1)
        keypoints[~found] = np.nan
        timestamps_ms = np.round(np.arange(num_frames) * 1000 / self.fps).astype(np.int64)
        meta = {"clip_id": clip.clip_id, "width": self.width, "height": self.height, "fps": self.fps}
        meta |= {"extractor": "given", "source": f"{self.source}, sequence {clip.extra['idx']}"}
        return KeypointSequence(keypoints, confidence, timestamps_ms, get_layout("holistic_75"), meta)


def _read_arrays(path: Path, width: int, height: int, fps: float) -> _HolisticArrays:
    try:
        with np.load(path, allow_pickle=False) as file:
            frames, offsets = file["frames"], file["offsets"]
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file. It belongs beside labels.csv.") from error
    except UNREADABLE_NPZ as error:
        raise DataError(
            f"{path}: cannot be read as .npz with frames and offsets, without pickled objects ({error}). Get it again."
        ) from error
    if frames.ndim != 2 or frames.shape[1] != _FRAME_VALUES or frames.dtype.kind != "f":
        raise DataError(
            f"{path}: frames are {frames.dtype} {frames.shape}, expected float (F, {_FRAME_VALUES}): pose 33 x 4, "
            "left hand 21 x 3, right hand 21 x 3."
        )
    if offsets.ndim != 1 or offsets.dtype.kind not in "iu" or len(offsets) < 2:
        raise DataError(f"{path}: offsets are {offsets.dtype} {offsets.shape}, expected whole numbers (N + 1,).")
    offsets = offsets.astype(np.int64)
    if offsets[0] != 0 or offsets[-1] != len(frames) or (np.diff(offsets) <= 0).any():
        raise DataError(
            f"{path}: offsets must rise from 0 to the number of frames ({len(frames)}), each sequence holding at "
            f"least one; they go from {offsets[0]} to {offsets[-1]}."
        )
    if not np.isfinite(frames).all():
        bad = int(np.flatnonzero(~np.isfinite(frames).all(axis=1))[0])
        raise DataError(
            f"{path}: frame {bad} (sequence {int(np.searchsorted(offsets, bad, 'right')) - 1}) is not finite. "
            "A missing part is written as zeros."
        )
    return _HolisticArrays(frames, offsets, f"{path.parent.name}/{path.name}", width, height, fps)
