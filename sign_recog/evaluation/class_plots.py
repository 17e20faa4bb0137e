"""Pictures with a row for each gloss: bars, and the classification report as a heat map.

With many glosses the worst and the best are drawn, and the title says how many are left out.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sign_recog.evaluation.plots import BLUE, ORANGE, new_figure, png_bytes

MOST = 60  # glosses in a picture


def bar_graph(per_class: Sequence[dict[str, Any]], *, most: int = MOST) -> bytes:
    """Recall and F1 of each gloss that occurs, worst recall first.

    Args:
        per_class: Rows of :func:`sign_recog.evaluation.classification.score`.
    """
    occurring = [row for row in per_class if row["support"]]
    ordered = sorted(occurring, key=lambda row: (row["recall"], -row["support"], row["gloss"]))
    rows, title = worst_and_best(ordered, most)
    with new_figure(6.8, 1.2 + 0.3 * len(rows)) as figure:
        axes = figure.add_subplot(title=title, xlabel="share (recall), or score between 0 and 1 (F1)")
        places = np.arange(len(rows))
        bars = [
            axes.barh(places + offset, [row[key] or 0.0 for row in rows], height=0.36, color=colour, label=label)
            for offset, key, label, colour in ((-0.2, "recall", "recall", BLUE), (0.2, "f1", "F1", ORANGE))
        ]
        for place, row in zip(places, rows, strict=True):
            text = f"{round(row['recall'] * row['support'])} of {row['support']}"
            axes.text(max(row["recall"], row["f1"] or 0) + 0.01, place, text, va="center", fontsize=7, color="#374151")
        _mark_gap(axes, len(rows), len(ordered))
        axes.set_yticks(places, [_short(row["gloss"]) for row in rows])
        axes.set(xlim=(0, 1.12), ylim=(len(rows) - 0.4, -0.6), xticks=np.arange(0, 1.01, 0.25))
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x")
        figure.legend(handles=bars, loc="outside upper right", ncols=2, frameon=False, fontsize=8)
        return png_bytes(figure)


def report_heat_map(report: dict[str, Any], *, most: int = MOST) -> bytes:
    """Precision, recall and F1 of each gloss that occurs or is predicted, worst F1 first, and the averages below.

    Args:
        report: Of :func:`sign_recog.evaluation.bundle.classification_report`.
    """
    measures = ("precision", "recall", "f1-score")
    classes = sorted(report["classes"].items(), key=lambda item: (item[1]["f1-score"], -item[1]["support"], item[0]))
    shown, title = worst_and_best(classes, most)
    rows = [*shown, *((name, report[name]) for name in ("macro avg", "weighted avg"))]
    values = np.array([[row[measure] for measure in measures] for _, row in rows])
    with new_figure(5.4, 1.1 + 0.24 * len(rows)) as figure:
        axes = figure.add_subplot(title=title)
        image = axes.imshow(values, vmin=0, vmax=1, cmap="Blues", aspect="auto")
        axes.set_xticks(range(3), ["precision", "recall", "F1"])
        axes.set_yticks(range(len(rows)), [f"{_short(name)}  ({row['support']})" for name, row in rows])
        axes.tick_params(length=0)
        for place, column in np.ndindex(*values.shape):
            value = values[place, column]
            colour = "white" if value > 0.5 else "#111827"
            axes.text(column, place, f"{value:.2f}", ha="center", va="center", fontsize=7, color=colour)
        _mark_gap(axes, len(shown), len(classes))
        axes.axhline(len(shown) - 0.5, color="#111827", linewidth=1)
        axes.set_xlabel("in brackets: clips of the gloss")
        bar = figure.colorbar(image, ax=axes, shrink=min(1.0, 9 / len(rows)), pad=0.02)
        bar.outline.set_visible(False)
        return png_bytes(figure)


def worst_and_best(rows: Sequence[Any], most: int) -> tuple[list[Any], str]:
    """The first and the last of ``rows``, at most ``most`` together, and a title that says what is left out.

    >>> worst_and_best("abcdefg", 4)
    (['a', 'b', 'f', 'g'], 'The 2 worst and 2 best of 7 glosses (3 between them left out)')
    """
    if len(rows) <= most:
        return list(rows), f"All {len(rows)} glosses"
    best = most // 2
    worst = most - best
    title = f"The {worst} worst and {best} best of {len(rows)} glosses ({len(rows) - most} between them left out)"
    return [*rows[:worst], *rows[len(rows) - best :]], title


def _mark_gap(axes: Any, num_shown: int, num_all: int) -> None:
    """A dashed line where glosses are left out."""
    if num_shown < num_all:
        axes.axhline(num_shown - num_shown // 2 - 0.5, color="#6B7280", linewidth=1, linestyle="--")


def _short(name: str, length: int = 24) -> str:
    return name if len(name) <= length else f"{name[: length - 1]}…"
