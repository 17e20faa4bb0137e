"""What every augmentation is."""

from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import numpy as np


class Clips(NamedTuple):
    """A batch of clips.

    Attributes:
        points: (B, T, V, C) float32; values after a clip's end mean nothing.
        lengths: (B,) int64, frames of each clip, at least 1.
    """

    points: np.ndarray
    lengths: np.ndarray

    def of(self, rows: np.ndarray) -> "Clips":
        """Copies of some clips."""
        return Clips(self.points[rows], self.lengths[rows])


@dataclass(frozen=True)
class Augmentation:
    """One random change, made to a share ``p`` of the clips.

    Attributes:
        about_origin: Whether it takes 0 for the middle of the body, so that coordinates must be normalised to it.
    """

    about_origin: ClassVar[bool] = False
    p: float = field(default=1.0, kw_only=True)

    @property
    def stretch(self) -> float:
        """How many times as long a clip may become."""
        return 1.0

    def __call__(self, clips: Clips, rng: np.random.Generator) -> Clips:
        """Return the changed clips; their lengths and T differ after changes of time.

        The arrays given may be changed or returned. How many numbers are drawn depends on B, T, V and C alone.
        """
        if self.p >= 1:
            return self._change(clips, rng)
        chosen = np.flatnonzero(rng.random(len(clips.points)) < self.p)
        return _put(clips, chosen, self._change(clips.of(chosen), rng)) if len(chosen) else clips

    def _change(self, clips: Clips, rng: np.random.Generator) -> Clips:
        raise NotImplementedError


def _put(clips: Clips, rows: np.ndarray, changed: Clips) -> Clips:
    """``clips`` with ``changed`` in ``rows``."""
    points, longer = clips.points, changed.points.shape[1] - clips.points.shape[1]
    if longer > 0:
        points = np.pad(points, ((0, 0), (0, longer), (0, 0), (0, 0)))
    points[rows, : changed.points.shape[1]] = changed.points
    lengths = clips.lengths.copy()
    lengths[rows] = changed.lengths
    return Clips(points, lengths)


def per_clip(values: np.ndarray) -> np.ndarray:
    """(B,) values as (B, 1, 1) float32, to be used with (B, T, V)."""
    return values.astype(np.float32)[:, None, None]
