import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from sign_recog.evaluation import plots
from sign_recog.evaluation.aggregate import build_sweep
from sign_recog.evaluation.classification import score, score_groups
from sign_recog.evaluation.page import Figure, percent, score_text
from sign_recog.evaluation.predictions import Predictions, confusion
from sign_recog.evaluation.report import (
    Example,
    RunReport,
    Stamp,
    SweepReport,
    build_run_report,
    build_sweep_report,
)
from sign_recog.evaluation.runs import RunResult

HOSTILE = "<script>alert('a')</script>\"><img src=x onerror=alert(1)>"


class Page(HTMLParser):
    """The tags of a page with their attributes, and its text without style."""

    VOID = ("meta", "img", "br")

    def __init__(self, html: str):
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(html)
        assert self.open == [], "tags left open"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag in self.VOID:
            self.words += " "
        else:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        self.words += " "

    def handle_data(self, data):
        if "style" not in self.open:
            self.words += data

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", self.words)


def predictions(num_clips=40, num_glosses=20) -> Predictions:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(num_clips, num_glosses)).astype(np.float32)
    targets = rng.integers(0, num_glosses, num_clips)
    logits[np.arange(num_clips), targets] += 1.5
    names = [HOSTILE, *(f"gloss{g}" for g in range(1, num_glosses))]
    return Predictions(
        [f"clip{i}" for i in range(num_clips)], logits, targets, names, ["anna", "ben"] * (num_clips // 2)
    )


def run_report(**changes) -> RunReport:
    answers = predictions()
    values = {
        "title": "synthetic, transformer, seed 1",
        "split": "test",
        "scores": score(answers),
        "stamp": Stamp("synthetic", 40, 40, "0123456789abcdef", "signer_disjoint", "best.ckpt", 31),
        "splits": {s: {"clips": 40, "signers": 2, "glosses": 20} for s in ("train", "val", "test")},
        "leakage": [],
        "config_yaml": "model:\n  dropout: 0.1\n",
        "provenance": {"command": "python run.py seed=1", "versions": {"numpy": "1.26"}, "slurm_job_id": None},
        "figures": [Figure("Confusion", plots.confusion_matrix(confusion(answers), answers.glosses), "Rows: truth.")],
    }
    return RunReport(**{**values, **changes})


def sweep_report(**changes) -> SweepReport:
    def run(settings, seed, top1, state="scored", error=""):
        scores = {"top1_per_instance": top1, "loss": 1 - top1} if state == "scored" else {}
        config = {"model.dropout": 0.1 if settings == "aaaa" else 0.3}
        return RunResult(Path(f"outputs/x/{settings}/seed{seed}"), state, error, settings, seed, scores, {}, config)

    runs = [run("aaaa", 1, 0.2), run("aaaa", 2, 0.6), run("bbbb", 1, 0.125), run("bbbb", 2, 0, "failed", HOSTILE)]
    sweep = build_sweep(runs, split="test")
    values = {"title": "dropout", "folder": Path("outputs/x"), "sweep": sweep}
    return SweepReport(**{**values, **changes})


def both_pages() -> list[str]:
    example = Example("clip1", HOSTILE, "gloss1", 0.5, 2, HOSTILE)
    hostile = {"notes": [HOSTILE], "warnings": [HOSTILE], "title": HOSTILE}
    run = run_report(
        **hostile,
        examples=[example],
        config_yaml=f"a: {HOSTILE}",
        leakage=[HOSTILE],
        provenance={HOSTILE: HOSTILE},
        extraction=[{HOSTILE: HOSTILE}],
        groups={HOSTILE: {HOSTILE: score_groups(replace(predictions(), groups={"x": ["y"] * 40}))["x"]["y"]}},
        other_scores={HOSTILE: score(predictions())},
    )
    sweep = sweep_report(**hostile, provenance={HOSTILE: HOSTILE}, links={Path("outputs/x/aaaa/seed1"): HOSTILE})
    return [build_run_report(run), build_sweep_report(sweep)]


@pytest.mark.parametrize("html", both_pages(), ids=["run", "sweep"])
def test_a_page_is_self_contained_and_no_name_becomes_markup(html):
    page = Page(html)
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "iframe", "object", "embed"})
    for tag, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes)
        if tag != "a":
            assert attributes.get("src", "data:").startswith("data:image/png;base64,") or "src" not in attributes
    assert "<script" not in html and "<img src=x" not in html
    assert HOSTILE in page.text  # as text it is all there
    assert not re.search(r"https?://|@import|url\(", html)


