"""The report of a run and of a sweep."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from made_runs import write_scored

from sign_recog import stages
from sign_recog.errors import DataError

FEW = ("trainer.max_epochs=2", "optim.lr=1e-2")


def test_a_runs_page_holds_its_scores_and_data(tiny):
    for stage in ("classify", "evaluate", "report"):
        stages.run(tiny(f"run={stage}", *FEW))
    folder = Path(tiny(*FEW).paths.run_dir)
    page, content = (folder / "report.html").read_text(), json.loads((folder / "report.json").read_text())
    scores = json.loads((folder / "metrics.json").read_text())["scores"]
    assert content["scores"] == scores
    assert f"{100 * scores['top1_per_instance']:.1f}" in page
    assert "<script src" not in page and 'src="http' not in page and page.count("data:image/png;base64,") >= 4


def test_features_of_random_weights_are_named_on_the_page(tiny, tmp_path):
    from sign_recog.storage import atomic
    from sign_recog.storage.features import FeatureSequence, write_features

    overrides = ("modality=features", "extractor=inception_v3", "trainer.max_epochs=1")
    folder = tmp_path / "data/tiny/features/inception_v3"
    tiny(*overrides)  # writes the keypoints, whose names the features take
    for path in (tmp_path / "data/tiny/keypoints/mediapipe_holistic").rglob("*.npz"):
        name = path.relative_to(tmp_path / "data/tiny/keypoints/mediapipe_holistic")
        write_features(folder / name, FeatureSequence(np.ones((9, 4), np.float32), np.arange(9) * 40))
    atomic.write_json(folder / "extraction.json", {"weights": "random, not pretrained: for tests"})
    for stage in ("classify", "evaluate", "report"):
        stages.run(tiny(f"run={stage}", *overrides))
    page = (Path(tiny(*overrides).paths.run_dir) / "report.html").read_text()
    assert "Features of inception_v3: weights random, not pretrained" in page


def test_a_sweeps_page_holds_mean_deviation_and_interval(tiny, tmp_path):
    values = []
    for seed in (1, 2, 3):
        for stage in ("classify", "evaluate"):
            config = tiny(f"run={stage}", f"seed={seed}", *FEW)
            result = stages.run(config)
        values.append(result.objective)
    stages.run(tiny("run=report", f"run.folder={tmp_path / 'outputs' / 'tiny'}"))
    content = json.loads((tmp_path / "outputs/tiny/report.json").read_text())
    (group,) = content["sweep"]["groups"]
    top1 = group["scores"]["top1_per_instance"]
    assert top1["n"] == 3 and top1["mean"] == pytest.approx(np.mean(values))
    deviation = math.sqrt(sum((v - np.mean(values)) ** 2 for v in values) / 2)
    assert top1["std"] == pytest.approx(deviation)
    half = 4.302652729911275 * deviation / math.sqrt(3)  # Student's t, 2 degrees of freedom, 97.5 %
    assert top1["ci95"] == pytest.approx([np.mean(values) - half, np.mean(values) + half])


def test_a_run_without_scores_says_what_to_do(tiny):
    stages.run(tiny("run=classify", *FEW))
    with pytest.raises(DataError, match="Run run=evaluate first"):
        stages.run(tiny("run=report", *FEW))


def test_a_missing_folder_is_said(tiny, tmp_path):
    with pytest.raises(DataError):
        stages.run(tiny("run=report", f"run.folder={tmp_path / 'none'}"))


def test_folds_and_the_gap_between_seen_and_unseen_signers_are_shown(tiny, tmp_path):
    for strategy in ("given", "kfold_signer"):  # the drawn corpus has its own split; only the settings differ
        for fold in (0, 1, 2) if strategy == "kfold_signer" else (0,):
            split = (f"data.split.strategy={strategy}", "data.split.folds=3", f"data.split.fold={fold}")
            for stage in ("classify", "evaluate"):
                stages.run(tiny(f"run={stage}", "trainer.max_epochs=1", *split))
    scored = tmp_path.rglob("metrics.json")
    seen = next(p for p in scored if "strategy: given" in (p.parent / "config.yaml").read_text())
    seen.write_text(seen.read_text().replace('"unseen_signers": true', '"unseen_signers": false'))
    stages.run(tiny("run=report", f"run.folder={tmp_path / 'outputs' / 'tiny'}"))
    content = json.loads((tmp_path / "outputs/tiny/report.json").read_text())
    page = (tmp_path / "outputs/tiny/report.html").read_text()
    assert len(content["sweep"]["groups"]) == 2 and len(content["sweep"]["gaps"]) == 1
    assert "Seen and unseen signers" in page and "Folds of" in page and "each tested once" in page


def test_runs_chosen_by_configuration_are_compared_on_one_page(tiny, tmp_path):
    right = [i < 12 for i in range(20)]
    for seed in (1, 2):
        write_scored(tmp_path / f"outputs/a/aaaa/seed{seed}", right, settings="aaaa", seed=seed)
    write_scored(tmp_path / "outputs/b/bbbb/seed1", right[::-1], settings="bbbb", config={"optim": {"lr": 0.2}})
    write_scored(tmp_path / "outputs/b/cccc/seed1", [True] * 20, settings="cccc", first_clip=7)
    write_scored(tmp_path / "outputs/b/dddd/seed1", [True] * 20, settings="dddd", model="gru")
    runs = f"run.runs='{tmp_path}/outputs/**'"
    result = stages.run(tiny("run=report", runs, "run.where='model=s3d'"))
    page, content = ((tmp_path / f"outputs/comparison.{kind}").read_text() for kind in ("html", "json"))
    content = json.loads(content)
    first, second = content["sets"]
    assert [(g["rank"], g["settings"], len(g["runs"])) for g in first["groups"]] == [(1, "aaaa", 2), (2, "bbbb", 1)]
    assert first["groups"][1]["against_first"]["only_first"] == 8 and first["not_comparable_because"] == []
    assert "clips_hash" in second["not_comparable_because"][0] and second["groups"][0]["settings"] == "cccc"
    assert first["groups"][0]["runs"][0]["folder"] == "a/aaaa/seed1"
    assert "dddd" not in page and "Not comparable with set 1" in page and page.count("data:image/png;base64,") == 2
    assert any(name.startswith("set 2, not ranked with set 1") for name in result.summary)
    assert any(name.startswith("set 1, 1. s3d lr=0.1 (2 runs)") for name in result.summary)
    stages.run(tiny("run=report", runs, "run.where='optim.lr>0.1'", f"run.output_dir={tmp_path / 'page'}"))
    assert len(json.loads((tmp_path / "page/comparison.json").read_text())["sets"][0]["groups"]) == 1


def test_real_runs_are_compared(tiny, tmp_path):
    for lr in ("1e-2", "1e-3"):
        for stage in ("classify", "evaluate"):
            stages.run(tiny(f"run={stage}", "trainer.max_epochs=1", f"optim.lr={lr}"))
    stages.run(tiny("run=report", f"run.runs='{tmp_path}/outputs/**'"))
    (one,) = json.loads((tmp_path / "outputs/comparison.json").read_text())["sets"]
    assert [group["name"] for group in one["groups"]] in (
        [f"SignTransformer lr={a}" for a in pair] for pair in (("0.01", "0.001"), ("0.001", "0.01"))
    )
    assert 0 < one["groups"][1]["against_first"]["p_value"] <= 1
