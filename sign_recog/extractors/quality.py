"""How good extracted keypoints are: what was seen, how steady it is, and which clips to look at first."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sign_recog.storage.memo import Memo
from sign_recog.storage.sequences import KeypointSequence, read_keypoints

_SURE = 0.5  # points below this confidence are guesses outside the picture, which always tremble
_NUM_WORST = 10


@dataclass(frozen=True)
class ClipQuality:
    """One clip. Shares are of its frames, in [0, 1].

    Attributes:
        seen: Part -> share of frames where it was detected.
        any_hand: Share of frames with at least one hand.
        jitter: Mean length of the second difference ``p[t-1] - 2 p[t] + p[t+1]`` of (x, y), over all points with
            confidence of at least 0.5 in three consecutive frames; in image widths a frame squared, so
            steady movement counts nothing and trembling counts whole. NaN where there is no such point.
        frozen: Share of frames, the first apart, that repeat the frame before to the bit: a stuck video,
            or one brought to a higher rate.
    """

    clip_id: str
    num_frames: int
    seen: dict[str, float]
    any_hand: float
    jitter: float
    frozen: float


@dataclass(frozen=True)
class QualityReport:
    """Many clips. Shares are of all frames; ``jitter`` is the median over clips.

    Attributes:
        worst: The ten clips to look at: fewest frames with a hand first, then the most jitter.
    """

    num_clips: int
    num_frames: int
    seen: dict[str, float]
    any_hand: float
    jitter: float
    frozen: float
    worst: list[ClipQuality]

    def rows(self) -> list[tuple[str, str]]:
        """Name and value, for a table of the whole."""
        shares = {**{f"frames with {part}": share for part, share in self.seen.items()}}
        shares |= {"frames with a hand": self.any_hand, "frozen frames": self.frozen}
        return [
            ("clips", str(self.num_clips)),
            ("frames", str(self.num_frames)),
            *((name.replace("_", " "), f"{100 * share:.1f} %") for name, share in shares.items()),
            ("jitter (widths/frame²)", f"{self.jitter:.5f}"),
        ]

    def worst_rows(self) -> list[tuple[str, ...]]:
        """Clip, frames, share with a hand, jitter and share of frozen frames, for a table of the worst."""
        return [
            (
                clip.clip_id,
                str(clip.num_frames),
                f"{100 * clip.any_hand:.1f} %",
                f"{clip.jitter:.5f}",
                f"{100 * clip.frozen:.1f} %",
            )
            for clip in self.worst
        ]

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values; a jitter that is not known is null."""

        def known(value: Any) -> Any:
            if isinstance(value, dict):
                return {name: known(inner) for name, inner in value.items()}
            if isinstance(value, list):
                return [known(inner) for inner in value]
            return None if isinstance(value, float) and np.isnan(value) else value

        return known(asdict(self))


def measure_all(files: Iterable[tuple[str, Path]], memo: Memo | None = None) -> QualityReport:
    """Measure finished files, given as (clip_id, path), one after another; those that ``memo`` knows are not opened.

    Raises:
        DataError: If a file cannot be read.
        ValueError: If there are none.
    """
    clips = [_measured(clip_id, path, memo) for clip_id, path in files]
    if not clips:
        raise ValueError("there are no keypoint files to measure")
    frames = np.array([clip.num_frames for clip in clips])

    def over_frames(shares: list[float]) -> float:
        return float(np.average(shares, weights=frames))

    jitters = [clip.jitter for clip in clips if not np.isnan(clip.jitter)]
    parts = sorted({part for clip in clips for part in clip.seen}, key=list(clips[0].seen).index)
    worst = sorted(clips, key=lambda clip: (clip.any_hand, -np.nan_to_num(clip.jitter), clip.clip_id))
    return QualityReport(
        num_clips=len(clips),
        num_frames=int(frames.sum()),
        seen={part: over_frames([clip.seen[part] for clip in clips]) for part in parts},
        any_hand=over_frames([clip.any_hand for clip in clips]),
        jitter=float(np.median(jitters)) if jitters else float("nan"),
        frozen=over_frames([clip.frozen for clip in clips]),
        worst=worst[:_NUM_WORST],
    )


def _measured(clip_id: str, path: Path, memo: Memo | None) -> ClipQuality:
    known = None if memo is None else memo.get(clip_id, [path])
    if known is not None:
        return ClipQuality(**known)
    found = measure(clip_id, read_keypoints(path))
    if memo is not None:
        memo.put(clip_id, [path], asdict(found))
    return found


def measure(clip_id: str, sequence: KeypointSequence) -> ClipQuality:
    """Measure one clip."""
    keypoints, parts = sequence.keypoints, sequence.layout.parts
    there = np.isfinite(keypoints[..., 0])  # (T, V)
    seen = {part: there[:, points].any(axis=1) for part, points in parts.items()}
    hands = [frames for part, frames in seen.items() if part.endswith("hand")]
    return ClipQuality(
        clip_id=clip_id,
        num_frames=len(keypoints),
        seen={part: float(frames.mean()) for part, frames in seen.items()},
        any_hand=float(np.any(hands, axis=0).mean()),
        jitter=_jitter(keypoints[..., :2].astype(np.float64), there & (sequence.confidence >= _SURE)),
        frozen=_frozen(keypoints, there),
    )


def _jitter(points: np.ndarray, sure: np.ndarray) -> float:
    """(T, V, 2) and (T, V) -> the mean described in :class:`ClipQuality`."""
    usable = sure[:-2] & sure[1:-1] & sure[2:]
    if not usable.any():
        return float("nan")
    bend = points[:-2] - 2 * points[1:-1] + points[2:]
    return float(np.linalg.norm(bend[usable], axis=-1).mean())


def _frozen(keypoints: np.ndarray, there: np.ndarray) -> float:
    if len(keypoints) < 2:
        return 0.0
    same = (keypoints[1:] == keypoints[:-1]) | (np.isnan(keypoints[1:]) & np.isnan(keypoints[:-1]))
    return float((same.all(axis=(1, 2)) & there[1:].any(axis=1)).mean())