def test_the_page_holds_the_scores():
    report = run_report()
    text = Page(build_run_report(report)).text
    low, high = report.scores["top1_per_instance_ci95"]
    assert f"95 % interval {100 * low:.1f} % to {100 * high:.1f} %" in text
    for name in ("top1_per_instance", "top5_per_instance", "top10_per_class", "top1_per_class"):
        assert f"{100 * report.scores[name]:.1f} %" in text
    assert f"{report.scores['loss']:.3f}" in text and f"{report.scores['macro_f1']:.3f}" in text
    assert "guessing one of 20: 5.0 %" in text
    assert "Scored on the test split: 40 clips" in text and "2 signers" in text
    assert "category top-1" not in text  # there is no category head


def test_the_page_says_on_what_it_was_measured():
    text = Page(build_run_report(run_report())).text
    for expected in ("40 of 40 clips", "0123456789abcdef", "signer_disjoint", "best.ckpt, epoch 31", "dropout: 0.1"):
        assert expected in text
    assert "python run.py seed=1" in text and "numpy 1.26" in text and "slurm" not in text


def test_worst_glosses_come_first_and_all_can_be_opened():
    report = run_report()
    html = build_run_report(report)
    worst = min((row for row in report.scores["per_class"] if row["support"]), key=lambda row: row["recall"])["recall"]
    section = Page(html).text.split("Worst glosses")[1]
    first_recall = re.search(r"(\d+) %", section)
    assert int(first_recall[1]) == round(100 * worst)
    assert "All 20 glosses" in section
    few = predictions(num_glosses=3)
    assert "<details><summary>All" not in build_run_report(run_report(scores=score(few)))


def test_leakage_is_said_whatever_it_is():
    clean = Page(build_run_report(run_report())).text
    assert "Leakage: none" in clean and "In two splits" not in clean
    leaking = Page(build_run_report(run_report(leakage=["Signer anna is in train and in test."]))).text
    assert "In two splits. Signer anna is in train and in test." in leaking and "Leakage: none" not in leaking
    unknown = {"train": {"clips": 5, "signers": 0, "glosses": 2}, "test": {"clips": 5, "signers": 1, "glosses": 2}}
    text = Page(build_run_report(run_report(splits=unknown))).text
    assert "Leakage: not known" in text and "Leakage: none" not in text
    text = Page(build_run_report(run_report(splits={}))).text  # the corpus is not at hand
    assert "Leakage: not known" in text and "Leakage: none" not in text


def test_groups_are_tables_with_intervals_and_the_smallest_is_named():
    answers = predictions()
    answers.groups = {"signer": answers.signers, "occluded": ["0"] * 37 + ["1"] * 3}
    groups = score_groups(answers)
    text = Page(build_run_report(run_report(groups=groups))).text
    for name, rows in groups.items():
        assert f"Results by {name}" in text
        for value, row in rows.items():
            low, high = row["top1_per_instance_ci95"]
            share = percent(row["top1_per_instance"])
            assert f"{value} {row['num_clips']} {share} {100 * low:.0f} % to {100 * high:.0f} %" in text
            assert f"{row['macro_f1']:.3f}" in text
    assert "The smallest: occluded 1, 3 clips." in text
    assert "Results by" not in Page(build_run_report(run_report())).text


def test_categories_have_a_table_where_there_is_a_head():
    rng = np.random.default_rng(0)
    answers = predictions()
    answers.categories = [HOSTILE, "food"]
    answers.category_logits, answers.category_targets = rng.normal(size=(40, 2)), rng.integers(0, 2, 40)
    html = build_run_report(run_report(scores=score(answers)))
    assert "<script" not in html and f"Category {HOSTILE.split('>', maxsplit=1)[0]}" not in html
    text = Page(html).text.split("Categories")[1]
    assert HOSTILE in text and "food" in text
    assert "Categories" not in Page(build_run_report(run_report())).text


def test_missing_clips_are_warned_of():
    report = run_report(stamp=Stamp("synthetic", 40, 52, "x", "given", "best.ckpt", 3))
    assert "12 of the 52 clips of test have no keypoints" in Page(build_run_report(report)).text
    assert report.to_json()["warnings"] == report.all_warnings() != []


def test_an_interval_without_width_is_explained():
    perfect = Predictions(["a", "b"], np.eye(2), [0, 1], ["x", "y"], ["", ""])
    text = Page(build_run_report(run_report(scores=score(perfect)))).text
    assert "its interval has no width" in text and "signers unknown" in text


def test_examples_show_truth_answer_and_place():
    png = Figure("", plots.per_class_bars([{"gloss": "a", "support": 1, "recall": 1.0}])).png
    right = Example("clip7", "WATER", "WATER", 0.934, 1, "anna", png)
    wrong = Example("clip8", "EAT", "DRINK", 0.61, 4)
    html = build_run_report(run_report(examples=[right, wrong]))
    text = Page(html).text
    assert "right WATER with 93 %" in text and "clip clip7, signer anna" in text
    assert "wrong EAT taken for DRINK with 61 %" in text and "the true gloss came in place 4" in text
    assert html.count("data:image/png") == 2  # one figure, one strip


