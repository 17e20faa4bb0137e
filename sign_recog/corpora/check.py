"""The checks behind ``run=validate``: is everything that the manifest names there, whole and usable?"""

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TypeVar

import numpy as np

from sign_recog.corpora.check_movement import MovementLimits, movement_faults
from sign_recog.errors import DataError
from sign_recog.storage.features import read_features
from sign_recog.storage.manifest import SPLITS, Clip, inside
from sign_recog.storage.sequences import UNREADABLE_NPZ, KeypointSequence, read_keypoints
from sign_recog.video.reader import probe, read_frames

_Found = TypeVar("_Found")


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        clip_id: The clip; empty = the corpus as a whole.
        kind: The sort of problem, such as ``video_missing``.
        detail: What is wrong, and where that is not clear from the clip, what to do.
    """

    clip_id: str
    kind: str
    detail: str


@dataclass(frozen=True)
class CheckResult:
    """What is wrong with a corpus, and what was looked at: ``counts`` of clips, videos, *_files and bad_clips."""

    problems: list[Problem]
    counts: dict[str, int]


def check_corpus(
    clips: Sequence[Clip],
    video_dir: Path | None,
    keypoints_dir: Path | None,
    features_dir: Path | None,
    *,
    decode: bool,
    min_frames: int,
    max_missing_hands: float,
    max_swapped_frames: int | None,
    max_jump: float | None,
    max_frozen_frames: int | None,
    num_workers: int | None,
) -> CheckResult:
    """Check labels, videos, keypoint and feature files of all ``clips``; nothing stops at the first problem.

    A corpus needs only one of the three kinds of files.

    Args:
        video_dir: None = the corpus has no videos, and none are asked for.
        keypoints_dir, features_dir: Folders of ``<clip_id>.npz``; None = there are none, and none are asked for.
        decode: Decode every frame of a video; False = read its header only.
        min_frames: A clip with fewer frames is named.
        max_missing_hands: A clip is named if neither hand was found in more than this share of its frames.
        max_swapped_frames, max_jump, max_frozen_frames: A clip is named if left and right hand change places in more
            frames, if a part jumps so many times as far as it usually moves, or if more frames in a row are the same;
            None = that is not looked for. See :mod:`sign_recog.landmarks.faults`.
        num_workers: Threads (decoding and unpacking run outside Python's lock); 0 = none, None = one a core.
    """
    problems = _check_labels(clips)
    counts = {"clips": len(clips), "videos": 0, "keypoint_files": 0, "feature_files": 0}
    if video_dir is not None:
        # Where keypoints or features are there, a clip may have no video; where there are none, it must.
        chosen = [clip for clip in clips if clip.video or not (keypoints_dir or features_dir)]
        check = partial(_check_video, video_dir=video_dir, decode=decode, min_frames=min_frames)
        problems += chain.from_iterable(_map(check, chosen, num_workers))
        counts["videos"] = len(chosen)
    if keypoints_dir is not None:
        read = partial(
            _check_keypoints,
            folder=keypoints_dir,
            min_frames=min_frames,
            max_missing_hands=max_missing_hands,
            limits=MovementLimits(max_swapped_frames, max_jump, max_frozen_frames),
        )
        checked = _map(read, clips, num_workers)
        problems += chain.from_iterable(found for found, _ in checked)
        problems += _check_same_extraction(
            {c.clip_id: made for c, (_, made) in zip(clips, checked, strict=True) if made}
        )
        counts["keypoint_files"] = len(clips)
    if features_dir is not None:
        found = _map(partial(_check_features, folder=features_dir, min_frames=min_frames), clips, num_workers)
        problems += chain.from_iterable(own for own, _ in found)
        problems += _check_same_features({c.clip_id: made for c, (_, made) in zip(clips, found, strict=True) if made})
        counts["feature_files"] = len(clips)
    counts["bad_clips"] = len({problem.clip_id for problem in problems if problem.clip_id})
    return CheckResult(problems, counts)


def content_hashes(clips: Sequence[Clip], video_dir: Path) -> dict[str, str]:
    """Return a hash of each video that may have a copy, for :func:`sign_recog.corpora.splits.leakage`.

    Only files that share their size with another are read, so a corpus without copies costs almost nothing.
    """
    by_size = defaultdict(list)
    for video in sorted({clip.video for clip in clips if clip.video}):
        path = inside(video_dir, video)
        if path.is_file():
            by_size[path.stat().st_size].append((video, path))
    return {video: _sha256(path) for same in by_size.values() if len(same) > 1 for video, path in same}


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _map(check: Callable[[Clip], _Found], clips: Sequence[Clip], num_workers: int | None) -> list[_Found]:
    if num_workers == 0:
        return [check(clip) for clip in clips]
    with ThreadPoolExecutor(num_workers or os.cpu_count()) as pool:
        return list(pool.map(check, clips))


def _check_labels(clips: Sequence[Clip]) -> list[Problem]:
    what = "has neither gloss nor text. Correct the annotation and run run=prepare again."
    problems = [Problem(clip.clip_id, "label_missing", what) for clip in clips if not clip.gloss and not clip.text]
    learned = {clip.gloss for clip in clips if clip.split == "train"}
    unlearned: dict[str, Counter[str]] = defaultdict(Counter)
    for clip in clips:
        if learned and clip.gloss not in learned and clip.gloss:
            unlearned[clip.gloss][clip.split] += 1
    for gloss, counts in sorted(unlearned.items()):
        where = " and ".join(f"{counts[split]} clips in {split}" for split in SPLITS if counts[split])
        detail = f"{gloss}: {where}, none in train. Add some, or leave it out: data.exclude_glosses=[{gloss}]."
        problems.append(Problem("", "gloss_not_in_train", detail))
    return problems


def _check_video(clip: Clip, video_dir: Path, decode: bool, min_frames: int) -> list[Problem]:
    if not clip.video:
        return [Problem(clip.clip_id, "video_missing", "the manifest names no video.")]
    try:
        path = inside(video_dir, clip.video)
    except DataError as error:
        return [Problem(clip.clip_id, "video_missing", str(error))]
    if not path.is_file():
        return [Problem(clip.clip_id, "video_missing", f"{path}: no such file.")]
    try:
        return [Problem(clip.clip_id, *fault) for fault in _video_faults(clip, path, decode, min_frames)]
    except DataError as error:
        return [Problem(clip.clip_id, "video_unreadable", str(error))]


def _video_faults(clip: Clip, path: Path, decode: bool, min_frames: int) -> list[tuple[str, str]]:
    info = probe(path)
    last_s = max(clip.start_s, clip.end_s or 0)
    # A header's duration may lack a frame. 0 = the header does not say; then only decoding tells.
    if info.duration_s and last_s > info.duration_s + 1 / info.fps:
        detail = f"the clip reaches {last_s:g} s of {path}, which ends at {info.duration_s:.2f} s."
        return [("span_beyond_end", detail)]
    if decode:
        num_frames = sum(1 for _ in read_frames(path, start_s=clip.start_s, end_s=clip.end_s))
    elif clip.end_s is None:
        num_frames = info.num_frames_estimate - round(clip.start_s * info.fps)
    else:
        num_frames = round((clip.end_s - clip.start_s) * info.fps)
    if num_frames < min_frames:
        return [("video_short", f"{num_frames} frames of {path}; at least {min_frames} are asked for.")]
    return []


def _check_keypoints(
    clip: Clip, folder: Path, min_frames: int, max_missing_hands: float, limits: MovementLimits
) -> tuple[list[Problem], tuple[str, str] | None]:
    """The clip's problems, and the layout and extractor of its file (None = unreadable)."""
    problem = partial(Problem, clip.clip_id)
    path = folder / f"{clip.clip_id}.npz"
    if not path.is_file():
        return [problem("keypoints_missing", f"{path}: no such file. Run run=extract_keypoints.")], None
    try:
        sequence = read_keypoints(path)
    except DataError as error:
        return [problem("keypoints_unreadable", str(error))], None
    except UNREADABLE_NPZ as error:
        return [problem("keypoints_unreadable", f"{path}: {error!r}. Delete it and extract the clip again.")], None
    faults = _faults(sequence, path, min_frames, max_missing_hands)
    if np.isfinite(sequence.keypoints).any():  # of an empty file nothing more is said
        faults += movement_faults(sequence, path, limits)
    found = [problem(kind, detail) for kind, detail in faults]
    return found, (sequence.layout.name, str(sequence.meta.get("extraction", sequence.meta.get("extractor", ""))))


def _faults(sequence: KeypointSequence, path: Path, min_frames: int, max_missing_hands: float) -> list[tuple[str, str]]:
    found = []
    num_frames = len(sequence.keypoints)
    if num_frames < min_frames:
        found.append(("keypoints_short", f"{path}: {num_frames} frames; at least {min_frames} are asked for."))
    if (np.diff(sequence.timestamps_ms) < 0).any():
        found.append(("timestamps_unordered", f"{path}: times go back. Delete it and extract the clip again."))
    seen = ~np.isnan(sequence.keypoints).any(axis=2)  # (T, V)
    if not seen.any():
        found.append(("keypoints_empty", f"{path}: no landmark in any of its {num_frames} frames."))
        return found
    hands = [part for name, part in sequence.layout.parts.items() if name.endswith("_hand")]
    with_hand = np.any([seen[:, part].any(axis=1) for part in hands], axis=0)  # (T,)
    missing = 1 - float(np.mean(with_hand)) if hands else 0.0
    if missing > max_missing_hands:
        detail = f"{path}: no hand in {missing:.0%} of its {num_frames} frames; at most {max_missing_hands:.0%} may be."
        found.append(("hands_missing", detail))
    return found


def _check_same_extraction(extractions: dict[str, tuple[str, str]]) -> list[Problem]:
    if not extractions:
        return []
    usual = Counter(extractions.values()).most_common(1)[0][0]
    return [
        Problem(
            clip_id,
            "extraction_differs",
            f"layout {layout} by {extractor or 'an unknown extractor'}; most files: layout {usual[0]} by "
            f"{usual[1] or 'an unknown extractor'}. Delete it and extract the clip again.",
        )
        for clip_id, (layout, extractor) in extractions.items()
        if (layout, extractor) != usual
    ]


def _check_features(clip: Clip, folder: Path, min_frames: int) -> tuple[list[Problem], tuple[int, str] | None]:
    """The clip's problems, and the width and extractor of its file (None = unreadable)."""
    problem = partial(Problem, clip.clip_id)
    path = folder / f"{clip.clip_id}.npz"
    if not path.is_file():
        return [problem("features_missing", f"{path}: no such file. Run run=extract_features.")], None
    try:
        sequence = read_features(path)
    except (DataError, *UNREADABLE_NPZ) as error:
        return [problem("features_unreadable", f"{path}: {error} Delete it and extract the clip again.")], None
    found = []
    num_vectors, width = sequence.features.shape
    window = sequence.meta.get("window", sequence.meta.get("num_frames"))  # given files say window
    fewest = min_frames if window == 1 else 1  # of windows of many frames one is enough
    if num_vectors < fewest:
        found.append(problem("features_short", f"{path}: {num_vectors} vectors; at least {fewest} are asked for."))
    # Of windows that overlap, each with several vectors, times go back where the next begins.
    if sequence.meta.get("tokens_per_window", 1) == 1 and (np.diff(sequence.timestamps_ms) < 0).any():
        found.append(problem("timestamps_unordered", f"{path}: times go back. Delete it and extract the clip again."))
    return found, (width, str(sequence.meta.get("extractor", "")))


def _check_same_features(made: dict[str, tuple[int, str]]) -> list[Problem]:
    if not made:
        return []
    usual = Counter(made.values()).most_common(1)[0][0]
    return [
        Problem(
            clip_id,
            "features_differ",
            f"{width} values by {extractor or 'an unknown extractor'}; most files: {usual[0]} by "
            f"{usual[1] or 'an unknown extractor'}. Delete it and extract the clip again.",
        )
        for clip_id, (width, extractor) in made.items()
        if (width, extractor) != usual
    ]
