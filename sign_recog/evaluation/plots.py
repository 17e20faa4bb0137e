"""Figures as PNG bytes, drawn without a screen.

Colours are Okabe and Ito's (https://jfly.uni-koeln.de/color/), which colour-blind readers can tell
apart; matrices go from white to dark blue.
"""

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sign_recog.errors import DataError
from sign_recog.evaluation.aggregate import Group
from sign_recog.evaluation.headline import RECOGNITION, Headline

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, VERMILION, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#6B7280"
_STYLE: Any = {
    "text.parse_math": False,  # a gloss may hold a dollar sign
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#9CA3AF",
    "axes.labelcolor": "#374151",
    "text.color": "#111827",
    "xtick.color": "#374151",
    "ytick.color": "#374151",
    "grid.color": "#E5E7EB",
    "axes.axisbelow": True,
}
# Used where installed, for glosses whose letters DejaVu lacks.
_OTHER_SCRIPTS = (
    "Noto Sans CJK JP",
    "Noto Sans CJK KR",
    "Noto Sans Arabic",
    "Noto Sans Devanagari",
    "Noto Sans Bengali",
)
# Scores of sentences, from 0 to 100, and their names on pages.
POINTS = {"bleu4": "BLEU-4", "bleu1": "BLEU-1", "reduced_bleu": "reduced BLEU", "chrf": "chrF"}
DPI = 144  # pixels an inch

# Panel title, unit of the y axis, and the columns of metrics.csv it shows.
_PANELS = (
    ("Loss", "loss (nats)", {"train_loss": ("train", BLUE), "val_loss": ("val", VERMILION)}),
    (
        "Accuracy",
        "share of clips",
        {
            "train_gloss_acc": ("train, gloss", BLUE),
            "val_gloss_acc": ("val, gloss", VERMILION),
            "val_category_acc": ("val, category", GREEN),
        },
    ),
    (
        "BLEU-4",
        "points of 100",
        {"val_bleu4": ("val", VERMILION)},
    ),
    (
        "Tokens",
        "share that is right",
        {"train_token_acc": ("train", BLUE), "val_token_acc": ("val", VERMILION)},
    ),
    (
        "Pixel error",
        "pixels",
        {"train_pixel_error": ("train", BLUE), "val_pixel_error": ("val", VERMILION)},
    ),
    ("Learning rate", "learning rate", {"lr": ("lr", GREY)}),
    ("Time of an epoch", "seconds", {"epoch_time_s": ("epoch", GREY)}),
)


def read_curves(path: Path) -> dict[str, np.ndarray]:
    """Read ``metrics.csv``: column -> (E,) float64, NaN where a cell is empty.

    Raises:
        DataError: If it has no epoch column, or a cell is not a number.
    """
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows or "epoch" not in rows[0]:
        raise DataError(f"{path}: holds no epochs. Train the run again, or delete the file to report without curves.")
    try:
        return {name: np.array([float(row[name] or "nan") for row in rows]) for name in rows[0]}
    except (TypeError, ValueError) as error:
        raise DataError(
            f"{path}: a cell is not a number ({error}). Delete the file to report without curves."
        ) from error


def learning_curves(curves: dict[str, np.ndarray], selected_epoch: int | None = None) -> bytes:
    """Loss, accuracy, learning rate and time over the epochs; a panel whose columns are missing is left out.

    Args:
        curves: As :func:`read_curves` returns them.
        selected_epoch: Marked by a vertical line: the checkpoint that was scored.
    """
    from matplotlib.ticker import MaxNLocator

    shown = [
        (title, unit, {c: look for c, look in columns.items() if c in curves and np.isfinite(curves[c]).any()})
        for title, unit, columns in _PANELS
    ]
    shown = [panel for panel in shown if panel[2]]
    columns = min(2, len(shown)) or 1
    rows = math.ceil(len(shown) / columns) or 1
    with new_figure(4.6 * columns, 2.7 * rows) as figure:
        for place, (title, unit, series) in enumerate(shown, start=1):
            axes = figure.add_subplot(rows, columns, place, title=title, ylabel=unit, xlabel="epoch")
            for column, (label, colour) in series.items():
                there = np.isfinite(curves[column])
                epochs, values = curves["epoch"][there], curves[column][there]
                axes.plot(
                    epochs, values, color=colour, label=label, linewidth=1.6, marker="." if there.sum() < 3 else ""
                )
            if selected_epoch is not None:
                axes.axvline(selected_epoch, color=GREY, linewidth=1, linestyle=":", label=f"scored: {selected_epoch}")
            if title == "Accuracy":
                axes.set_ylim(0, 1.02)
            elif axes.get_ylim()[0] > 0:
                axes.set_ylim(bottom=0)
            axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
            axes.grid(axis="y")
            if title in ("Loss", "Accuracy", "Tokens", "Pixel error"):
                axes.legend(frameon=False, fontsize=8)
        return png_bytes(figure)


