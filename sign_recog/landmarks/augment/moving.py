"""Changes of where the points are: another camera, another body, another hand."""

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

from sign_recog.errors import ConfigError
from sign_recog.landmarks.augment.base import Augmentation, Clips, per_clip
from sign_recog.landmarks.layout import Layout


@dataclass(frozen=True)
class Mirror(Augmentation):
    """Swap left and right: a left-handed signer.

    Equal to mirroring the picture before normalisation, because the origin is the middle of the body.

    Raises:
        ConfigError: If the layout has points without a known partner.
    """

    about_origin = True
    layout: Layout

    def __post_init__(self) -> None:
        _ = self._partner  # so that an unsuitable layout is refused here, not at the first clip

    @cached_property
    def _partner(self) -> np.ndarray:
        return self.layout.mirror

    def _change(self, clips: Clips, rng: np.random.Generator) -> Clips:
        mirrored = clips.points[:, :, self._partner]
        mirrored[..., 0] *= -1
        return Clips(mirrored, clips.lengths)


@dataclass(frozen=True)
class Affine(Augmentation):
    """Turn, stretch and slant the picture about 0, alike in every frame.

    Each draw is uniform up to the given size in both directions: degrees of rotation, log of the scale
    (x and y by themselves, so that proportions change too), slant of x per y.
    """

    about_origin = True
    degrees: float = 0.0
    log_scale: float = 0.0
    shear: float = 0.0

    def _change(self, clips: Clips, rng: np.random.Generator) -> Clips:
        num_clips = len(clips.points)
        angle = np.deg2rad(rng.uniform(-self.degrees, self.degrees, num_clips))
        scale_x, scale_y = np.exp(rng.uniform(-self.log_scale, self.log_scale, (2, num_clips)))
        slant = rng.uniform(-self.shear, self.shear, num_clips)
        x, y = clips.points[..., 0] * per_clip(scale_x), clips.points[..., 1] * per_clip(scale_y)
        x += per_clip(slant) * y
        clips.points[..., 0], clips.points[..., 1] = _turned(x, y, angle)
        return clips


@dataclass(frozen=True)
class PartAffine(Augmentation):
    """An ``affine`` of its own for every part, or those named: hands turned at the wrist, other proportions."""

    about_origin = True
    layout: Layout
    affine: Affine
    parts: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        unknown = sorted(set(self.parts or ()) - set(self.layout.parts))
        if unknown:
            raise ConfigError(
                f"PartAffine's parts {', '.join(unknown)} are none of the layout's: {', '.join(self.layout.parts)}."
            )

    def _change(self, clips: Clips, rng: np.random.Generator) -> Clips:
        for part, own in self.layout.parts.items():
            if self.parts is None or part in self.parts:
                clips.points[:, :, own] = self.affine(Clips(clips.points[:, :, own], clips.lengths), rng).points
        return clips


@dataclass(frozen=True)
class Yaw(Augmentation):
    """Turn the signer about the vertical axis by up to ``degrees``, as a camera beside them sees it.

    MediaPipe's z has about the scale of x.

    Attributes:
        coordinates: ``modality.coordinates``, which must be 3.

    Raises:
        ConfigError: If there is no z.
    """

    about_origin = True
    degrees: float
    coordinates: int

    def __post_init__(self) -> None:
        if self.coordinates != 3:
            raise ConfigError(f"Yaw needs x, y and z, but modality.coordinates={self.coordinates}. Use 3.")

    def _change(self, clips: Clips, rng: np.random.Generator) -> Clips:
        angle = np.deg2rad(rng.uniform(-self.degrees, self.degrees, len(clips.points)))
        x, z = clips.points[..., 0].copy(), clips.points[..., 2].copy()
        clips.points[..., 2], clips.points[..., 0] = _turned(z, x, angle)
        return clips


@dataclass(frozen=True)
class Shift(Augmentation):
    """Move pose and face by up to ``size`` in x and y, alike in every frame; hands stay around their wrists."""

    layout: Layout
    size: float

    def _change(self, clips: Clips, rng: np.random.Generator) -> Clips:
        step = rng.uniform(-self.size, self.size, (len(clips.points), 1, 1, 2)).astype(np.float32)
        for part, own in self.layout.parts.items():
            if not part.endswith("hand"):
                clips.points[:, :, own, :2] += step
        return clips


@dataclass(frozen=True)
class Jitter(Augmentation):
    """Gaussian noise of deviation ``sigma`` on every value, or on the points of the ``parts`` named."""

    sigma: float
    layout: Layout | None = None
    parts: tuple[str, ...] | None = None

    def _change(self, clips: Clips, rng: np.random.Generator) -> Clips:
        for own in self._points():
            for clip in clips.points[:, :, own]:
                clip += np.float32(self.sigma) * _noise(clip.size, rng).reshape(clip.shape)
        return clips

    def _points(self) -> list[slice]:
        if self.layout is None or self.parts is None:
            return [slice(None)]
        return [self.layout.parts[part] for part in self.parts]


_BANK_SIZE = 2**20


@cache
def _bank() -> np.ndarray:
    return np.random.default_rng(0).standard_normal(_BANK_SIZE, dtype=np.float32)


def _noise(count: int, rng: np.random.Generator) -> np.ndarray:
    """``count`` values of deviation 1: a stretch, from a random place, of a million that are drawn once a process.

    Drawing a batch of features anew, 2048 values a frame, takes as long as a step of a small network.
    """
    bank = _bank() if count <= _BANK_SIZE else np.resize(_bank(), count)
    start = int(rng.integers(len(bank) - count + 1))
    return bank[start : start + count]


def _turned(x: np.ndarray, y: np.ndarray, angle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """x and y (B, T, V) turned from x towards y by ``angle`` (B,)."""
    cosine, sine = per_clip(np.cos(angle)), per_clip(np.sin(angle))
    return cosine * x - sine * y, sine * x + cosine * y
