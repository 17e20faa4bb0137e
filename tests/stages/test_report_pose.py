"""The page on a detector's run is whole and holds what metrics.json says, also when pictures are gone."""

import json
from pathlib import Path

import pytest
from small_detector import configure, write_blobs, write_run

from sign_recog.stages.evaluate_pose import evaluate_pose
from sign_recog.stages.report_pose import report_pose
from sign_recog.storage.checkpoint import read_pose


@pytest.fixture
def scored(tmp_path):
    config = configure(tmp_path, "run=evaluate", "run.bootstrap_samples=100")
    write_blobs(config, off=4.0)
    evaluate_pose(config, read_pose(write_run(config, metrics={"val_pixel_error": 1.0})))
    folder = Path(config.paths.run_dir)
    (folder / "metrics.csv").write_text(
        "epoch,train_loss,val_loss,train_pixel_error,val_pixel_error\n1,2,3,9,8\n2,1,2,5,6\n"
    )
    return folder


def report(folder):
    return report_pose(folder, json.loads((folder / "metrics.json").read_text()))


def test_the_page_holds_errors_worst_frames_curves_and_notes(scored):
    report(scored)
    page = (scored / "report.html").read_text()
    scores = json.loads((scored / "metrics.json").read_text())["scores"]
    assert f"{scores['pixel_error']:.2f} px" in page
    for text in ("Error by landmark", "Error against confidence", "Learning curves", "Worst frames", "pictures/6.png",
                 "always the mean pose", "Val is scored otherwise", ">red</td>"):  # fmt: skip
        assert text in page, text
    assert page.count("data:image/png;base64") == 3 + 3  # figures and the test split's frames
    assert "http" not in page.split("<body>")[1]  # nothing is fetched
    content = json.loads((scored / "report.json").read_text())
    assert content["scores"]["pixel_error"] == scores["pixel_error"] and "png" not in content["examples"][0]


def test_a_detector_no_better_than_the_mean_pose_is_told(scored):
    path = scored / "metrics.json"
    metrics = json.loads(path.read_text())
    metrics["scores"]["pixel_error"] = 2 * metrics["scores"]["mean_pose_error"]
    path.write_text(json.dumps(metrics))
    report(scored)
    assert "has learnt nothing that the pictures show" in (scored / "report.html").read_text()


def test_pictures_that_are_gone_are_said_to_be(scored, tmp_path):
    for path in (tmp_path / "data" / "pictures").iterdir():
        path.unlink()
    report(scored)
    assert "The picture is gone." in (scored / "report.html").read_text()
