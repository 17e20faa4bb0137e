"""How far predicted landmarks are from labelled ones.

A pixel error is the Euclidean distance of one landmark in one picture, in pixels of the picture on the disk; NaN where
the landmark is not labelled. Means and medians run over all labelled landmarks, so a landmark that is labelled often
counts often.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sign_recog.landmarks.motion import temporal_norm

__all__ = ["error_by_confidence", "interval", "mean_pose", "pixel_error", "summary", "table_by_landmark",
           "temporal_norm"]  # fmt: skip

NEAR = (5, 10)  # pixels; "within_5" is the share of labelled landmarks whose error is at most 5 pixels


def pixel_error(predicted: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    """(N, V) float64: distance of ``predicted`` (N, V, 2) from ``labelled`` (N, V, 2), both in the same pixels."""
    return np.linalg.norm(predicted.astype(np.float64) - labelled, axis=-1)


def summary(errors: np.ndarray) -> dict[str, Any]:
    """Of all labelled landmarks in ``errors`` (N, V): ``count``, ``mean``, ``median``, ``p90`` (which nine in ten are
    not above) and ``within_5``, ``within_10``; None but for the count where there is none.

    ``within_5`` is the share of correct keypoints (PCK) with a threshold in pixels instead of body sizes: the named
    landmarks have no size in common.
    """
    known = errors[np.isfinite(errors)]
    if not len(known):
        return {"count": 0, "mean": None, "median": None, "p90": None} | {f"within_{limit}": None for limit in NEAR}
    return {
        "count": len(known),
        "mean": float(known.mean()),
        "median": float(np.median(known)),
        "p90": float(np.quantile(known, 0.9)),
    } | {f"within_{limit}": float((known <= limit).mean()) for limit in NEAR}


def table_by_landmark(errors: np.ndarray, names: Sequence[str]) -> list[dict[str, Any]]:
    """A row of :func:`summary` a landmark, with its name as ``landmark``, in their order."""
    return [{"landmark": name, **summary(errors[:, v : v + 1])} for v, name in enumerate(names)]


def error_by_confidence(errors: np.ndarray, confidence: np.ndarray, *, num_bins: int = 10) -> list[dict[str, Any]]:
    """Errors of landmarks with about the same confidence: is a confident prediction a good one?

    Bins are tenths of the confidences from 0 to 1; one without labelled landmarks is left out.

    Args:
        errors, confidence: (N, V).

    Returns:
        :func:`summary` of each bin, with ``low`` and ``high``, its ends.
    """
    known = np.isfinite(errors)
    place = np.minimum((confidence * num_bins).astype(int), num_bins - 1)
    rows = []
    for number in range(num_bins):
        inside = known & (place == number)
        if inside.any():
            rows.append({"low": number / num_bins, "high": (number + 1) / num_bins} | summary(errors[inside][:, None]))
    return rows


def interval(errors: np.ndarray, *, samples: int, seed: int) -> dict[str, list[float] | None]:
    """95 % percentile intervals of ``mean`` and ``median`` over bootstrap samples of frames; None below two frames.

    Frames are drawn, not landmarks: those of one picture are wrong together.
    """
    rows = errors[np.isfinite(errors).any(axis=1)]
    if len(rows) < 2:
        return {"mean": None, "median": None}
    rng = np.random.default_rng(seed)
    known = np.isfinite(rows)
    sums, counts = np.where(known, rows, 0).sum(axis=1), known.sum(axis=1)
    frame = np.broadcast_to(np.arange(len(rows))[:, None], rows.shape)[known]
    order = np.argsort(rows[known], kind="stable")
    ranked, owner = rows[known][order], frame[order]
    means, medians = np.empty(samples), np.empty(samples)
    for i in range(samples):
        times = np.bincount(rng.integers(0, len(rows), len(rows)), minlength=len(rows))
        means[i] = (times @ sums) / (times @ counts)
        medians[i] = _weighted_median(ranked, times[owner])
    ends = (0.025, 0.975)
    return {
        "mean": [float(end) for end in np.quantile(means, ends)],
        "median": [float(end) for end in np.quantile(medians, ends)],
    }


def _weighted_median(ranked: np.ndarray, times: np.ndarray) -> float:
    """The median of ascending values that each come so many times."""
    total = np.cumsum(times)
    half = (total[-1] - 1) / 2
    low, high = np.searchsorted(total, [np.floor(half), np.ceil(half)], side="right")
    return float(ranked[low] + ranked[high]) / 2


def mean_pose(points: np.ndarray, sizes: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """What a detector would say that looks at no picture: each landmark where it is on average.

    Averages are of shares of the picture's width and height, so that pictures may differ in size.

    Args:
        points: (N, V, 2) training labels in pixels; NaN = not labelled.
        sizes: (N, 2) width and height of their pictures.
        shown: (M, 2) width and height of the pictures to answer for.

    Returns:
        (M, V, 2) pixels; NaN for a landmark that no training picture labels.
    """
    shares = (points + 0.5) / sizes[:, None]
    known = np.isfinite(shares)
    count = known.sum(axis=0)
    mean = np.where(known, shares, 0).sum(axis=0) / np.where(count, count, np.nan)
    return mean[None] * shown[:, None] - 0.5
