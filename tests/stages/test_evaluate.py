"""Evaluation: the same figures as training's, test opened by nobody else, and nothing mixed up."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TINY, load_config, write_tiny_corpus
from untrained import write_untrained

from sign_recog import stages
from sign_recog.errors import CheckpointError, DataError
from sign_recog.storage.checkpoint import read_checkpoint
from sign_recog.storage.sequences import read_keypoints, write_keypoints

TRAIN = ("trainer.max_epochs=40", "optim.lr=2e-2", "loss.category_weight=0.3", "trainer.early_stopping.enabled=false")


@pytest.fixture(scope="module")
def training(tmp_path_factory) -> Path:
    """A folder with the drawn corpus and one training on it."""
    folder = tmp_path_factory.mktemp("training")
    paths = (f"paths.data_root={folder / 'data'}", f"paths.output_root={folder / 'outputs'}")
    config = load_config(*TINY, *paths, "run=classify", *TRAIN)
    write_tiny_corpus(config)
    stages.run(config)
    return folder


@pytest.fixture
def trained(training, tiny, tmp_path):
    """As ``tiny``, in a folder of the test's own where the training has been done."""
    shutil.copytree(training, tmp_path, dirs_exist_ok=True)
    return tiny


def change_line(path: Path, start: str, old: str, new: str) -> None:
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line.replace(old, new) if line.startswith(start) else line for line in lines))


def metrics(config, split: str = "") -> dict:
    return json.loads((Path(config.paths.run_dir) / split / "metrics.json").read_text())


def test_scoring_val_again_gives_what_training_saw(trained):
    config = trained("run=evaluate", "run.split=val", *TRAIN)
    stages.run(config)
    seen = read_checkpoint(Path(config.paths.run_dir) / "checkpoints" / "best.ckpt").metrics
    scores = metrics(config, "val")["scores"]
    assert scores["top1_per_instance"] == pytest.approx(seen["val_gloss_acc"])
    assert scores["category_top1_per_instance"] == pytest.approx(seen["val_category_acc"])


def test_it_recognises_test_and_says_on_what(trained):
    config = trained("run=evaluate", *TRAIN)
    assert stages.run(config).objective >= 2 / 3
    data = metrics(config)["data"]
    assert data["clips"] == 3 and data["clips_not_extracted"] == [] and data["split_strategy"] == "given"
    with (Path(config.paths.run_dir) / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["clip_id"] for row in rows) == ["across/7", "round/7", "up/7"]


def test_s1_there_is_a_test_split_and_training_never_opens_it(tiny, tmp_path):
    tiny()
    for path in (tmp_path / "data/tiny/keypoints").rglob("7.npz"):
        path.write_bytes(b"not to be opened")
    stages.run(tiny("run=classify", "trainer.max_epochs=1"))
    with pytest.raises(DataError, match=r"7.npz: cannot be read"):
        stages.run(tiny("run=evaluate", "trainer.max_epochs=1"))


def test_s1_missing_files_are_counted_not_skipped(trained, tmp_path):
    """S1 left them out of the score without a word."""
    (tmp_path / "data/tiny/keypoints/mediapipe_holistic/up/7.npz").unlink()
    config = trained("run=evaluate", *TRAIN)
    summary = stages.run(config).summary
    assert metrics(config)["data"]["clips_not_extracted"] == ["up/7"]
    assert metrics(config)["data"]["clips"] == 2 and summary["test clips"] == "2 of 3"
    stages.run(trained("run=report", *TRAIN))
    page = (Path(config.paths.run_dir) / "report.html").read_text()
    assert "1 of the 3 clips of test have no keypoints and are not in the score" in page


def test_s1_topk_is_measured(trained):
    """S1 measured top-1 alone in training. Here against the places that the written probabilities give."""
    config = trained("run=evaluate", *TRAIN)
    stages.run(config)
    with np.load(Path(config.paths.run_dir) / "predictions.npz", allow_pickle=False) as arrays:
        probabilities, targets = arrays["probabilities"], arrays["gloss_targets"]
    places = [
        sorted(range(3), key=lambda g: -row[g]).index(own) for row, own in zip(probabilities, targets, strict=True)
    ]
    scores = metrics(config)["scores"]
    for k in (1, 5, 10):
        expected = np.mean([place < k for place in places])
        assert scores[f"top{k}_per_instance"] == scores[f"top{k}_per_class"] == pytest.approx(expected)