def test_other_tables_appear_where_given():
    scores = score(predictions(num_clips=10))
    report = run_report(extraction=[{"part": "left hand", "seen": 0.5, "worst": None}], other_scores={"val": scores})
    text = Page(build_run_report(report)).text
    assert "Quality of the keypoints part seen worst left hand 0.5 –" in text
    assert f"val 10 {percent(scores['top1_per_instance'])}" in text
    assert "Quality of the keypoints" not in Page(build_run_report(run_report())).text


def test_the_stamp_comes_from_the_metrics_file():
    metrics = {
        "run": {"checkpoint": "best.ckpt", "epoch": 3},
        "data": {
            "corpus": "c",
            "clips": 5,
            "clips_not_extracted": ["x", "y"],
            "clips_hash": "h",
            "split_strategy": "given",
        },
    }
    assert Stamp.from_metrics(metrics) == Stamp("c", 5, 7, "h", "given", "best.ckpt", 3)


def test_the_sweeps_page_holds_mean_deviation_and_interval():
    text = Page(build_sweep_report(sweep_report())).text
    # Of 0.2 and 0.6: deviation 0.4 / sqrt 2; t with one degree of freedom is 12.706; interval 0.4 -+ 12.706 * 0.2.
    assert "40.0 % ± 28.3 % -214.1 % to 294.1 %" in text
    assert "0.600 ± 0.283" in text
    assert "12.5 % 1 run" in text
    assert "model.dropout = 0.1" in text and "model.dropout = 0.3" in text
    assert text.index("aaaa") < text.index("bbbb")


def test_the_sweeps_page_says_in_red_that_translators_are_not_above_chance():
    def page(*real: bool) -> str:
        report = sweep_report()
        runs = report.sweep.groups[0].runs
        for run, one in zip(runs, real, strict=False):
            run.collapse = {"real": one, "margin": {"bleu4": 2.0}}
        report.sweep.groups[0].runs = runs[: len(real)]
        return build_sweep_report(report)

    assert "Not above chance." in page(True, False) and "1 of 2 runs is significantly above" in page(True, False)
    assert "Above chance." in page(True, True) and "not above chance" not in page(True, True)
    assert "bove chance" not in page()


def test_the_sweeps_page_lists_every_run():
    html = build_sweep_report(sweep_report(links={Path("outputs/x/aaaa/seed1"): "aaaa/seed1/report.html"}))
    text = Page(html).text
    for run in (
        "aaaa/seed1 1 scored 20.0 %",
        "aaaa/seed2 2 scored 60.0 %",
        "bbbb/seed1 1 scored",
        "bbbb/seed2 2 failed",
    ):
        assert run in text
    assert [a["href"] for tag, a in Page(html).tags if tag == "a"] == ["aaaa/seed1/report.html"]
    assert "1 of 4 runs have no scores on test" in text


def test_a_link_is_a_path_whatever_it_holds():
    links = {Path("outputs/x/aaaa/seed1"): "a #1/r.html", Path("outputs/x/aaaa/seed2"): "javascript:alert(1)"}
    html = build_sweep_report(sweep_report(links=links))
    assert [a["href"] for tag, a in Page(html).tags if tag == "a"] == ["a%20%231/r.html", "javascript%3Aalert%281%29"]


def test_json_holds_the_content_without_images():
    run = run_report(examples=[Example("clip1", "a", "b", 0.5, 2, "", b"png")])
    content = json.loads(json.dumps(run.to_json(), allow_nan=False))
    assert content["scores"] == run.scores and content["stamp"]["epoch"] == 31
    assert content["figures"] == [{"title": "Confusion", "caption": "Rows: truth."}]
    assert "png" not in content["examples"][0]
    sweep = sweep_report(links={Path("outputs/x/aaaa/seed1"): "aaaa/seed1/report.html"})
    content = json.loads(json.dumps(sweep.to_json(), allow_nan=False))
    group = content["sweep"]["groups"][0]
    assert group["runs"][0]["folder"] == "aaaa/seed1" and content["links"] == {"aaaa/seed1": "aaaa/seed1/report.html"}
    summary = sweep.sweep.groups[0].scores["loss"]
    assert group["scores"]["loss"] == {
        "n": 2,
        "mean": pytest.approx(0.6),
        "std": summary.std,
        "ci95": list(summary.ci95),
        "what": "run",
    }


def test_a_figures_width_is_that_of_its_image():
    wide = plots.learning_curves({"epoch": np.arange(3.0), "lr": np.arange(3.0), "train_loss": np.arange(3.0)})
    assert Figure("", wide).width == pytest.approx(9.2 * 96, abs=60)


def test_undefined_scores_are_a_dash():
    assert (percent(None), score_text("loss", None)) == ("–", "–")
    assert (percent(0.8178), score_text("macro_f1", 0.8178)) == ("81.8 %", "0.818")
