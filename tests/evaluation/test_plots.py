import subprocess
import sys
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest

from sign_recog.errors import DataError
from sign_recog.evaluation import plots
from sign_recog.evaluation.aggregate import build_sweep
from sign_recog.evaluation.runs import RunResult


@pytest.fixture
def figures(monkeypatch):
    """The figures drawn in a test, before they become bytes."""
    drawn = []
    to_bytes = plots.png_bytes
    monkeypatch.setattr(plots, "png_bytes", lambda figure: drawn.append(figure) or to_bytes(figure))
    return drawn


def decode(png: bytes) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None and image.std() > 0  # an image, and not an empty one
    return image


def curves(**columns):
    return {"epoch": np.arange(1, 6.0), **{name: np.array(values, float) for name, values in columns.items()}}


def sweep(values: dict[str, list[float]]):
    runs = [
        RunResult(Path(f"{s}/{i}"), "scored", "", s, i, {"top1_per_instance": v})
        for s, own in values.items()
        for i, v in enumerate(own)
    ]
    return build_sweep(runs, split="test")


def test_curves_show_the_columns_of_the_table(tmp_path, figures):
    path = tmp_path / "metrics.csv"
    path.write_text("epoch,train_loss,val_loss,val_gloss_acc,lr,new\n1,2.0,2.5,0.1,0.001,\n2,1.0,,0.3,0.0005,\n")
    table = plots.read_curves(path)
    assert np.isnan(table["val_loss"][1]) and np.isnan(table["new"]).all()
    decode(plots.learning_curves(table, selected_epoch=2))
    panels = {axes.get_title(loc="left"): axes for axes in figures[0].axes}
    assert list(panels) == ["Loss", "Accuracy", "Learning rate"]
    lines = {line.get_label(): line.get_xydata().tolist() for line in panels["Loss"].lines}
    assert lines["train"] == [[1, 2.0], [2, 1.0]] and lines["val"] == [[1, 2.5]]
    assert "scored: 2" in lines


@pytest.mark.parametrize("columns", [{}, {"train_loss": [np.nan] * 5}, {"val_gloss_acc": [0, 0.1, 0.2, 0.2, 0.3]}])
def test_curves_do_without_missing_columns(columns, figures):
    plots.learning_curves(curves(**columns))
    assert len(figures[0].axes) == ("val_gloss_acc" in columns)


@pytest.mark.parametrize(
    "text", ["", "epoch,train_loss\n", "step,loss\n1,2\n", "epoch,loss\n1,two\n", "epoch,loss\n1,2,3\n"]
)
def test_a_table_of_metrics_that_is_none_is_an_error(tmp_path, text):
    (tmp_path / "metrics.csv").write_text(text)
    with pytest.raises(DataError, match=r"metrics\.csv"):
        plots.read_curves(tmp_path / "metrics.csv")


def test_a_small_confusion_matrix_is_shown_whole(figures):
    matrix = np.array([[3, 1], [0, 0]])
    decode(plots.confusion_matrix(matrix, ["yes", "no"]))
    axes = figures[0].axes[0]
    assert axes.images[0].get_array().tolist() == [[0.75, 0.25], [0, 0]]  # "no" has no clips: no division by zero
    assert [text.get_text() for text in axes.texts] == ["3", "1"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["yes", "no"]


def test_a_large_confusion_matrix_shows_the_most_confused_glosses(figures):
    matrix = np.diag(np.full(2000, 5))
    matrix[1500, 7] = 4
    matrix[7, 1999] = 3
    matrix[12, 13] = 2
    assert plots.most_confused(matrix, 3).tolist() == [7, 1500, 1999]
    image = decode(plots.confusion_matrix(matrix, [f"gloss{g}" for g in range(2000)], most=3))
    assert max(image.shape) < 1500
    axes = figures[0].axes[0]
    assert "3 most confused of 2000" in axes.get_title(loc="left")
    shares = np.asarray(axes.images[0].get_array())
    assert shares.shape == (3, 4)  # the last column holds all other answers
    assert shares.sum(1) == pytest.approx(1)
    assert shares[1, 0] == pytest.approx(4 / 9)


def test_the_most_confused_glosses_are_filled_up_with_others():
    matrix = np.zeros((6, 6), int)
    matrix[4, 5] = 1
    matrix[3, 3] = 2
    assert plots.most_confused(matrix, 4).tolist() == [0, 3, 4, 5]  # the pair, the gloss that occurs, the first other
    assert plots.most_confused(matrix, 6).tolist() == list(range(6))


def test_bars_start_with_the_worst_gloss_that_occurs(figures):
    rows = [{"gloss": f"g{i}", "support": 4, "recall": i / 4} for i in range(5)]
    rows.append({"gloss": "absent", "support": 0, "recall": None})
    decode(plots.per_class_bars(rows[::-1], most=3))
    axes = figures[0].axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["g0", "g1", "g2"]
    assert [patch.get_width() for patch in axes.patches] == [0, 0.25, 0.5]
    assert [text.get_text() for text in axes.texts] == ["0 of 4", "1 of 4", "2 of 4"]


def test_dots_show_every_run_and_the_mean(figures):
    groups = sweep({"aaaa": [0.5, 0.7], "bbbb": [0.4]}).groups
    decode(plots.seeds_dot_plot(groups))
    axes = figures[0].axes[0]
    drawn = [line.get_xdata() for line in axes.lines]
    assert [np.ravel(x).tolist() for x in drawn] == [[0.5, 0.7], [pytest.approx(0.6)], [0.4], [0.4]]
    assert len(axes.collections) == 1  # one group has an interval, the single run has none
    low, high = axes.get_xlim()
    assert low >= -0.01 and high <= 1.01  # though the interval of two runs is wider
    assert [label.get_text() for label in axes.get_yticklabels()] == ["aaaa  (2 runs)", "bbbb  (1 run)"]


def test_no_scored_run_is_no_dot():
    decode(plots.seeds_dot_plot([]))


def test_names_are_text_and_never_formulas():
    hostile = ["$\\frac{$", "a_b^{c", "x" * 300, "<b>&"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        wide = decode(plots.confusion_matrix(np.eye(4, dtype=int), hostile))
        plots.per_class_bars([{"gloss": name, "support": 1, "recall": 1.0} for name in hostile])
    assert wide.shape[1] < 2000


def test_equal_figures_are_equal_files():
    matrix = np.arange(9).reshape(3, 3)
    assert plots.confusion_matrix(matrix, "abc") == plots.confusion_matrix(matrix, "abc")


def test_drawing_needs_no_screen_and_leaves_the_users_settings():
    code = (
        "import sys; from sign_recog.evaluation import plots; assert 'matplotlib' not in sys.modules\n"
        "import matplotlib; before = dict(matplotlib.rcParams)\n"
        "plots.learning_curves({'epoch': __import__('numpy').arange(3.0), 'lr': __import__('numpy').arange(3.0)})\n"
        "assert 'matplotlib.pyplot' not in sys.modules and dict(matplotlib.rcParams) == before"
    )
    environment = {"MPLBACKEND": "TkAgg", "PATH": "", "HOME": "/nonexistent"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
