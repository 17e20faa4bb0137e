"""Pictures with a row for each gloss, also for many of them."""

import cv2
import numpy as np
import pytest
from made_predictions import make

from sign_recog.evaluation import class_plots
from sign_recog.evaluation.bundle import classification_report
from sign_recog.evaluation.classification import score


@pytest.fixture
def figures(monkeypatch):
    drawn = []
    to_bytes = class_plots.png_bytes
    monkeypatch.setattr(class_plots, "png_bytes", lambda figure: drawn.append(figure) or to_bytes(figure))
    return drawn


def decode(png: bytes) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None and image.std() > 0
    return image


def rows_of(num: int):
    return [
        {"gloss": f"g{i}", "support": 4, "recall": i / (num - 1), "f1": None if i == 0 else i / num} for i in range(num)
    ]


def test_bars_show_recall_and_f1_of_the_glosses_that_occur(figures):
    absent = {"gloss": "absent", "support": 0, "recall": None, "f1": None}
    decode(class_plots.bar_graph([absent, *rows_of(3)[::-1]]))
    axes = figures[0].axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["g0", "g1", "g2"]
    assert [patch.get_width() for patch in axes.patches] == pytest.approx([0, 0.5, 1, 0, 1 / 3, 2 / 3])
    assert [text.get_text() for text in axes.texts] == ["0 of 4", "2 of 4", "4 of 4"]


@pytest.mark.parametrize("num_glosses", [100, 300, 2000])
def test_many_glosses_leave_a_picture_that_can_be_read(figures, num_glosses):
    predictions = make(num_clips=3 * num_glosses, num_glosses=num_glosses, strength=4)
    bars = decode(class_plots.bar_graph(score(predictions)["per_class"]))
    heat = decode(class_plots.report_heat_map(classification_report(predictions)))
    assert max(*bars.shape, *heat.shape) < 3000
    for figure, extra in zip(figures, (0, 2), strict=True):
        title = figure.axes[0].get_title(loc="left")
        assert title.startswith("The 30 worst and 30 best of ") and "between them left out" in title
        assert len(figure.axes[0].get_yticklabels()) == 60 + extra


def test_worst_come_first_and_the_rest_is_counted(figures):
    class_plots.bar_graph(rows_of(10), most=5)
    axes = figures[0].axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["g0", "g1", "g2", "g8", "g9"]
    assert "3 worst and 2 best of 10 glosses (5 between" in axes.get_title(loc="left")
    assert [text.get_text() for text in figures[0].legends[0].get_texts()] == ["recall", "F1"]
    (line,) = axes.lines
    assert line.get_ydata()[0] == 2.5  # between the third and the fourth


def test_the_heat_map_shows_the_reports_numbers(figures):
    report = classification_report(make(num_glosses=4))
    decode(class_plots.report_heat_map(report))
    axes = figures[0].axes[0]
    names = [label.get_text().split("  ")[0] for label in axes.get_yticklabels()]
    assert names[-2:] == ["macro avg", "weighted avg"] and set(names[:-2]) == set(report["classes"])
    rows = {**report["classes"], **{name: report[name] for name in names[-2:]}}
    expected = [[rows[name][key] for key in ("precision", "recall", "f1-score")] for name in names]
    assert np.asarray(axes.images[0].get_array()).tolist() == expected
    assert [row[2] for row in expected[:-2]] == sorted(row[2] for row in expected[:-2])


def test_names_are_text_and_never_formulas():
    rows = [{"gloss": name, "support": 1, "recall": 1.0, "f1": 1.0} for name in ("$\\frac{$", "a_b^{c", "x" * 300)]
    assert decode(class_plots.bar_graph(rows)).shape[1] < 2000
