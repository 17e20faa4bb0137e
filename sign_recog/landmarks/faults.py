"""What keypoints of a clip show that no body does: hands that change places, jumps, frames that stand still.

Lengths are measured in the clip itself (shoulder widths, its usual movement), so that one setting suits signers near
and far. All functions take keypoints (T, V, C) in image widths, NaN = missing, of any layout; where it lacks the points
of MediaPipe Holistic's that they need, nothing is found.
"""

import numpy as np

from sign_recog.landmarks.layout import (
    LEFT_SHOULDER,
    LEFT_WRIST,
    NUM_HAND,
    NUM_POSE,
    RIGHT_SHOULDER,
    RIGHT_WRIST,
    WRIST,
    Layout,
)

_MIN_FRAMES = 5  # of movements, below which nothing is usual
_JUMP = 0.1  # image widths in a frame: less is no jump, however still the rest is
_SUDDEN = 6.0  # a jump is so many times the movements before and after it
_STROKE_S, _STROKE_FRAMES = 0.2, 4  # hands' quickest movements; where they take fewer frames, more is asked of a jump
_APART = 0.5  # shoulder widths: hands nearer to each other than this may have crossed
_FAR, _NEAR = 0.75, 0.35  # shoulder widths: a hand this far from its own wrist, this near to the other's, is the other
_EXCHANGED = 0.4  # exchanged hands move at most this share of what the hands would move if they were not
_LATER = 4  # frames within which a hand must be seen again to be compared
_USUAL = 0.5  # quantile of a clip's movements that is its usual: the median


def swapped_frames(keypoints: np.ndarray, layout: Layout) -> np.ndarray:
    """(F,) frames in which left and right hand have changed places.

    Either against the frame before in which both were seen: each hand is where the other was. Or within a frame: a hand
    lies at the pose's other wrist, and far from its own.
    """
    found = set(_exchanged(keypoints, layout).tolist()) | set(_at_the_other_wrist(keypoints, layout).tolist())
    return np.array(sorted(found), dtype=np.int64)


def _exchanged(keypoints: np.ndarray, layout: Layout) -> np.ndarray:
    wrists = _points(keypoints, layout, NUM_POSE + WRIST, NUM_POSE + NUM_HAND + WRIST)
    width = shoulder_width(keypoints, layout)
    if wrists is None or width is None:
        return np.empty(0, dtype=np.int64)
    both = np.flatnonzero(np.isfinite(wrists).all(axis=(1, 2)))
    before, after = both[:-1], both[1:]
    near = after - before <= _LATER
    before, after = before[near], after[near]
    kept = np.linalg.norm(wrists[after] - wrists[before], axis=2).sum(axis=1)
    changed = np.linalg.norm(wrists[after] - wrists[before, ::-1], axis=2).sum(axis=1)
    apart = np.linalg.norm(wrists[:, 0] - wrists[:, 1], axis=1)
    distinct = np.minimum(apart[before], apart[after]) > _APART * width
    return after[distinct & (changed < _EXCHANGED * kept)]


def _at_the_other_wrist(keypoints: np.ndarray, layout: Layout) -> np.ndarray:
    hands = _points(keypoints, layout, NUM_POSE + WRIST, NUM_POSE + NUM_HAND + WRIST)
    arms = _points(keypoints, layout, LEFT_WRIST, RIGHT_WRIST)
    width = shoulder_width(keypoints, layout)
    if hands is None or arms is None or width is None:
        return np.empty(0, dtype=np.int64)
    own = np.linalg.norm(hands - arms, axis=2)  # (T, 2)
    other = np.linalg.norm(hands - arms[:, ::-1], axis=2)
    return np.flatnonzero(((own > _FAR * width) & (other < _NEAR * width)).any(axis=1))


def jumps(keypoints: np.ndarray, layout: Layout, *, fps: float, factor: float) -> dict[str, np.ndarray]:
    """Part -> frames into which it jumps, where there are any.

    A part's movement is the median of its points' temporal norms. A jump is more than ``factor`` times what is usual in
    the clip (the median), and comes out of nothing: the movements before and after it are small
    beside it. So a part is somewhere else all at once, or for one frame alone, which a fast hand is not: that speeds up
    and slows down over several frames. Next to frames where the part is missing nothing is said.
    """
    # Squared, as what starts from rest goes with the square of time.
    sudden = _SUDDEN * max(1.0, _STROKE_FRAMES / (_STROKE_S * fps)) ** 2
    found = {}
    for part, points in layout.parts.items():
        moved = _movement(keypoints[:, points], 1)  # into each frame
        across = _movement(keypoints[:, points], 2)  # from two frames before
        known = moved[np.isfinite(moved)]
        if len(known) < _MIN_FRAMES:
            continue
        least = max(_JUMP, factor * float(np.quantile(known, _USUAL)))
        before, after, later = moved[1:-2], moved[3:], np.append(moved[4:], np.nan)
        here, back = moved[2:-1], moved[3:]
        with np.errstate(invalid="ignore"):
            stays = (here > least) & (here > sudden * np.maximum(before, after))
            around = np.fmax(np.fmax(before, later), across[3:] / 2)
            returns = (np.minimum(here, back) > least) & (here > sudden * around) & np.isfinite(before)
        if len(frames := np.flatnonzero(stays | returns) + 2):
            found[part] = frames
    return found


def _movement(keypoints: np.ndarray, step: int) -> np.ndarray:
    """(T,) median over points of the distance to where they were ``step`` frames before; NaN where none is known."""
    moved = np.full(len(keypoints), np.nan)
    distances = np.linalg.norm(keypoints[step:, :, :2].astype(np.float64) - keypoints[:-step, :, :2], axis=2)
    there = np.isfinite(distances).any(axis=1)
    moved[step:][there] = np.nanmedian(distances[there], axis=1)
    return moved


def longest_still(keypoints: np.ndarray) -> int:
    """The most frames in a row that repeat the one before to the bit; frames without any point do not count."""
    if len(keypoints) < 2:
        return 0
    same = (keypoints[1:] == keypoints[:-1]) | (np.isnan(keypoints[1:]) & np.isnan(keypoints[:-1]))
    still = same.all(axis=(1, 2)) & np.isfinite(keypoints[1:]).any(axis=(1, 2))
    ends = np.flatnonzero(~np.concatenate([[False], still, [False]]))
    return int(np.diff(ends).max() - 1)


def shoulder_width(keypoints: np.ndarray, layout: Layout) -> float | None:
    """Median distance of the shoulders in image widths; None where they are never seen together."""
    shoulders = _points(keypoints, layout, LEFT_SHOULDER, RIGHT_SHOULDER)
    if shoulders is None:
        return None
    widths = np.linalg.norm(shoulders[:, 0] - shoulders[:, 1], axis=1)
    widths = widths[np.isfinite(widths)]
    return float(np.median(widths)) if len(widths) else None


def _points(keypoints: np.ndarray, layout: Layout, *ids: int) -> np.ndarray | None:
    """(T, len(ids), 2) of points by their index in ``holistic_543``; None where the layout lacks one."""
    if any(i not in layout.ids for i in ids):
        return None
    return keypoints[:, [layout.ids.index(i) for i in ids], :2].astype(np.float64)
