"""How a clip becomes windows of pictures: which frames, how many pixels, and what is changed in them.

Sent to the processes that decode, so nothing here loads torch, unless pictures are augmented.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from sign_recog.errors import ConfigError
from sign_recog.video.framing import Framing
from sign_recog.video.transforms import FrameChange, PixelChange, Reframing

RULES = ("even", "ssvp_slt")
_FRAMINGS = ("squash", "centre", "letterbox")


@dataclass(frozen=True)
class Augmentation:
    """Random changes of a clip's pictures, drawn once a clip, whatever window or process sees it.

    Attributes:
        copy: Number of the augmented copy; other copies have other draws.
        changes: Made in their order, framings first (:mod:`sign_recog.video.transforms`).
    """

    copy: int
    changes: tuple[FrameChange, ...]
    seed: int

    def description(self) -> dict[str, Any]:
        """What decides the draws, as JSON values."""
        changes = [{"name": type(change).__name__, **asdict(change)} for change in self.changes]
        return {"copy": self.copy, "seed": self.seed, "changes": changes}

    def reframed(self, framing: Framing, clip_id: str) -> Framing:
        """What is seen of the clip's pictures."""
        rng = self._rng(clip_id, 0)
        for change in self._made(clip_id, Reframing):
            framing = change.reframe(framing, rng)
        return framing

    def changes_pixels(self, clip_id: str) -> bool:
        """Whether :meth:`changed` does anything."""
        return bool(self._made(clip_id, PixelChange))

    def changed(self, frames: np.ndarray, clip_id: str) -> np.ndarray:
        """Return (T, H, W, 3) uint8 changed as all frames of the clip are: every call draws the same."""
        import torch

        rng = self._rng(clip_id, 1)
        pixels = torch.from_numpy(frames).permute(0, 3, 1, 2).contiguous()
        for change in self._made(clip_id, PixelChange):
            pixels = change.change(pixels, rng)
        return pixels.permute(0, 2, 3, 1).numpy()

    def _made(self, clip_id: str, kind: type) -> list[Any]:
        """The changes of one kind that are made to this clip."""
        rng = self._rng(clip_id, 2)
        made = [change for change in self.changes if change.happens(rng)]
        return [change for change in made if isinstance(change, kind)]

    def _rng(self, clip_id: str, purpose: int) -> np.random.Generator:
        clip = int.from_bytes(hashlib.blake2b(clip_id.encode(), digest_size=8).digest(), "big")
        return np.random.default_rng([self.seed, self.copy, clip, purpose])


@dataclass(frozen=True)
class Reading:
    """Settings of :class:`~sign_recog.extractors.base.NetworkExtractor` that say what the network sees.

    Raises:
        ConfigError: If one is out of its range, or they contradict each other.
    """

    num_frames: int
    sampling_rate: int
    stride: int
    window_rule: str
    target_fps: float | None
    image_size: int
    resize: int | None
    framing: str
    augmentation: Augmentation | None = None

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise ConfigError("\n".join(problems))

    def _problems(self) -> Sequence[str]:
        found = []
        for name in ("num_frames", "sampling_rate", "stride", "image_size"):
            if getattr(self, name) < 1:
                found.append(f"extractor.{name}={getattr(self, name)} must be at least 1.")
        if self.target_fps is not None and not self.target_fps > 0:
            found.append(f"extractor.target_fps={self.target_fps} must be above 0, or null for the video's own.")
        if self.window_rule not in RULES:
            found.append(f"extractor.window_rule={self.window_rule} must be one of {', '.join(RULES)}.")
        if self.framing not in _FRAMINGS:
            found.append(f"extractor.framing={self.framing} must be one of {', '.join(_FRAMINGS)}.")
        if self.resize is not None and (self.framing != "centre" or self.resize < self.image_size):
            found.append(
                f"extractor.resize={self.resize} is the shorter side before extractor.framing=centre cuts out "
                f"extractor.image_size={self.image_size}: it must be at least that, and null with another framing."
            )
        return found or self._stride_problems()

    def _stride_problems(self) -> list[str]:
        span = self.num_frames * self.sampling_rate
        if self.window_rule == "ssvp_slt":
            if 2 * self.stride != span or self.num_frames % 2:
                return [
                    f"extractor.stride={self.stride}: with extractor.window_rule=ssvp_slt it is half of an even "
                    f"extractor.num_frames={self.num_frames}, times extractor.sampling_rate={self.sampling_rate}: "
                    f"use {self.num_frames // 2 * self.sampling_rate}, or extractor.window_rule=even."
                ]
        elif self.stride > span or self.stride % self.sampling_rate:
            return [
                f"extractor.stride={self.stride} must be a multiple of extractor.sampling_rate={self.sampling_rate} "
                f"of at most extractor.num_frames * extractor.sampling_rate = {span}: frames between windows would be "
                "skipped otherwise."
            ]
        return []

    def options(self) -> dict[str, Any]:
        """All settings but the augmentation."""
        return {
            name: value for name, value in asdict(replace(self, augmentation=None)).items() if name != "augmentation"
        }

    def framed(self, height: int, width: int, clip_id: str) -> Framing:
        """What the network sees of the clip's pictures, which are ``height`` x ``width``."""
        sizes = {"resize": self.resize or self.image_size, "size": self.image_size}
        if self.framing == "centre":
            framing = Framing.centred(height, width, **sizes)
        else:
            framing = replace(Framing.whole(height, width, **sizes), padded=self.framing == "letterbox")
        return framing if self.augmentation is None else self.augmentation.reframed(framing, clip_id)
