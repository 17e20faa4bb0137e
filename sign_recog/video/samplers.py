"""Which frames of a clip a network sees: steps from frame numbers to frame numbers, one after the other.

The first step gets all frames of the clip. One of the steps must choose (``chooses``): it leaves ``num_frames`` of
them, or all where the clip has no more. Others come before it (:class:`Speed`) or after it (:class:`Wobble`,
:class:`Reverse`, :class:`Shuffle`).

In training everything is drawn from the generator handed in. Without one, at validation and test, the same frames come
every time: the middles of chunks, the quantiles of a distribution.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from sign_recog.errors import ConfigError


class Request(NamedTuple):
    """What is asked of the steps.

    Attributes:
        num_available: Frames of the clip.
        num_frames: Frames to choose.
        rng: None = nothing is left to chance.
        phase: In (0, 1), the place of a choice within what it is chosen from, where ``rng`` is None; 0.5 = the middle.
            Several test views of a clip differ in it.
    """

    num_available: int
    num_frames: int
    rng: np.random.Generator | None = None
    phase: float = 0.5

    def unit(self, count: int) -> np.ndarray:
        """(count,) numbers in [0, 1): drawn, or ``phase``."""
        return np.full(count, self.phase) if self.rng is None else self.rng.random(count)


class Step(ABC):
    """One step.

    Attributes:
        chooses: Whether it leaves ``num_frames`` at most.
    """

    chooses: ClassVar[bool] = False

    @abstractmethod
    def __call__(self, chosen: np.ndarray, request: Request) -> np.ndarray:
        """From frame numbers (n,) int64 to others (m,), all in 0 .. num_available - 1."""


class Chooser(Step):
    """A step that chooses; a clip of no more than ``num_frames`` frames comes whole."""

    chooses = True

    def __call__(self, chosen: np.ndarray, request: Request) -> np.ndarray:
        """As :meth:`Step.__call__`."""
        if len(chosen) <= request.num_frames:
            return chosen
        return chosen[self._places(len(chosen), request)]

    @abstractmethod
    def _places(self, count: int, request: Request) -> np.ndarray:
        """``num_frames`` places of 0 .. count - 1, ascending."""


@dataclass(frozen=True)
class Uniform(Chooser):
    """Evenly from the first frame to the last; nothing is left to chance."""

    def _places(self, count: int, request: Request) -> np.ndarray:
        wanted = request.num_frames
        step = (count - 1) / max(wanted - 1, 1)
        places = np.arange(wanted) * step if wanted > 1 else np.array([(count - 1) / 2])
        shift = 0.0 if request.rng is not None else (request.phase - 0.5) * step
        return np.floor(places + shift + 0.5).astype(np.int64).clip(0, count - 1)


@dataclass(frozen=True)
class Chunked(Chooser):
    """A random frame of each of ``num_frames`` equal chunks (Wang et al. 2016, arXiv:1608.00859); else its middle."""

    def _places(self, count: int, request: Request) -> np.ndarray:
        edges = np.arange(request.num_frames + 1) * count // request.num_frames
        sizes = np.diff(edges)
        return edges[:-1] + np.floor(request.unit(request.num_frames) * sizes).astype(np.int64)


@dataclass(frozen=True)
class Consecutive(Step):
    """Every ``stride``-th frame from a random place on; else from the middle of the clip.

    A clip that is too short for all of them gives fewer.
    """

    chooses = True
    stride: int = 1

    def __post_init__(self) -> None:
        _demand(self.stride >= 1, f"Consecutive: stride={self.stride} must be at least 1.")

    def __call__(self, chosen: np.ndarray, request: Request) -> np.ndarray:
        """As :meth:`Step.__call__`."""
        spare = max(0, len(chosen) - ((request.num_frames - 1) * self.stride + 1))
        first = int(request.phase * spare) if request.rng is None else int(request.rng.integers(spare + 1))
        return chosen[first :: self.stride][: request.num_frames]


class _Focal(Chooser):
    """Frames at places drawn from a distribution over the clip's time, 0 to 1, in order; else at its quantiles."""

    def _places(self, count: int, request: Request) -> np.ndarray:
        wanted = request.num_frames
        shares = (np.arange(wanted) + request.phase) / wanted if request.rng is None else request.rng.random(wanted)
        lowest, highest = self._below(np.array([0.0, 1.0]))
        times = self._quantiles(lowest + np.sort(shares) * (highest - lowest))  # of the part within the clip
        return np.floor(times * count).astype(np.int64).clip(0, count - 1)

    @abstractmethod
    def _below(self, times: np.ndarray) -> np.ndarray:
        """The distribution function."""

    @abstractmethod
    def _quantiles(self, shares: np.ndarray) -> np.ndarray:
        """Its inverse."""