def test_s0_scores_are_over_the_whole_set_not_batch_means(tiny, tmp_path):
    """S0 averaged macro F1 over batches, which depends on their size; here against scikit-learn on the table."""
    from sklearn.metrics import f1_score

    folder, found = tmp_path / "run", []
    path = write_untrained(folder / "checkpoints/best.ckpt", tiny(), input_dim=137, glosses=["across", "round", "up"])
    checkpoint = f"run.checkpoint={path}"
    for batch_size in (1, 2, 18):
        stages.run(tiny("run=evaluate", "run.split=train", checkpoint, f"trainer.batch_size={batch_size}"))
        scores = json.loads((folder / "train/metrics.json").read_text())["scores"]
        with (folder / "train/predictions.csv").open() as file:
            rows = list(csv.DictReader(file))
        true, answered = [row["gloss"] for row in rows], [row["predicted"] for row in rows]
        assert scores["macro_f1"] == pytest.approx(f1_score(true, answered, average="macro", zero_division=0))
        found.append((scores["macro_f1"], scores["accuracy"], pytest.approx(scores["loss"], abs=1e-5)))
    assert found[0] == found[1] == found[2]


def test_results_are_given_for_each_group(trained, tmp_path):
    """By signer, and by what the corpus tells of occlusion; no clip tells a language."""
    manifest = next((tmp_path / "data/tiny/manifests").glob("*/manifest.tsv"))
    header, *lines = manifest.read_text().splitlines()
    rows = [f"{line}\t{'1' if line.startswith('up') else '0'}" for line in lines]
    manifest.write_text("\n".join([f"{header}\toccluded", *rows]) + "\n")
    config = trained("run=evaluate", *TRAIN)
    stages.run(config)
    groups = metrics(config)["groups"]
    assert list(groups) == ["signer", "occluded"]
    assert {value: row["num_clips"] for value, row in groups["occluded"].items()} == {"0": 2, "1": 1}
    with (Path(config.paths.run_dir) / "predictions.csv").open() as file:
        rows = {row["clip_id"]: row for row in csv.DictReader(file)}
    assert [rows[f"{gloss}/7"]["occluded"] for gloss in ("across", "round", "up")] == ["0", "0", "1"]
    assert groups["occluded"]["1"]["top1_per_instance"] == int(rows["up/7"]["correct"])
    stages.run(trained("run=report", *TRAIN))
    assert "Results by occluded" in (Path(config.paths.run_dir) / "report.html").read_text()


def test_everything_fslr_writes_is_in_the_results(trained):
    """S1's JSON files: overall, per class, confusion matrices, and the best of each clip, of both labels."""
    config = trained("run=evaluate", *TRAIN)
    stages.run(config)
    scores, folder = metrics(config)["scores"], Path(config.paths.run_dir)
    for prefix in ("", "category_"):
        assert all(0 <= scores[f"{prefix}weighted_{name}"] <= 1 for name in ("precision", "recall", "f1"))
    assert [row["gloss"] for row in scores["per_class"]] == ["across", "round", "up"]
    assert [row["category"] for row in scores["per_category"]] == ["kind0", "kind1"]
    with np.load(folder / "predictions.npz", allow_pickle=False) as arrays:
        assert arrays["confusion_matrix"].sum() == arrays["category_confusion_matrix"].sum() == 3
    with (folder / "predictions.csv").open() as file:
        row = next(csv.DictReader(file))
    assert {row[f"top{k}"] for k in (1, 2, 3)} == {"across", "round", "up"}
    assert {row[f"category_top{k}"] for k in (1, 2)} == {"kind0", "kind1"}
    assert (folder / "confusion_matrix_category.png").exists()


def test_without_a_checkpoint_it_says_how_to_get_one(tiny):
    with pytest.raises(CheckpointError, match="Train with run=classify"):
        stages.run(tiny("run=evaluate"))


@pytest.mark.parametrize("content", [b"", b"no checkpoint"])
def test_a_damaged_checkpoint_is_said(tiny, tmp_path, content):
    (tmp_path / "a.ckpt").write_bytes(content)
    with pytest.raises(CheckpointError, match="cannot be read as a checkpoint"):
        stages.run(tiny("run=evaluate", f"run.checkpoint={tmp_path / 'a.ckpt'}"))


def test_a_checkpoint_that_would_run_code_is_refused(tiny, tmp_path):
    torch.save({"bomb": Path}, tmp_path / "a.ckpt")
    with pytest.raises(CheckpointError, match="cannot be read as a checkpoint"):
        stages.run(tiny("run=evaluate", f"run.checkpoint={tmp_path / 'a.ckpt'}"))


def test_another_programs_checkpoint_is_refused(tiny, tmp_path):
    torch.save({"state_dict": {}, "epoch": 0}, tmp_path / "a.ckpt")
    with pytest.raises(CheckpointError, match="no sign_recog checkpoint"):
        stages.run(tiny("run=evaluate", f"run.checkpoint={tmp_path / 'a.ckpt'}"))


