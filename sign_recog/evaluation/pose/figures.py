"""Pictures of a detector's errors: by landmark, against its confidence, and the frames where it is most wrong."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sign_recog.evaluation import plots
from sign_recog.evaluation.page import Figure

LABELLED, PREDICTED = (0, 220, 130), (255, 90, 0)  # RGB
_SHOWN_WIDTH = 560  # pixels; smaller pictures are shown larger
_SUBPIXEL_BITS = 4


def figures(scores: dict[str, Any]) -> list[Figure]:
    """The page's figures, of the ``scores`` in metrics.json."""
    return [
        Figure(
            "Error by landmark",
            error_by_landmark(scores["by_landmark"]),
            "Pixels of the pictures on the disk. Bar: median; line: up to the error that nine in ten do not exceed; "
            "dot: mean.",
        ),
        Figure(
            "Error against confidence",
            error_against_confidence(scores["by_confidence"]),
            "Labelled landmarks in tenths of the detector's confidence, with their numbers. Where the line does not "
            "fall, confidence says little.",
        ),
    ]


def error_by_landmark(rows: Sequence[dict[str, Any]]) -> bytes:
    """PNG of ``by_landmark`` of metrics.json, in the landmarks' order; one that is nowhere labelled is left out."""
    shown = [row for row in rows if row["count"]]
    with plots.new_figure(6.4, 0.9 + 0.24 * len(shown)) as figure:
        axes = figure.add_subplot(xlabel="pixel error")
        for place, row in enumerate(shown):
            axes.barh(place, row["median"], height=0.66, color=plots.BLUE)
            axes.hlines(place, row["median"], row["p90"], color=plots.GREY, linewidth=1.4)
            axes.plot(row["mean"], place, "o", color=plots.VERMILION, markersize=4)
        axes.set_yticks(range(len(shown)), [f"{row['landmark']} ({row['count']})" for row in shown])
        axes.set(ylim=(len(shown) - 0.4, -0.6))
        axes.set_xlim(left=0)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x")
        return plots.png_bytes(figure)


def error_against_confidence(rows: Sequence[dict[str, Any]]) -> bytes:
    """PNG of ``by_confidence`` of metrics.json."""
    with plots.new_figure(6.4, 3.2) as figure:
        axes = figure.add_subplot(xlabel="confidence", ylabel="pixel error")
        middles = [(row["low"] + row["high"]) / 2 for row in rows]
        axes.vlines(middles, [r["median"] for r in rows], [r["p90"] for r in rows], color=plots.GREY, linewidth=1.4)
        axes.plot(middles, [r["median"] for r in rows], "o-", color=plots.BLUE, label="median")
        axes.plot(middles, [r["mean"] for r in rows], "o", color=plots.VERMILION, markersize=4, label="mean")
        for middle, row in zip(middles, rows, strict=True):
            axes.annotate(str(row["count"]), (middle, row["p90"]), (0, 3), textcoords="offset points", ha="center")
        axes.set(xlim=(0, 1))
        axes.set_ylim(bottom=0)
        axes.grid(axis="y")
        axes.legend(frameon=False, fontsize=8)
        return plots.png_bytes(figure)


def overlay(image: np.ndarray, labelled: Sequence[Any], predicted: Sequence[Any]) -> bytes:
    """PNG of a picture with labels (crosses) and predictions (dots), and a line from each label to its prediction.

    Args:
        image: (H, W, 3) uint8 RGB.
        labelled, predicted: V times (x, y) in pixels of ``image``, (0, 0) in the middle of its first; None = none.
    """
    import cv2

    scale = max(1.0, _SHOWN_WIDTH / image.shape[1])
    shown = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    size = max(3, round(shown.shape[1] / 130))

    def place(point: Any) -> tuple[int, int]:
        x, y = ((np.array(point) + 0.5) * scale - 0.5) * 2**_SUBPIXEL_BITS
        return round(float(x)), round(float(y))

    style = {"lineType": cv2.LINE_AA, "shift": _SUBPIXEL_BITS}
    for label, guess in zip(labelled, predicted, strict=True):
        if label is None or guess is None:
            continue
        (x, y), end, arm = place(label), place(guess), size << _SUBPIXEL_BITS
        cv2.line(shown, (x, y), end, (255, 255, 255), 1, **style)
        for start, stop in (((x - arm, y), (x + arm, y)), ((x, y - arm), (x, y + arm))):
            cv2.line(shown, start, stop, LABELLED, 2, **style)
        cv2.circle(shown, end, int(0.7 * arm), PREDICTED, -1, **style)
    return cv2.imencode(".png", cv2.cvtColor(shown, cv2.COLOR_RGB2BGR))[1].tobytes()
