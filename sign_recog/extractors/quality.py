"""How good extracted keypoints are: what was seen, how steady it is, and which clips to look at first.

The same numbers for whatever made them: MediaPipe, a trained detector, or another program.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from sign_recog.errors import DataError
from sign_recog.landmarks.motion import temporal_norm
from sign_recog.landmarks.named import NamedLandmarks
from sign_recog.landmarks.pca import fit_singleview
from sign_recog.storage.memo import Memo
from sign_recog.storage.sequences import KeypointSequence, read_keypoints

_SURE = 0.5  # points below this confidence are guesses outside the picture, which always tremble
_NUM_WORST = 10
# Of the plane of poses: clips it is fitted to, frames of each, the share of frames that a point must be seen in, and
# the share of the variance that the plane explains (Lightning Pose's).
_PLANE_CLIPS, _PLANE_FRAMES, _PLANE_SEEN, _PLANE_EXPLAINED = 200, 30, 0.5, 0.99


@dataclass(frozen=True)
class ClipQuality:
    """One clip. Shares are of its frames, in [0, 1].

    Attributes:
        seen: Part -> share of frames where it was detected.
        any_hand: Share of frames with at least one hand; NaN where the layout has no hands.
        missing: Share of all points of all frames that were not detected.
        temporal_norm: Median distance of a point from where it was in the frame before, over all points with confidence
            of at least 0.5 in both; in image widths. NaN where there is no such point.
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
    missing: float
    temporal_norm: float
    jitter: float
    frozen: float


@dataclass(frozen=True)
class QualityReport:
    """Many clips. Shares are of all frames; ``temporal_norm`` and ``jitter`` are medians over clips.

    Attributes:
        pca_singleview: Median distance of a point from its place in the plane of poses, in image widths. The plane is
            fitted to the corpus itself: up to 200 clips, 30 frames of each, the points that are seen in half of them,
            each pose around its own middle. NaN where there are too few frames with all of these points.
        worst: The ten clips to look at: fewest frames with a hand first, then the most jitter.
    """

    num_clips: int
    num_frames: int
    seen: dict[str, float]
    any_hand: float
    missing: float
    temporal_norm: float
    pca_singleview: float
    jitter: float
    frozen: float
    worst: list[ClipQuality]

    def rows(self) -> list[tuple[str, str]]:
        """Name and value, for a table of the whole."""
        shares = {**{f"frames with {part}": share for part, share in self.seen.items()}}
        shares |= {} if np.isnan(self.any_hand) else {"frames with a hand": self.any_hand}
        shares |= {"missing points": self.missing, "frozen frames": self.frozen}
        return [
            ("clips", str(self.num_clips)),
            ("frames", str(self.num_frames)),
            *((name.replace("_", " "), f"{100 * share:.1f} %") for name, share in shares.items()),
            ("temporal norm (widths/frame)", f"{self.temporal_norm:.5f}"),
            (
                "PCA single-view error (widths)",
                "too few whole frames" if np.isnan(self.pca_singleview) else f"{self.pca_singleview:.5f}",
            ),
            ("jitter (widths/frame²)", f"{self.jitter:.5f}"),
        ]

    def worst_rows(self) -> list[tuple[str, ...]]:
        """Clip, frames, share with a hand, jitter and share of frozen frames, for a table of the worst."""
        return [
            (
                clip.clip_id,
                str(clip.num_frames),
                "–" if np.isnan(clip.any_hand) else f"{100 * clip.any_hand:.1f} %",
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
    files = list(files)
    clips = [_measured(clip_id, path, memo) for clip_id, path in files]
    if not clips:
        raise ValueError("there are no keypoint files to measure")
    frames = np.array([clip.num_frames for clip in clips])

    def over_frames(shares: list[float]) -> float:
        return float(np.average(shares, weights=frames))

    def median(values: list[float]) -> float:
        known = [value for value in values if not np.isnan(value)]
        return float(np.median(known)) if known else float("nan")

    parts = sorted({part for clip in clips for part in clip.seen}, key=list(clips[0].seen).index)
    worst = sorted(clips, key=lambda c: (np.nan_to_num(c.any_hand), -np.nan_to_num(c.jitter), c.clip_id))
    return QualityReport(
        num_clips=len(clips),
        num_frames=int(frames.sum()),
        seen={part: over_frames([clip.seen[part] for clip in clips]) for part in parts},
        any_hand=over_frames([clip.any_hand for clip in clips]),
        missing=over_frames([clip.missing for clip in clips]),
        temporal_norm=median([clip.temporal_norm for clip in clips]),
        pca_singleview=_plane_error([path for _, path in files]),
        jitter=median([clip.jitter for clip in clips]),
        frozen=over_frames([clip.frozen for clip in clips]),
        worst=worst[:_NUM_WORST],
    )


def _measured(clip_id: str, path: Path, memo: Memo | None) -> ClipQuality:
    known = None if memo is None else memo.get(clip_id, [path])
    if known is not None and known.keys() == {field.name for field in fields(ClipQuality)}:  # not of an earlier version
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
        any_hand=float(np.any(hands, axis=0).mean()) if hands else float("nan"),
        missing=float(1 - there.mean()),
        temporal_norm=_movement(_sure_points(sequence)),
        jitter=_jitter(keypoints[..., :2].astype(np.float64), there & (sequence.confidence >= _SURE)),
        frozen=_frozen(keypoints, there),
    )


def _sure_points(sequence: KeypointSequence) -> np.ndarray:
    """(T, V, 2) float64; NaN also where the extractor only guesses."""
    sure = np.isfinite(sequence.keypoints[..., 0]) & (sequence.confidence >= _SURE)
    return np.where(sure[..., None], sequence.keypoints[..., :2].astype(np.float64), np.nan)


def _movement(points: np.ndarray) -> float:
    norm = temporal_norm(points)
    return float(np.median(norm[np.isfinite(norm)])) if np.isfinite(norm).any() else float("nan")


def _plane_error(paths: list[Path]) -> float:
    """As ``pca_singleview`` of :class:`QualityReport`; files of other layouts than the first are left out."""
    chosen = [paths[i] for i in np.unique(np.linspace(0, len(paths) - 1, _PLANE_CLIPS).round().astype(int))]
    poses: list[np.ndarray] = []
    for sequence in map(read_keypoints, chosen):
        points = _sure_points(sequence)
        if len(points) and (not poses or points.shape[1] == poses[0].shape[1]):
            poses.append(points[np.unique(np.linspace(0, len(points) - 1, _PLANE_FRAMES).round().astype(int))])
    if not poses:
        return float("nan")
    points = np.concatenate(poses)
    seen = np.isfinite(points[..., 0]).mean(axis=0) >= _PLANE_SEEN
    names = NamedLandmarks(tuple(map(str, range(points.shape[1]))))
    try:
        plane = fit_singleview(
            points,
            names,
            [name for name, often in zip(names.names, seen, strict=True) if often],
            components=None,
            explained=_PLANE_EXPLAINED,
            centring="mean",
        )
    except DataError:  # too few frames to fit, as the table says
        return float("nan")
    errors = plane.errors(points)
    return float(np.median(errors[np.isfinite(errors)]))


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
