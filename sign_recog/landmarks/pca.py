"""The plane in which poses, or the views of a point, lie; how far others are from it tells errors without labels.

Everything is in pixels of the original pictures: the fit, the error as a metric, and the loss in training. A plane that
was fitted in other pixels than it judges would find faults in true labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from sign_recog.errors import DataError
from sign_recog.landmarks.named import NamedLandmarks

EPSILON_PERCENTILE = 99  # of the labels' own errors: what lies below is as good as a label
_SHOWN = 5  # landmarks in a message


@dataclass(frozen=True)
class LinearPoses:
    """Mean and directions of what has been labelled.

    A row is what is judged together: all chosen landmarks of a frame (``singleview``), or a point as every view shows
    it (``multiview``).

    Attributes:
        kind: One of both.
        landmarks: (R, M) int64, the landmarks of row r of a frame, on the V axis.
        mean: (2 M,) float64 pixels: x and y of each.
        components: (K, 2 M) float64, orthonormal.
        centring: Where a row is moved to before it is compared, so that its place in the picture does not count:
            the mean or the median of its own landmarks; None = it stays.
        epsilon: Pixels: the 99th percentile of the labels' own errors.

    Source: the reference page of Lightning Pose (Biderman et al. 2024); its metric left out the centring that its fit
    had, so its errors were those of the picture's place.
    """

    kind: Literal["singleview", "multiview"]
    landmarks: np.ndarray
    mean: np.ndarray
    components: np.ndarray
    centring: Literal["mean", "median"] | None
    epsilon: float

    def errors(self, points: np.ndarray) -> np.ndarray:
        """How far each landmark is from its place in the plane.

        Args:
            points: (N, V, 2) original pixels; NaN = missing.

        Returns:
            (N, V) float64 pixels; NaN where a landmark is judged by no row, or another of its row is missing.
        """
        rows = self._rows(points)
        apart = rows - self.mean
        apart = apart - apart @ self.components.T @ self.components
        distances = np.hypot(apart[..., 0::2], apart[..., 1::2])  # (N, R, M)
        found = np.full(points.shape[:2], np.nan)
        found[:, self.landmarks.ravel()] = distances.reshape(len(points), self.landmarks.size)
        return found

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        arrays = {name: getattr(self, name).tolist() for name in ("landmarks", "mean", "components")}
        return {"kind": self.kind, **arrays, "centring": self.centring, "epsilon": self.epsilon}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "LinearPoses":
        """What :meth:`to_json` gave."""
        return cls(
            kind=content["kind"],
            landmarks=np.asarray(content["landmarks"], dtype=np.int64),
            mean=np.asarray(content["mean"], dtype=np.float64),
            components=np.asarray(content["components"], dtype=np.float64).reshape(-1, len(content["mean"])),
            centring=content["centring"],
            epsilon=float(content["epsilon"]),
        )

    def _rows(self, points: np.ndarray) -> np.ndarray:
        """(N, V, 2) -> (N, R, 2 M), centred."""
        chosen = np.asarray(points, dtype=np.float64)[:, self.landmarks]  # (N, R, M, 2)
        return centred(chosen, self.centring).reshape(*chosen.shape[:2], -1)


def centred(rows: np.ndarray, centring: str | None) -> np.ndarray:
    """Rows (..., M, 2) moved so that the mean or the median of their landmarks is (0, 0); the missing do not count."""
    if centring is None:
        return rows
    present = np.isfinite(rows).any(axis=(-2, -1))
    middle = np.zeros((*rows.shape[:-2], 1, 2))
    of_present = np.nanmean if centring == "mean" else np.nanmedian
    if present.any():
        middle[present] = of_present(rows[present], axis=-2, keepdims=True)
    return rows - middle


def fit_singleview(
    points: np.ndarray,
    landmarks: NamedLandmarks,
    names: Sequence[str] | None = None,
    *,
    components: int | None,
    explained: float,
    centring: Literal["mean", "median"] | None,
) -> LinearPoses:
    """The plane of the poses of labelled frames.

    Args:
        points: (N, V, 2) original pixels; NaN = not labelled.
        names: Of the landmarks that make up a pose; None = all.
        components: Dimensions of the plane; None = the fewest that explain the share ``explained`` of the variance.

    Raises:
        DataError: If a landmark is unknown or never labelled, or there are too few frames to fit.
    """
    names = list(landmarks.names) if names is None else list(names)
    if unknown := [name for name in names if name not in landmarks.names]:
        raise DataError(
            f"pose.losses.pca_singleview.landmarks names {_some(unknown)}, and the landmarks are "
            f"{', '.join(landmarks.names)}. Use those names."
        )
    index = np.array([landmarks.index(names)], dtype=np.int64)
    remedy = (
        "Label more frames, or leave landmarks that are rarely labelled out of a pose "
        "(pose.losses.pca_singleview.landmarks)."
    )
    return _fit("singleview", points, index, landmarks.names, components, explained, centring, remedy)


def fit_multiview(points: np.ndarray, landmarks: NamedLandmarks, *, components: int = 3) -> LinearPoses:
    """The space in which the views of a point lie: of two views of it four coordinates, which only three decide.

    Args and errors: as :func:`fit_singleview`; ``landmarks.views`` says what belongs together.
    """
    if not landmarks.views:
        raise DataError(
            "pca_multiview compares several views of a point, and data.views names none. "
            "Give data.views, or leave it out."
        )
    index = landmarks.view_index.T  # (M, K): a row is a point as each view shows it
    remedy = "Label more frames, or give data.views only points that all views show."
    return _fit("multiview", points, index, landmarks.names, components, 1.0, None, remedy)


def _fit(
    kind: Literal["singleview", "multiview"],
    points: np.ndarray,
    index: np.ndarray,
    names: tuple[str, ...],
    components: int | None,
    explained: float,
    centring: Literal["mean", "median"] | None,
    remedy: str,
) -> LinearPoses:
    size = 2 * index.shape[1]
    never = [names[v] for v in index.ravel() if not np.isfinite(points[:, v]).all(axis=-1).any()]
    if never:
        raise DataError(f"pca_{kind} cannot be fitted: {_some(never)} is never labelled in train. {remedy}")
    if components is not None and components > size:
        raise DataError(
            f"pose.losses.pca_{kind}.components={components}: a row of {index.shape[1]} landmarks has {size} "
            f"coordinates. Use at most {size}."
        )
    empty = LinearPoses(kind, index, np.zeros(size), np.zeros((0, size)), centring, 0.0)
    rows = empty._rows(points).reshape(-1, size)
    rows = rows[np.isfinite(rows).any(axis=1)]
    complete = int(np.isfinite(rows).all(axis=1).sum())
    if len(rows) < size or complete == 0:
        what = "labelled frames" if kind == "singleview" else "points that a view shows"
        least = min(index.ravel(), key=lambda v: np.isfinite(points[:, v, 0]).sum())
        raise DataError(
            f"pca_{kind} cannot be fitted: train has {len(rows)} {what}, {complete} of them whole, and {size} "
            f"coordinates need at least {size}, one of them whole. The least often labelled is {names[least]}. {remedy}"
        )
    mean = np.nanmean(rows, axis=0)
    values, vectors = np.linalg.eigh(_covariance(rows - mean, index, names, kind, remedy))
    values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
    if components is None:
        # A little leeway, or rounding would ask for one more where the share is met exactly.
        shares = np.cumsum(values) / max(values.sum(), np.finfo(float).tiny)
        components = min(int(np.searchsorted(shares, explained - 1e-12)) + 1, size)
    fitted = replace(empty, mean=mean, components=np.ascontiguousarray(vectors[:, :components].T))
    own = fitted.errors(points)
    return replace(fitted, epsilon=float(np.percentile(own[np.isfinite(own)], EPSILON_PERCENTILE)))


def _covariance(rows: np.ndarray, index: np.ndarray, names: tuple[str, ...], kind: str, remedy: str) -> np.ndarray:
    """(D, D) of centred rows (N, D): of each pair of columns over the rows that have both."""
    there = np.isfinite(rows)
    filled = np.where(there, rows, 0.0)
    pairs = there.T.astype(np.float64) @ there
    if (pairs < 2).any():
        one, other = np.argwhere(pairs < 2)[0] // 2
        raise DataError(
            f"pca_{kind} cannot be fitted: {names[index[0, one]]} and {names[index[0, other]]} are labelled together "
            f"in fewer than 2 train frames. {remedy}"
        )
    return filled.T @ filled / (pairs - 1)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
