"""What a detector found in labelled frames, and what is said of it: scores, tables, the frames to look at."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sign_recog.evaluation.pose.errors import (
    error_by_confidence,
    interval,
    mean_pose,
    pixel_error,
    summary,
    table_by_landmark,
)
from sign_recog.evaluation.pose.tables import PIXEL_ERROR, PointErrors, write_errors, write_predictions
from sign_recog.storage.labelled_frames import LabelledFrames

NUM_WORST = 8


@dataclass(frozen=True)
class ScoredFrames:
    """Labelled frames and what was found in them.

    Attributes:
        points: (N, V, 2) pixels of the pictures on the disk.
        confidence: (N, V) in [0, 1].
        plane_errors: Kind of error -> (N, V) pixels: how far predictions lie from a plane; NaN = not known.
    """

    frames: LabelledFrames
    points: np.ndarray
    confidence: np.ndarray
    plane_errors: dict[str, np.ndarray]

    @property
    def errors(self) -> np.ndarray:
        """(N, V) pixel errors."""
        return pixel_error(self.points, self.frames.points)

    @property
    def sizes(self) -> np.ndarray:
        """(N, 2) width and height of the pictures."""
        return sizes_of(self.frames)

    def of_split(self, split: str) -> "ScoredFrames":
        """The frames of one split."""
        rows = [i for i, frame in enumerate(self.frames.frames) if frame.split == split]
        planes = {kind: errors[rows] for kind, errors in self.plane_errors.items()}
        return ScoredFrames(self.frames.of_split(split), self.points[rows], self.confidence[rows], planes)

    def write(self, folder: Path) -> None:
        """Write ``predictions.csv`` and beside it ``predictions_<kind>.csv`` of every kind of error."""
        names = self.frames.landmarks.names
        frames = [frame.frame_id for frame in self.frames.frames]
        splits = [frame.split for frame in self.frames.frames]
        for kind, errors in ({PIXEL_ERROR: self.errors} | self.plane_errors).items():
            write_errors(folder / f"predictions_{kind}.csv", names, frames, errors, splits)
        write_predictions(folder / "predictions.csv", names, frames, self.points, self.confidence, splits)

    def scores(self, *, samples: int, seed: int, train: LabelledFrames | None) -> dict[str, Any]:
        """The ``scores`` of metrics.json; pixels, but for shares and counts.

        Args:
            samples: Bootstrap samples of frames.
            train: The training's frames, for the mean pose beside it; None = not known.
        """
        errors = self.errors
        own, ends = summary(errors), interval(errors, samples=samples, seed=seed)
        found = {
            "pixel_error": own["mean"],
            "pixel_error_ci95": ends["mean"],
            "pixel_error_median": own["median"],
            "pixel_error_median_ci95": ends["median"],
            "pixel_error_p90": own["p90"],
            "within_5": own["within_5"],
            "within_10": own["within_10"],
            "num_frames": len(errors),
            "num_landmarks_labelled": own["count"],
        }
        if train is not None:
            baseline = summary(pixel_error(mean_pose(train.points, sizes_of(train), self.sizes), self.frames.points))
            found |= {"mean_pose_error": baseline["mean"], "mean_pose_error_median": baseline["median"]}
        for kind, plane in self.plane_errors.items():
            of_plane = summary(plane)
            found |= {kind: of_plane["mean"], f"{kind}_median": of_plane["median"]}
        return found | {
            "by_landmark": table_by_landmark(errors, self.frames.landmarks.names),
            "by_confidence": error_by_confidence(errors, self.confidence),
        }

    def worst(self) -> list[dict[str, Any]]:
        """The frames with the largest mean error, for the report's pictures; points as lists, null = not labelled."""
        errors = self.errors
        labelled = np.flatnonzero(np.isfinite(errors).any(axis=1))
        means = np.nanmean(errors[labelled], axis=1)
        rows = labelled[np.argsort(-means, kind="stable")[:NUM_WORST]]
        return [
            {
                "frame_id": self.frames.frames[i].frame_id,
                "image": str(self.frames.frames[i].image),
                "pixel_error": float(np.nanmean(errors[i])),
                "worst_landmark": self.frames.landmarks.names[int(np.nanargmax(errors[i]))],
                "worst_error": float(np.nanmax(errors[i])),
                "labelled": _plain(self.frames.points[i]),
                "predicted": _plain(self.points[i]),
                "confidence": [round(float(sure), 4) for sure in self.confidence[i]],
            }
            for i in rows
        ]


def sizes_of(frames: LabelledFrames) -> np.ndarray:
    """(N, 2) width and height of each picture."""
    return np.array([(frame.width, frame.height) for frame in frames.frames], dtype=np.float64).reshape(-1, 2)


def without_outside(frames: LabelledFrames) -> LabelledFrames:
    """The same without the labels beyond their pictures' edges, which training does not see either."""
    size = sizes_of(frames)[:, None]
    with np.errstate(invalid="ignore"):
        inside = ((frames.points >= -0.5) & (frames.points <= size - 0.5)).all(axis=2)
    points = np.where(inside[..., None], frames.points, np.nan)
    return LabelledFrames(frames.landmarks, frames.frames, points, frames.visible)


def plane_errors(
    planes: Mapping[str, PointErrors], frames: LabelledFrames, points: np.ndarray, sizes: list[list[int]]
) -> dict[str, np.ndarray]:
    """Kind -> (N, V) distances of ``points`` from its plane; NaN in pictures of none of the training's ``sizes``."""
    same = np.array([[frame.width, frame.height] in sizes for frame in frames.frames], dtype=bool)
    return {kind: np.where(same[:, None], plane.errors(points), np.nan) for kind, plane in planes.items()}


def _plain(points: np.ndarray) -> list[list[float] | None]:
    return [[round(float(x), 2), round(float(y), 2)] if np.isfinite([x, y]).all() else None for x, y in points]