def confusion_matrix(matrix: np.ndarray, glosses: Sequence[str], *, most: int = 30) -> bytes:
    """The confusion matrix as shares of the true gloss's clips; cells carry the number of clips where they fit.

    Above ``most`` glosses only those in the most frequent mistakes are shown, in vocabulary order, with a
    last column for all other answers.

    Args:
        matrix: (G, G) int, rows = truth.
    """
    chosen = most_confused(matrix, most)
    counts = matrix[np.ix_(chosen, chosen)]
    names, answers = [glosses[g] for g in chosen], [glosses[g] for g in chosen]
    if len(chosen) < len(glosses):
        counts = np.hstack([counts, (matrix[chosen].sum(1) - counts.sum(1))[:, None]])
        answers.append("(any other)")
    shares = counts / np.maximum(matrix[chosen].sum(1), 1)[:, None]
    side = 0.27 if len(chosen) > 12 else 0.42
    longest = max(len(name) for name in answers)
    margin = 0.9 + 0.065 * min(longest, 24)
    with new_figure(side * len(answers) + margin + 1.0, side * len(chosen) + margin + 0.3) as figure:
        title = "Confusion matrix"
        if len(chosen) < len(glosses):
            title = f"The {len(chosen)} most confused of {len(glosses)} glosses"
        axes = figure.add_subplot(title=title, xlabel="predicted", ylabel="true gloss")
        image = axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
        axes.set_xticks(range(len(answers)), [_short(n) for n in answers], rotation=90)
        axes.set_yticks(range(len(names)), [_short(n) for n in names])
        axes.tick_params(length=0)
        axes.spines[:].set(visible=True, color="#D1D5DB")
        axes.set_xticks(np.arange(0.5, len(answers) - 1), minor=True)
        axes.set_yticks(np.arange(0.5, len(names) - 1), minor=True)
        axes.grid(which="minor", color="#F0F2F5", linewidth=0.6)
        axes.tick_params(which="minor", length=0)
        for row, column in zip(*np.nonzero(counts), strict=True):
            colour = "white" if shares[row, column] > 0.5 else "#111827"
            size = 7 if len(chosen) > 12 else 9
            axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=colour, fontsize=size)
        bar = figure.colorbar(image, ax=axes, shrink=min(1.0, 2.2 / (side * len(chosen))), pad=0.02)
        bar.set_label("share of the true gloss's clips")
        bar.outline.set_visible(False)
        return png_bytes(figure)


def most_confused(matrix: np.ndarray, most: int) -> np.ndarray:
    """Indices (at most ``most``, ascending) of the glosses that stand in the most frequent mistakes.

    Mistakes are taken by falling number of clips, both their glosses together; with no more glosses than
    ``most``, or too few mistakes to fill them, the first others follow.
    """
    num_glosses = len(matrix)
    if num_glosses <= most:
        return np.arange(num_glosses)
    mistakes = matrix - np.diag(np.diag(matrix))
    truths, answers = np.nonzero(mistakes)
    chosen: dict[int, None] = {}
    for pair in np.argsort(-mistakes[truths, answers], kind="stable"):
        both = {int(truths[pair]): None, int(answers[pair]): None}
        if len(chosen | both) > most:
            break
        chosen |= both
    occurring = np.flatnonzero(matrix.sum(1))
    others = [g for g in [*map(int, occurring), *range(num_glosses)] if g not in chosen]
    return np.sort([*chosen, *dict.fromkeys(others)][:most])


