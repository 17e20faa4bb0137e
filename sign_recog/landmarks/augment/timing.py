"""Changes of when things happen: tempo, rhythm, where the clip begins and ends."""

from dataclasses import dataclass

import numpy as np

from sign_recog.landmarks.augment.base import Augmentation, Clips


@dataclass(frozen=True)
class Resample(Augmentation):
    """Play the clip ``slowest`` to ``fastest`` times as fast: T frames become about T / speed.

    The speed is drawn uniformly in its logarithm; first and last frame are kept, those between are drawn
    linearly. At least two frames remain; a clip of one frame stays as it is.
    """

    slowest: float
    fastest: float

    @property
    def stretch(self) -> float:
        """As :attr:`Augmentation.stretch`."""
        return max(1.0, 1 / self.slowest)

    def _change(self, clips: Clips, rng: np.random.Generator) -> Clips:
        speed = np.exp(rng.uniform(np.log(self.slowest), np.log(self.fastest), len(clips.lengths)))
        last = clips.lengths - 1
        lengths = np.where(last > 0, np.maximum(2, np.rint(clips.lengths / speed)), 1).astype(np.int64)
        step = last / np.maximum(lengths - 1, 1)
        return _at_times(clips, np.arange(lengths.max()) * step[:, None], lengths)


@dataclass(frozen=True)
class TimeWarp(Augmentation):
    """Move the clip's middle by up to ``size`` of its length: one half faster, the other slower; T stays."""

    size: float

    def _change(self, clips: Clips, rng: np.random.Generator) -> Clips:
        end = np.maximum(clips.lengths - 1, 1)[:, None]
        middle = end * (0.5 + rng.uniform(-self.size, self.size, (len(end), 1)))
        halves = np.arange(clips.points.shape[1]) / (end / 2)  # 0 to 1 before the middle, 1 to 2 after it
        times = np.where(halves < 1, halves * middle, middle + (halves - 1) * (end - middle))
        return _at_times(clips, times, clips.lengths)


@dataclass(frozen=True)
class Crop(Augmentation):
    """Keep a random stretch of ``min_share`` to all of the frames, at least one."""

    min_share: float

    def _change(self, clips: Clips, rng: np.random.Generator) -> Clips:
        share = rng.uniform(self.min_share, 1, len(clips.lengths))
        lengths = np.maximum(1, np.rint(clips.lengths * share).astype(np.int64))
        start = rng.integers(clips.lengths - lengths + 1)
        frames = np.minimum(start[:, None] + np.arange(lengths.max()), clips.lengths[:, None] - 1)
        return Clips(_frames(clips.points, frames), lengths)


@dataclass(frozen=True)
class FrameDrop(Augmentation):
    """Leave out each frame with probability ``share``; one is kept at least, and the order stays."""

    share: float

    def _change(self, clips: Clips, rng: np.random.Generator) -> Clips:
        num_clips, num_frames = clips.points.shape[:2]
        keep = rng.random((num_clips, num_frames)) >= self.share
        keep[np.arange(num_clips), rng.integers(clips.lengths)] = True
        keep &= np.arange(num_frames) < clips.lengths[:, None]
        lengths = keep.sum(axis=1)
        kept_first = np.argsort(~keep, axis=1, kind="stable")[:, : lengths.max()]
        return Clips(_frames(clips.points, kept_first), lengths)


def _frames(points: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """(B, T', V, C): frame numbers ``frames`` (B, T') of each clip."""
    return points[np.arange(len(points))[:, None], frames]


def _at_times(clips: Clips, times: np.ndarray, lengths: np.ndarray) -> Clips:
    """Clips of ``lengths`` at the fractional frame numbers ``times`` (B, T'), drawn linearly between frames."""
    last = clips.lengths[:, None] - 1
    before = np.minimum(times.astype(np.int64), np.maximum(last - 1, 0))
    after = np.minimum(before + 1, last)
    weight = np.minimum(times - before, 1).astype(np.float32)[:, :, None, None]
    first = _frames(clips.points, before)
    return Clips(first + weight * (_frames(clips.points, after) - first), lengths)
