"""run=predict: the same answer as evaluation, for videos and for keypoint files, and a clear word on bad input."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from sign_recog import stages
from sign_recog.errors import ConfigError, DataError

FEW = ("trainer.max_epochs=5", "optim.lr=1e-2")


@pytest.fixture
def trained(tiny):
    stages.run(tiny("run=classify", *FEW))
    return tiny


def predict(configure, source: Path, out: Path, *overrides: str):
    return stages.run(configure("run=predict", f"run.input={source}", f"run.output_dir={out}", *FEW, *overrides))


def test_a_keypoint_file_gets_the_probabilities_that_evaluation_gave_it(trained, tmp_path):
    evaluation = trained("run=evaluate", *FEW)
    stages.run(evaluation)
    with (Path(evaluation.paths.run_dir) / "predictions.csv").open() as file:
        expected = {row["clip_id"]: row for row in csv.DictReader(file)}
    predict(trained, tmp_path / "data/tiny/keypoints/mediapipe_holistic/up", tmp_path / "out", "run.top_k=2")
    answer = json.loads((tmp_path / "out/7.json").read_text())
    row = expected["up/7"]
    assert [g["gloss"] for g in answer["glosses"]] == [row["top1"], row["top2"]]
    assert answer["glosses"][0]["probability"] == pytest.approx(float(row["p1"]), abs=1e-4)
    assert len(list((tmp_path / "out").glob("*.json"))) == 8


def test_a_bad_file_among_good_ones_is_listed_and_the_rest_answered(trained, tmp_path):
    folder = tmp_path / "mixed"
    folder.mkdir()
    source = tmp_path / "data/tiny/keypoints/mediapipe_holistic/up/7.npz"
    (folder / "good.npz").write_bytes(source.read_bytes())
    (folder / "bad.npz").write_bytes(b"no archive")
    (folder / "text.mp4").write_text("no video")
    summary = predict(trained, folder, tmp_path / "out").summary
    assert (summary["recognised"], summary["failed"]) == (1, 2)
    text = (tmp_path / "out/failed.tsv").read_text()
    assert "bad.npz" in text and "text.mp4" in text


@pytest.mark.parametrize(
    ("name", "words"),
    [("none.mp4", "no such file or folder"), ("empty", "holds no video"), ("bad.npz", "None of 1 inputs")],
)
def test_nothing_to_recognise_is_an_error(trained, tmp_path, name, words):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.npz").write_bytes(b"")
    with pytest.raises(DataError, match=words):
        predict(trained, tmp_path / name, tmp_path / "out")


def test_results_lie_beside_the_run_that_the_checkpoint_is_from(trained, tmp_path):
    folder = Path(trained("run=classify", *FEW).paths.run_dir)
    source = tmp_path / "data/tiny/keypoints/mediapipe_holistic/up/7.npz"
    checkpoint = folder / "checkpoints" / "best.ckpt"
    stages.run(trained("run=predict", f"run.input={source}", f"run.checkpoint={checkpoint}", "seed=9"))
    assert (folder / "predictions" / "7.json").exists()


def test_no_input_is_refused_before_work(tiny):
    with pytest.raises(ConfigError, match=r"run.input=null"):
        tiny("run=predict")


def test_batch_mates_and_padding_do_not_change_an_answer(trained, tmp_path):
    """The recogniser alone, and the same clip padded beside a longer one."""
    from sign_recog.data.datasets import collate
    from sign_recog.stages.recognizer import load_recognizer
    from sign_recog.storage.checkpoint import read_checkpoint

    config = trained("run=classify", *FEW)
    own = load_recognizer(read_checkpoint(Path(config.paths.run_dir) / "checkpoints" / "best.ckpt"))
    folder = tmp_path / "data/tiny/keypoints/mediapipe_holistic"
    short, long = sorted((own.preprocessor.read(folder / f"up/{i}.npz") for i in (0, 1, 2)), key=len)[::2]
    alone, beside = collate([(short, 0, -1, "a")]), collate([(short, 0, -1, "a"), (np.tile(long, (3, 1)), 0, -1, "b")])
    with torch.inference_mode():
        a = own.network(alone["sequence"], alone["padding_mask"])["gloss_logits"]
        b = own.network(beside["sequence"], beside["padding_mask"])["gloss_logits"]
    torch.testing.assert_close(a[0], b[0], atol=1e-5, rtol=1e-5)