@dataclass(frozen=True)
class FocalNormal(_Focal):
    """Most frames around ``centre``: a normal distribution of deviation ``width``, in shares of the clip."""

    centre: float
    width: float

    def __post_init__(self) -> None:
        _demand_focus(type(self).__name__, self.centre, self.width)

    def _below(self, times: np.ndarray) -> np.ndarray:
        from scipy.special import ndtr

        return ndtr((times - self.centre) / self.width)

    def _quantiles(self, shares: np.ndarray) -> np.ndarray:
        from scipy.special import ndtri

        return self.centre + self.width * ndtri(shares)


@dataclass(frozen=True)
class FocalLaplace(_Focal):
    """Most frames around ``centre``, more sharply: a Laplace distribution of scale ``width``, in shares of the clip."""

    centre: float
    width: float

    def __post_init__(self) -> None:
        _demand_focus(type(self).__name__, self.centre, self.width)

    def _below(self, times: np.ndarray) -> np.ndarray:
        scaled = (times - self.centre) / self.width
        tail = np.exp(-np.abs(scaled)) / 2
        return np.where(scaled < 0, tail, 1 - tail)

    def _quantiles(self, shares: np.ndarray) -> np.ndarray:
        from_middle = shares - 0.5
        return self.centre - self.width * np.sign(from_middle) * np.log1p(-2 * np.abs(from_middle))


@dataclass(frozen=True)
class FocalBeta(_Focal):
    """A beta distribution over the clip: a = b above 1 favours its middle, a > b its end."""

    a: float
    b: float

    def __post_init__(self) -> None:
        _demand(min(self.a, self.b) > 0, f"FocalBeta: a={self.a} and b={self.b} must be above 0.")

    def _below(self, times: np.ndarray) -> np.ndarray:
        return times

    def _quantiles(self, shares: np.ndarray) -> np.ndarray:
        from scipy.special import betaincinv

        return betaincinv(self.a, self.b, shares)


@dataclass(frozen=True)
class Wobble(Step):
    """Move each frame by up to ``frames``, before or after; they keep their order and stay inside. Else nothing."""

    frames: int

    def __post_init__(self) -> None:
        _demand(self.frames >= 0, f"Wobble: frames={self.frames} must not be negative.")

    def __call__(self, chosen: np.ndarray, request: Request) -> np.ndarray:
        """As :meth:`Step.__call__`."""
        if request.rng is None:
            return chosen
        moved = chosen + request.rng.integers(-self.frames, self.frames + 1, len(chosen))
        result = np.empty_like(chosen)  # in the order that they had, which an earlier step may have reversed
        result[np.argsort(chosen, kind="stable")] = np.sort(moved.clip(0, request.num_available - 1))
        return result


@dataclass(frozen=True)
class Speed(Step):
    """Play ``slowest`` to ``fastest`` times as fast, by repeating or leaving out frames; else as it is.

    To be followed by a step whose frames have a fixed distance, such as :class:`Consecutive`: those that cover the
    whole clip undo it.
    """

    slowest: float
    fastest: float

    def __post_init__(self) -> None:
        _demand(
            0 < self.slowest <= self.fastest,
            f"Speed: slowest={self.slowest} must be above 0 and at most fastest={self.fastest}.",
        )

    def __call__(self, chosen: np.ndarray, request: Request) -> np.ndarray:
        """As :meth:`Step.__call__`."""
        if request.rng is None:
            return chosen
        speed = request.rng.uniform(self.slowest, self.fastest)
        count = max(1, int(np.rint(len(chosen) / speed)))
        return chosen[np.floor(np.arange(count) * speed).astype(np.int64).clip(0, len(chosen) - 1)]


@dataclass(frozen=True)
class Reverse(Step):
    """The last frame first."""

    def __call__(self, chosen: np.ndarray, request: Request) -> np.ndarray:
        """As :meth:`Step.__call__`."""
        return chosen[::-1]


@dataclass(frozen=True)
class Shuffle(Step):
    """In random order; else in one that ``seed`` fixes, the same for all clips of as many frames."""

    seed: int = 0

    def __call__(self, chosen: np.ndarray, request: Request) -> np.ndarray:
        """As :meth:`Step.__call__`."""
        rng = np.random.default_rng(self.seed) if request.rng is None else request.rng
        return rng.permutation(chosen)


def repeat_last(chosen: np.ndarray, num_frames: int) -> np.ndarray:
    """The last frame stands still."""
    return np.append(chosen, np.repeat(chosen[-1:], num_frames - len(chosen)))


def loop(chosen: np.ndarray, num_frames: int) -> np.ndarray:
    """The clip begins again."""
    return np.resize(chosen, num_frames)


def stretch(chosen: np.ndarray, num_frames: int) -> np.ndarray:
    """Frames are repeated evenly, as in slow motion."""
    return chosen[np.arange(num_frames) * len(chosen) // num_frames]


def _demand_focus(name: str, centre: float, width: float) -> None:
    _demand(0 <= centre <= 1, f"{name}: centre={centre} is a share of the clip; it must lie in 0 to 1.")
    _demand(width > 0, f"{name}: width={width} is a share of the clip and must be above 0, say 0.3.")


def _demand(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ConfigError(f"modality.sampler: {otherwise}")
