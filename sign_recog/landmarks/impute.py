"""Filling of frames in which landmarks were not detected.

Two rules, each a reference system's own. They differ in what counts as missing: ``impute_parts`` looks at
a whole part (a hand is there or it is not) and leaves no NaN; ``impute_gaps`` looks at each point alone and
leaves NaN where the gap is too long to guess.
"""

import numpy as np

from sign_recog.landmarks.layout import Layout


def impute_parts(keypoints: np.ndarray, layout: Layout) -> np.ndarray:
    """Fill every missing part of every frame, as SignON SLR does.

    A part (pose, left hand, right hand, face) is missing from a frame if any of its values is NaN there.
    It is then drawn linearly between the nearest frames that have it, copied from the nearest one before the
    first and after the last of them, and set to 0 if no frame has it.

    Args:
        keypoints: (T, V, C) float, NaN = missing; V as in ``layout``.

    Returns:
        (T, V, C) of the same dtype, without NaN. The input is not changed.
    """
    filled = keypoints.copy()
    frames = np.arange(len(keypoints))
    for part in layout.parts.values():
        present = np.flatnonzero(~np.isnan(keypoints[:, part]).any(axis=(1, 2)))
        if len(present) == len(frames):
            continue
        if len(present) == 0:
            filled[:, part] = 0
            continue
        missing = np.setdiff1d(frames, present, assume_unique=True)
        after = np.searchsorted(present, missing)
        before = present[np.maximum(after - 1, 0)]
        after = present[np.minimum(after, len(present) - 1)]
        filled[missing, part] = _between(keypoints[:, part], missing, before, after)
    return filled


def impute_gaps(keypoints: np.ndarray, max_gap: int) -> np.ndarray:
    """Fill short gaps of each keypoint linearly, as FSLR does.

    A keypoint is missing from a frame if any of its channels is NaN. Only gaps of at most ``max_gap`` frames
    with the keypoint on both sides are filled; longer ones, and the ends of the clip, stay as they are.

    Args:
        keypoints: (T, V, C) float, NaN = missing.
        max_gap: In frames.

    Returns:
        (T, V, C) of the same dtype. The input is not changed.
    """
    num_frames = len(keypoints)
    missing = np.isnan(keypoints).any(axis=2)
    frames = np.arange(num_frames)[:, None]
    before = np.maximum.accumulate(np.where(missing, -1, frames), axis=0)
    after = np.minimum.accumulate(np.where(missing, num_frames, frames)[::-1], axis=0)[::-1]
    short = missing & (before >= 0) & (after < num_frames) & (after - before - 1 <= max_gap)
    frame, point = np.nonzero(short)
    filled = keypoints.copy()
    filled[frame, point] = _between(keypoints, frame, before[short], after[short], point)
    return filled


def _between(
    keypoints: np.ndarray, frame: np.ndarray, before: np.ndarray, after: np.ndarray, point: np.ndarray | None = None
) -> np.ndarray:
    """Values at ``frame`` on the line from frame ``before`` to frame ``after``; the same frame twice is a copy."""
    first, last = (keypoints[i] if point is None else keypoints[i, point] for i in (before, after))
    share = (frame - before) / np.maximum(after - before, 1)
    weight = share.astype(keypoints.dtype).reshape(-1, *[1] * (first.ndim - 1))
    return first + weight * (last - first)