def per_class_bars(per_class: Sequence[dict[str, Any]], *, most: int = 30) -> bytes:
    """Recall of each gloss that occurs, worst first; above ``most`` glosses the worst only.

    Args:
        per_class: Rows of :func:`sign_recog.evaluation.classification.score`.
    """
    occurring = [row for row in per_class if row["support"]]
    rows = sorted(occurring, key=lambda row: (row["recall"], -row["support"], row["gloss"]))[:most]
    title = f"The {len(rows)} worst of {len(occurring)} glosses" if len(rows) < len(occurring) else "Every gloss"
    with new_figure(6.4, 0.9 + 0.24 * len(rows)) as figure:
        axes = figure.add_subplot(title=title, xlabel="recall (share of the gloss's clips that were recognised)")
        places = range(len(rows))
        axes.barh(places, [row["recall"] for row in rows], color=BLUE, height=0.7)
        for place, row in zip(places, rows, strict=True):
            text = f"{round(row['recall'] * row['support'])} of {row['support']}"
            axes.text(row["recall"] + 0.01, place, text, va="center", fontsize=7.5, color="#374151")
        axes.set_yticks(places, [_short(row["gloss"]) for row in rows])
        axes.set(xlim=(0, 1.12), ylim=(len(rows) - 0.4, -0.6), xticks=np.arange(0, 1.01, 0.25))
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x")
        return png_bytes(figure)


def seeds_dot_plot(
    groups: Sequence[Group],
    *,
    headline: Headline = RECOGNITION,
    names: Mapping[str, str] | None = None,
) -> bytes:
    """One line a settings group: a dot a run, the mean, and the 95 % interval of the mean over the seeds.

    ``names`` are those of the groups by their settings; None = the settings themselves.

    The axis keeps to the runs and to the score's range; an interval that goes beyond ends at its edge.
    """
    score = headline.score
    groups = [group for group in groups if score in group.scores]
    values = [run.scores[score] for group in groups for run in group.runs if run.scores.get(score) is not None]
    with new_figure(6.8, 1.0 + 0.42 * max(1, len(groups))) as figure:
        axes = figure.add_subplot(xlabel=headline.axis)
        for place, group in enumerate(groups):
            dots = [run.scores[score] for run in group.runs if run.scores.get(score) is not None]
            summary = group.scores[score]
            if summary.ci95 is not None:
                axes.hlines(place, *summary.ci95, color=BLUE, linewidth=5, alpha=0.25)
            axes.plot(dots, [place] * len(dots), "o", color=BLUE, markersize=6, markeredgecolor="white", alpha=0.9)
            axes.plot(summary.mean, place, "|", color=VERMILION, markersize=15, markeredgewidth=2.2)
        ends = [end for group in groups for end in group.scores[score].ci95 or ()]
        most = headline.most if headline.most is not None else max([*values, *ends, 1.0])
        spread = max([0.02 * most, *values]) - min([*values, most]) + 0.02 * most
        low, high = min([*values, *ends, most]), max([*values, *ends, 0.0])
        axes.set_xlim(max(-0.01 * most, low - 0.1 * spread), min(1.01 * most, high + 0.1 * spread))
        shown = [names[group.settings] if names else group.settings[:12] for group in groups]
        counts = [group.scores[score].text for group in groups]
        labels = [f"{_short(name, 40)}  ({count})" for name, count in zip(shown, counts, strict=True)]
        axes.set_yticks(range(len(groups)), labels)
        axes.set_ylim(len(groups) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x")
        return png_bytes(figure)


@contextmanager
def new_figure(width: float, height: float) -> Iterator["Figure"]:
    """A figure of ``width`` x ``height`` inches in this module's style, outside pyplot."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    family = ["DejaVu Sans", *(name for name in _OTHER_SCRIPTS if name in installed)]
    with mpl.rc_context({**_STYLE, "font.family": family}):
        figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained", facecolor="white")
        FigureCanvasAgg(figure)
        yield figure


def png_bytes(figure: "Figure") -> bytes:
    """Draw ``figure``; equal figures give equal bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", bbox_inches="tight", pad_inches=0.08, metadata={"Software": None})
    return buffer.getvalue()


def _short(name: str, length: int = 24) -> str:
    return name if len(name) <= length else f"{name[: length - 1]}…"
