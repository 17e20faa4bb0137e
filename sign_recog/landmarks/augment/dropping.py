"""Changes that take something away: a hand, the body, a stretch of time."""

from dataclasses import dataclass

import numpy as np

from sign_recog.landmarks.augment.base import Augmentation, Clips
from sign_recog.landmarks.layout import Layout


@dataclass(frozen=True)
class HandDropout(Augmentation):
    """Set one hand, drawn anew each time, to 0 throughout: what imputation and normalisation make of a lost hand."""

    about_origin = True
    layout: Layout

    def _change(self, clips: Clips, rng: np.random.Generator) -> Clips:
        hands = [own for part, own in self.layout.parts.items() if part.endswith("hand")]
        drawn = rng.integers(len(hands), size=len(clips.points))
        for number, own in enumerate(hands):
            clips.points[drawn == number, :, own] = 0
        return clips


@dataclass(frozen=True)
class PoseDropout(Augmentation):
    """Set the pose to 0 throughout; a clip without hands so becomes one in which nobody was found."""

    about_origin = True
    layout: Layout

    def _change(self, clips: Clips, rng: np.random.Generator) -> Clips:
        clips.points[:, :, self.layout.parts["pose"]] = 0
        return clips


@dataclass(frozen=True)
class TimeMask(Augmentation):
    """Replace a random stretch of up to ``share`` of the frames by the mean of the others, in every channel.

    After SpecAugment (Park et al. 2019, arXiv:1904.08779). The mean says less than 0, which in coordinates that are
    not normalised is a place: the image's corner. A clip keeps one frame of its own at least.
    """

    share: float

    def _change(self, clips: Clips, rng: np.random.Generator) -> Clips:
        points, lengths = clips
        longest = np.minimum(np.rint(self.share * lengths).astype(np.int64), lengths - 1)
        num_frames = rng.integers(longest + 1)
        start = rng.integers(lengths - num_frames + 1)
        frame = np.arange(points.shape[1])
        hidden = (frame >= start[:, None]) & (frame < (start + num_frames)[:, None])
        shown = ~hidden & (frame < lengths[:, None])
        mean = np.einsum("btvc,bt->bvc", points, shown.astype(np.float32)) / (lengths - num_frames)[:, None, None]
        clip, moment = np.nonzero(hidden)
        points[clip, moment] = mean[clip]
        return clips
