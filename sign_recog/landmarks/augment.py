"""Random changes of a clip's normalised keypoints that leave its sign the same.

Each class is one change, called as ``change(keypoints, rng)`` with keypoints after imputation and normalisation.
x and y are turned and stretched; a third channel only moves with its point.

After ``normalize_neck`` and ``normalize_chest`` body and hands are centred on points of their own, so turning
each part about 0 is the same as turning the whole picture.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from sign_recog.errors import ConfigError
from sign_recog.landmarks.layout import Layout


@dataclass(frozen=True)
class Augmentation:
    """One random change, made to a share ``p`` of the clips."""

    p: float = field(default=1.0, kw_only=True)

    def __call__(self, keypoints: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the changed clip (T', V, C) of (T, V, C) float; T' differs from T after changes of time.

        The dtype stays; the input is not changed, but may be what is returned.
        """
        return self._change(keypoints, rng) if rng.random() < self.p else keypoints

    def _change(self, keypoints: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        raise NotImplementedError


@dataclass(frozen=True)
class Mirror(Augmentation):
    """Swap left and right: a left-handed signer.

    Equal to mirroring the picture before normalisation, because the origin is the middle of the body.

    Raises:
        ConfigError: If the layout has points without a known partner.
    """

    layout: Layout

    def __post_init__(self) -> None:
        _ = self._partner  # so that an unsuitable layout is refused here, not at the first clip

    @cached_property
    def _partner(self) -> np.ndarray:
        return self.layout.mirror

    def _change(self, keypoints: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        mirrored = keypoints[:, self._partner]
        mirrored[..., 0] = -mirrored[..., 0]
        return mirrored


@dataclass(frozen=True)
class Affine(Augmentation):
    """Turn, stretch and slant the picture about 0, alike in every frame.

    Each draw is uniform up to the given size in both directions: degrees of rotation, log of the scale
    (x and y by themselves, so that proportions change too), slant of x per y.
    """

    degrees: float = 0.0
    log_scale: float = 0.0
    shear: float = 0.0

    def _change(self, keypoints: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return _transformed(keypoints, self._matrix(rng))

    def _matrix(self, rng: np.random.Generator) -> np.ndarray:
        angle = np.deg2rad(rng.uniform(-self.degrees, self.degrees))
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        stretch = np.diag(np.exp(rng.uniform(-self.log_scale, self.log_scale, 2)))
        slant = np.array([[1, rng.uniform(-self.shear, self.shear)], [0, 1]])
        return turn @ slant @ stretch


@dataclass(frozen=True)
class PartAffine(Augmentation):
    """An ``affine`` of its own for every part: hands turned at the wrist, a body of other proportions."""

    layout: Layout
    affine: Affine

    def _change(self, keypoints: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        changed = keypoints.copy()
        for part in self.layout.parts.values():
            changed[:, part] = self.affine(keypoints[:, part], rng)
        return changed


@dataclass(frozen=True)
class Yaw(Augmentation):
    """Turn the signer about the vertical axis by up to ``degrees``, as a camera beside them sees it.

    MediaPipe's z has about the scale of x.

    Attributes:
        coordinates: ``modality.coordinates``, which must be 3.

    Raises:
        ConfigError: If there is no z.
    """

    degrees: float
    coordinates: int

    def __post_init__(self) -> None:
        if self.coordinates != 3:
            raise ConfigError(f"Yaw needs x, y and z, but modality.coordinates={self.coordinates}. Use 3.")

    def _change(self, keypoints: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        angle = np.deg2rad(rng.uniform(-self.degrees, self.degrees))
        x, z = keypoints[..., 0], keypoints[..., 2]
        turned = keypoints.copy()
        turned[..., 0] = np.cos(angle) * x + np.sin(angle) * z
        turned[..., 2] = np.cos(angle) * z - np.sin(angle) * x
        return turned


@dataclass(frozen=True)
class Shift(Augmentation):
    """Move pose and face by up to ``size`` in x and y, alike in every frame; hands stay around their wrists."""

    layout: Layout
    size: float

    def _change(self, keypoints: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        moved = keypoints.copy()
        step = rng.uniform(-self.size, self.size, 2).astype(keypoints.dtype)
        for part, points in self.layout.parts.items():
            if not part.endswith("hand"):
                moved[:, points, :2] += step
        return moved


@dataclass(frozen=True)
class Jitter(Augmentation):
    """Gaussian noise of deviation ``sigma`` on every coordinate."""

    sigma: float

    def _change(self, keypoints: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        noise = rng.standard_normal(keypoints.shape, dtype=np.float32)
        return keypoints + (self.sigma * noise).astype(keypoints.dtype)


@dataclass(frozen=True)
class HandDropout(Augmentation):
    """Set one hand, drawn anew each time, to 0 throughout: what imputation and normalisation make of a lost hand."""

    layout: Layout

    def _change(self, keypoints: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        hands = [points for part, points in self.layout.parts.items() if part.endswith("hand")]
        dropped = keypoints.copy()
        dropped[:, hands[rng.integers(len(hands))]] = 0
        return dropped


@dataclass(frozen=True)
class PoseDropout(Augmentation):
    """Set the pose to 0 throughout; a clip without hands so becomes one in which nobody was found."""

    layout: Layout

    def _change(self, keypoints: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        dropped = keypoints.copy()
        dropped[:, self.layout.parts["pose"]] = 0
        return dropped


@dataclass(frozen=True)
class Resample(Augmentation):
    """Play the clip ``slowest`` to ``fastest`` times as fast: T frames become about T / speed.

    The speed is drawn uniformly in its logarithm; first and last frame are kept, those between are drawn
    linearly. At least two frames remain.
    """

    slowest: float
    fastest: float

    def _change(self, keypoints: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        if len(keypoints) < 2:
            return keypoints
        speed = np.exp(rng.uniform(np.log(self.slowest), np.log(self.fastest)))
        num_frames = max(2, round(len(keypoints) / speed))
        return _at_times(keypoints, np.linspace(0, len(keypoints) - 1, num_frames))


@dataclass(frozen=True)
class TimeWarp(Augmentation):
    """Move the clip's middle by up to ``size`` of its length: one half faster, the other slower; T stays."""

    size: float

    def _change(self, keypoints: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        end = len(keypoints) - 1
        middle = end * (0.5 + rng.uniform(-self.size, self.size))
        return _at_times(keypoints, np.interp(np.arange(end + 1), [0, end / 2, end], [0, middle, end]))


@dataclass(frozen=True)
class Crop(Augmentation):
    """Keep a random stretch of ``min_share`` to all of the frames, at least one."""

    min_share: float

    def _change(self, keypoints: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        num_frames = max(1, round(len(keypoints) * rng.uniform(self.min_share, 1)))
        start = rng.integers(len(keypoints) - num_frames + 1)
        return keypoints[start : start + num_frames]


@dataclass(frozen=True)
class FrameDrop(Augmentation):
    """Leave out each frame with probability ``share``; one is kept at least, and the order stays."""

    share: float

    def _change(self, keypoints: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        keep = rng.random(len(keypoints)) >= self.share
        keep[rng.integers(len(keep))] = True
        return keypoints[keep]


def _transformed(keypoints: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Apply ``matrix`` (2, 2) to x and y."""
    changed = keypoints.copy()
    changed[..., :2] = keypoints[..., :2] @ matrix.T.astype(keypoints.dtype)
    return changed


def _at_times(keypoints: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(len(times), V, C) at fractional frame numbers ``times``, drawn linearly between frames."""
    before = np.minimum(times.astype(np.int64), max(len(keypoints) - 2, 0))
    after = np.minimum(before + 1, len(keypoints) - 1)
    weight = (times - before).astype(keypoints.dtype)[:, None, None]
    return (1 - weight) * keypoints[before] + weight * keypoints[after]