def test_keypoints_of_another_layout_are_refused(trained, tmp_path):
    from sign_recog.errors import ConfigError
    from sign_recog.landmarks.layout import get_layout

    path = tmp_path / "data/tiny/keypoints/mediapipe_holistic/up/7.npz"
    sequence = read_keypoints(path)
    sequence.keypoints, sequence.confidence = sequence.keypoints[:, :67], sequence.confidence[:, :67]
    sequence.layout, sequence.meta["layout"] = get_layout("signon_67"), "signon_67"
    write_keypoints(path, sequence)
    with pytest.raises(ConfigError, match="Layout holistic_75 needs 8 points that layout signon_67 does not hold"):
        stages.run(tiny_of_layout(trained))


def tiny_of_layout(configure):
    settings = ("modality.layout=holistic_75", "trainer.max_epochs=1")
    stages.run(configure("run=classify", *settings))
    return configure("run=evaluate", *settings)


def test_keypoints_extracted_in_another_way_are_refused(trained, tmp_path):
    folder = tmp_path / "data/tiny/keypoints/mediapipe_holistic"
    settings = ("trainer.max_epochs=1",)
    (folder / "extraction.json").write_text('{"model_complexity": 1}')
    stages.run(trained("run=classify", *settings))
    (folder / "extraction.json").write_text('{"model_complexity": 2}')
    with pytest.raises(CheckpointError, match="model_complexity was 1, is 2"):
        stages.run(trained("run=evaluate", *settings))


def test_a_clip_that_was_trained_on_cannot_be_tested(trained, tmp_path):
    manifest = next((tmp_path / "data/tiny/manifests").glob("*/manifest.tsv"))
    lines = [
        line.replace("\ttrain\t", "\ttest\t") if line.startswith("up/0") else line
        for line in manifest.read_text().splitlines()
    ]
    manifest.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match="1 clips of test were trained on"):
        stages.run(trained("run=evaluate", *TRAIN))


def test_a_test_label_outside_the_vocabulary_is_said(trained, tmp_path):
    manifest = next((tmp_path / "data/tiny/manifests").glob("*/manifest.tsv"))
    lines = [
        line.replace("\tup\t", "\tdown\t") if line.startswith("up/7") else line
        for line in manifest.read_text().splitlines()
    ]
    manifest.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match="gloss 'down': 1 clips, none of them in train"):
        stages.run(trained("run=evaluate", *TRAIN))


def test_a_checkpoint_alone_is_enough(trained, tmp_path):
    """With run.checkpoint the other settings may be anything: the checkpoint knows its own."""
    own = trained("run=evaluate", *TRAIN)
    stages.run(own)
    expected = metrics(own)["scores"]
    path = Path(own.paths.run_dir) / "checkpoints" / "best.ckpt"
    stages.run(trained("run=evaluate", f"run.checkpoint={path}", "optim.lr=9", "modality.layout=holistic_75"))
    assert metrics(own)["scores"] == expected
    assert np.isfinite(expected["loss"])


def test_results_of_a_checkpoint_outside_a_run_stay_in_this_commands_folder(trained, tmp_path):
    """They were written two folders above it, wherever that was; run=predict and run=export had the rule."""
    own = trained("run=evaluate", *TRAIN)
    elsewhere = tmp_path / "mine" / "best.ckpt"
    elsewhere.parent.mkdir()
    shutil.copy(Path(own.paths.run_dir) / "checkpoints" / "best.ckpt", elsewhere)
    config = trained("run=evaluate", *TRAIN, f"run.checkpoint={elsewhere}", f"paths.run_dir={tmp_path / 'here'}")
    stages.run(config)
    assert metrics(config)["scores"]["num_clips"] == 3 and not (tmp_path / "metrics.json").exists()


def test_a_checkpoint_names_the_extractor_of_its_files(trained, tmp_path):
    own = trained("run=evaluate", *TRAIN)
    path = Path(own.paths.run_dir) / "checkpoints" / "best.ckpt"
    stages.run(
        trained("run=evaluate", f"run.checkpoint={path}", "modality=features", "extractor=inception_v3", "augment=none")
    )
    assert metrics(own)["scores"]["num_clips"] == 3


def test_scores_on_another_corpus_do_not_replace_the_runs_own(trained, tmp_path):
    own = trained("run=evaluate", *TRAIN)
    stages.run(own)
    before = metrics(own)
    prepared = next((tmp_path / "data/tiny/manifests").iterdir())
    shutil.copytree(tmp_path / "data/tiny", tmp_path / "data/other")
    other = tmp_path / "data/other/manifests" / prepared.name
    stages.run(trained("run=evaluate", *TRAIN, f"run.corpus={other}"))
    assert metrics(own) == before
    assert metrics(own, "on_other/test")["data"]["manifest"] == str(other / "manifest.tsv")
