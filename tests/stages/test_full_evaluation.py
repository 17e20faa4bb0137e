"""``evaluation=full``: every number of S2's bundle, from a training to its files, counted again by hand."""

import csv
import json
import logging
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TINY, load_config, write_tiny_corpus
from untrained import write_untrained

from sign_recog import stages
from sign_recog.errors import ConfigError, DataError
from sign_recog.storage.checkpoint import read_checkpoint

TRAIN = (
    "trainer.max_epochs=6", "optim.lr=1e-2", "loss.category_weight=0.3", "loss.label_smoothing=0.1",
    "trainer.early_stopping.enabled=false",
)  # fmt: skip
FULL = ("run=evaluate", "evaluation=full", "evaluation.num_permutations=3")
FILES = {
    "best_val_loss.json", "best_test-top-k.json", "best_val-top-k.json", "best_test-shuffled-top-k.json",
    "best_test-bargraph.png", "best_test-confmat.png", "best_test-heatmap.png", "best_test-report.json",
}  # fmt: skip


def manifest_of(folder: Path) -> Path:
    return next((folder / "data/tiny/manifests").glob("*/manifest.tsv"))


def change_splits(folder: Path) -> None:
    """Test gets three more clips and loses a gloss: no two sets are of one size, and one lacks a class."""
    path = manifest_of(folder)
    lines = []
    for line in path.read_text().splitlines():
        clip = line.split("\t")[0]
        if clip in ("round/0", "across/0", "across/1"):
            line = line.replace("\ttrain\t", "\ttest\t")
        if clip == "up/7":
            line = line.replace("\ttest\t", "\ttrain\t")
        lines.append(line)
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def scored(tmp_path_factory) -> Path:
    """A folder with a training and its full evaluation."""
    folder = tmp_path_factory.mktemp("scored")
    paths = (f"paths.data_root={folder / 'data'}", f"paths.output_root={folder / 'outputs'}")
    config = load_config(*TINY, *paths, "run=classify", *TRAIN)
    write_tiny_corpus(config)
    change_splits(folder)
    stages.run(config)
    stages.run(load_config(*TINY, *paths, *TRAIN, *FULL))
    return Path(config.paths.run_dir)


@pytest.fixture
def copy(scored, tiny, tmp_path):
    """As ``tiny``, in a folder of the test's own where all of ``scored`` has been done."""
    shutil.copytree(scored.parents[3], tmp_path, dirs_exist_ok=True)
    return tiny


def read(path: Path):
    return json.loads(path.read_text(encoding="utf-8"))


def counted(folder: Path, num_glosses: int) -> dict:
    """BaseRes of the answers stored in ``folder``, with nothing but loops."""
    with np.load(folder / "predictions.npz", allow_pickle=False) as arrays:
        logits, targets = arrays["gloss_logits"], arrays["gloss_targets"].tolist()
        assert logits.shape == (len(targets), num_glosses)
    hits = {k: [] for k in (1, 5, 10)}
    losses = []
    for row, target in zip(logits.astype(np.float64).tolist(), targets, strict=True):
        best = sorted(range(num_glosses), key=lambda g: (-row[g], g))
        for k, own in hits.items():
            own.append(target in best[:k])
        top = max(row)
        losses.append(math.log(sum(math.exp(x - top) for x in row)) + top - row[target])
    record = {"top_k_average_per_class_acc": {}, "top_k_per_instance_acc": {}}
    for k, own in hits.items():
        shares = []
        for gloss in range(num_glosses):
            mine = [hit for hit, target in zip(own, targets, strict=True) if target == gloss]
            if mine:
                shares.append(sum(mine) / len(mine))
        record["top_k_average_per_class_acc"][f"top{k}"] = pytest.approx(sum(shares) / len(shares), rel=1e-15)
        record["top_k_per_instance_acc"][f"top{k}"] = sum(own) / len(own)
    record["average_loss"] = pytest.approx(sum(losses) / len(losses), rel=1e-12)
    return record


def entropy(perm: list[int]) -> float:
    n = len(perm)
    steps = [(perm[(i + 1) % n] - perm[i]) % n for i in range(n)]
    return sum(-steps.count(d) / n * math.log2(steps.count(d) / n) for d in set(steps))


def test_the_bundle_is_complete(scored):
    assert {path.name for path in (scored / "results").iterdir()} == FILES
    for name in FILES:
        content = (scored / "results" / name).read_bytes()
        assert content.startswith(b"\x89PNG") if name.endswith("png") else json.loads(content)


def test_every_number_of_the_bundle_can_be_counted_again(scored):
    full, best = read(scored / "results/best_val_loss.json"), read_checkpoint(scored / "checkpoints/best.ckpt")
    assert full["test"] == counted(scored, 3) == read(scored / "results/best_test-top-k.json")
    assert full["val"] == counted(scored / "val", 3) == read(scored / "results/best_val-top-k.json")
    shuffled = dict(full["test_shuff"])
    assert shuffled == read(scored / "results/best_test-shuffled-top-k.json")
    perm, found = shuffled.pop("perm"), shuffled.pop("shannon_entropy")
    assert shuffled == counted(scored / "shuffled", 3)
    assert sorted(perm) == list(range(len(perm))) and found == pytest.approx(entropy(perm), rel=1e-12)
    reported = best.metrics
    assert full["best_val_acc"] == 100 * reported["val_gloss_acc"] and full["best_val_loss"] == reported["val_loss"]
    assert full["check_name"] == "best_val"
    rows = {row["epoch"]: row for row in csv.DictReader((scored / "metrics.csv").open())}
    assert float(rows[str(best.epoch)]["val_loss"]) == pytest.approx(full["best_val_loss"], rel=1e-5)


def test_the_report_counts_the_same_answers(scored):
    report = read(scored / "results/best_test-report.json")
    rows = list(csv.DictReader((scored / "predictions.csv").open()))
    assert report["accuracy"] == sum(row["correct"] == "1" for row in rows) / len(rows)
    for name, own in report["classes"].items():
        true = [row for row in rows if row["gloss"] == name]
        said = [row for row in rows if row["predicted"] == name]
        right = sum(row["correct"] == "1" for row in true)
        assert own["support"] == len(true)
        assert own["recall"] == (right / len(true) if true else 0)
        assert own["precision"] == (right / len(said) if said else 0)


def test_s2_val_is_not_a_copy_of_test(scored):
    """In 17 of S2's 166 records it was."""
    sets = [read(scored / name / "metrics.json")["data"] for name in ("", "val")]
    assert [own["clips"] for own in sets] == [5, 3] and sets[0]["clips_hash"] != sets[1]["clips_hash"]
    full = read(scored / "results/best_val_loss.json")
    assert full["val"]["average_loss"] != full["test"]["average_loss"]
    ids = [{row["clip_id"] for row in csv.DictReader((scored / n / "predictions.csv").open())} for n in ("", "val")]
    assert ids[1] == {"up/6", "round/6", "across/6"} and not ids[0] & ids[1]


def test_s2_a_gloss_absent_from_the_set_leaves_head_and_scores_whole(scored):
    """S2 took the number of classes from the set it tested: a missing class was a shape error or NaN."""
    scores = read(scored / "metrics.json")["scores"]
    assert (scores["num_glosses"], scores["num_glosses_occurring"]) == (3, 2)
    (absent,) = [row for row in scores["per_class"] if not row["support"]]
    assert absent["gloss"] == "up" and absent["recall"] is None
    low, high = scores["top1_per_class_ci95"]
    assert 0 <= low <= scores["top1_per_class"] <= high <= 1


def test_the_shuffled_test_is_repeated_with_other_orders(scored):
    found = read(scored / "shuffled/metrics.json")
    perms = [one["perm"] for one in found["permutations"]]
    assert len({tuple(perm) for perm in perms}) == 3
    top1 = [one["scores"]["top1_per_instance"] for one in found["permutations"]]
    mean = sum(top1) / 3
    assert found["over_permutations"]["top1_per_instance"]["mean"] == pytest.approx(mean)
    deviation = math.sqrt(sum((x - mean) ** 2 for x in top1) / 2)
    assert found["over_permutations"]["top1_per_instance"]["std"] == pytest.approx(deviation)
    assert all(one["shannon_entropy"] == pytest.approx(entropy(one["perm"])) for one in found["permutations"])


def test_the_stored_permutation_is_what_the_clips_were_shuffled_with(copy, scored):
    """The network itself, on clips whose frames are reordered here, gives the stored logits."""
    from sign_recog.stages.recognizer import load_recognizer
    from sign_recog.storage.corpus import open_corpus

    config = copy(*FULL, *TRAIN)
    recognizer = load_recognizer(read_checkpoint(scored / "checkpoints/best.ckpt"), config.trainer)
    perm = read(scored / "results/best_val_loss.json")["test_shuff"]["perm"]
    corpus = open_corpus(manifest_of(scored.parents[3]).parent)
    with np.load(scored / "shuffled/predictions.npz", allow_pickle=False) as arrays:
        logits = dict(zip(arrays["clip_ids"].tolist(), arrays["gloss_logits"], strict=True))
    lengths = set()
    for clip in corpus.of_split("test"):
        frames = recognizer.reader.read(corpus.keypoints_dir("mediapipe_holistic") / f"{clip.clip_id}.npz")
        mine = torch.from_numpy(frames[[i for i in perm if i < len(frames)]])[None]
        with torch.inference_mode():
            found = recognizer.network(mine, torch.zeros(1, len(frames), dtype=torch.bool))["gloss_logits"][0]
        assert found.numpy() == pytest.approx(logits[clip.clip_id], abs=1e-5)
        lengths.add(len(frames))
    assert len(lengths) > 1 and max(lengths) == len(perm)


@pytest.mark.parametrize(
    "settings",
    [
        (),
        ("trainer.ema.enabled=true", "trainer.ema.decay=0.9"),
        ("trainer.precision=bf16-mixed",),
        ("trainer.precision=bf16-mixed", "trainer.ema.enabled=true", "loss.category_weight=0.3"),
        ("loss.label_smoothing=0.2", "loss.class_weights=balanced", "loss.category_weight=0.5"),
        ("loss=focal", "trainer.monitor=val_gloss_acc", "trainer.monitor_mode=max"),
        ("trainer.batch_size=2", "loss/weighting=uncertainty", "loss.category_weight=0.5"),
    ],
    ids=lambda settings: " ".join(settings) or "plain",
)
def test_s2_val_is_what_training_reported(tiny, settings, caplog):
    """S2's tests and trainings differed by 3.9 points on average, and by up to 17.5."""
    own = ("trainer.max_epochs=4", "optim.lr=5e-3", *settings)
    stages.run(tiny("run=classify", *own))
    with caplog.at_level(logging.WARNING):
        stages.run(tiny("run=evaluate", "evaluation=full", *own))
    folder = Path(tiny(*own).paths.run_dir)
    reported = read_checkpoint(folder / "checkpoints/best.ckpt").metrics
    val = read(folder / "val/metrics.json")
    assert val["val_reported"] == {name: reported[name] for name in ("val_loss", "val_gloss_acc")}
    assert val["val_measured"]["val_loss"] == pytest.approx(reported["val_loss"], abs=1e-5)
    assert val["val_measured"]["val_gloss_acc"] == pytest.approx(reported["val_gloss_acc"], abs=1e-6)
    assert val["val_agrees"] is True and val["val_difference"] < 1e-5
    assert val["scores"]["top1_per_instance"] == pytest.approx(reported["val_gloss_acc"], abs=1e-6)
    assert "otherwise than in training" not in caplog.text


def test_a_val_that_changed_since_training_is_warned_of(copy, tmp_path, caplog):
    path = manifest_of(tmp_path)
    text = path.read_text().replace("up/6", "x/6", 1).replace("round/6", "up/6", 1).replace("x/6", "round/6", 1)
    path.write_text(text)  # exchanges two clips' files
    config = copy(*FULL, *TRAIN)
    with caplog.at_level(logging.WARNING):
        stages.run(config)
    val = read(Path(config.paths.run_dir) / "val/metrics.json")
    assert val["val_agrees"] is False and val["val_difference"] > 1e-3
    assert "val is scored otherwise than in training" in caplog.text
    stages.run(copy("run=report", *TRAIN))
    assert "Val is scored otherwise than in training" in (Path(config.paths.run_dir) / "report.html").read_text()


@pytest.mark.parametrize("batch_size", [1, 2, 7])
def test_s2_batches_of_one_clip_score_every_row(tiny, tmp_path, batch_size):
    """S2 tested in batches of one, and its top-k read row 0 alone."""
    path = write_untrained(
        tmp_path / "run/checkpoints/best.ckpt", tiny(), input_dim=137, glosses=["across", "round", "up"]
    )
    settings = ("run=evaluate", "evaluation.sets=[train,val]", "run.split=train", f"run.checkpoint={path}")
    stages.run(tiny(*settings, f"trainer.batch_size={batch_size}"))
    assert read(tmp_path / "run/train/metrics.json")["scores"]["num_clips"] == 18
    assert read(tmp_path / "run/results/best_train-top-k.json") == counted(tmp_path / "run/train", 3)
    assert read(tmp_path / "run/results/best_val-top-k.json") == counted(tmp_path / "run/val", 3)


def test_s2_results_of_one_set_can_be_saved(copy):
    """``partial --save`` tried to write an object that JSON has no form for."""
    config = copy("run=evaluate", "run.split=val", "evaluation.heat_map=true", *TRAIN)
    folder = Path(config.paths.run_dir) / "results"
    shutil.rmtree(folder)
    stages.run(config)
    names = {"best_val-top-k.json", "best_val-heatmap.png", "best_val-report.json"}
    assert {path.name for path in folder.iterdir()} == names
    assert list(read(folder / "best_val-top-k.json")) == [
        "top_k_average_per_class_acc", "top_k_per_instance_acc", "average_loss",
    ]  # fmt: skip


def test_s2_checkpoints_of_a_gpu_load_on_a_cpu_and_run_no_code(tiny, tmp_path, monkeypatch):
    """S2 loaded without map_location, and its checkpoints held a pydantic object."""
    monkeypatch.setattr(torch.serialization, "location_tag", lambda storage: "cuda:0")
    glosses = ["across", "round", "up"]
    path = write_untrained(tmp_path / "run/checkpoints/best.ckpt", tiny(), input_dim=137, glosses=glosses)
    monkeypatch.undo()
    if not torch.cuda.is_available():
        with pytest.raises(RuntimeError, match="CUDA"):
            torch.load(path, weights_only=True)
    assert all(weight.device.type == "cpu" for weight in read_checkpoint(path).weights.values())
    assert stages.run(tiny("run=evaluate", f"run.checkpoint={path}")).objective is not None


def test_files_are_named_by_the_checkpoint(copy, scored):
    checkpoint = Path(copy(*TRAIN).paths.run_dir) / "checkpoints/last.ckpt"
    stages.run(copy("run=evaluate", "evaluation.shuffled=true", f"run.checkpoint={checkpoint}", *TRAIN))
    found = {path.name for path in (checkpoint.parents[1] / "results").iterdir()}
    assert found == FILES | {"last_test-top-k.json", "last_test-shuffled-top-k.json"}


def test_scores_say_what_they_were_learnt_from_and_what_is_left_of_the_corpus(copy, tmp_path):
    from sign_recog.training.reproducibility import clips_hash

    info = manifest_of(tmp_path).parent / "corpus.json"
    table = {"train": {"annotated": 1442, "kept": 1007, "left_out": {"video missing": 400, "too short": 35}}}
    info.write_text(json.dumps(read(info) | {"coverage": table}))
    config = copy("run=evaluate", *TRAIN)
    stages.run(config)
    data = read(Path(config.paths.run_dir) / "metrics.json")["data"]
    trained = read_checkpoint(Path(config.paths.run_dir) / "checkpoints/best.ckpt")
    assert data["coverage"] == table and data["train_clips"] == len(trained.train_clips) == 16
    assert data["train_clips_hash"] == clips_hash(trained.train_clips)
    assert data["glosses_hash"] == clips_hash(["up", "round", "across"])
    stages.run(copy("run=report", *TRAIN))
    page = (Path(config.paths.run_dir) / "report.html").read_text()
    assert "1442 → 1007 clips of train" in page and "400 video missing; 35 too short" in page


def test_the_report_shows_all_evaluations_and_pictures(copy):
    stages.run(copy("run=report", *TRAIN))
    folder = Path(copy(*TRAIN).paths.run_dir)
    page, content = (folder / "report.html").read_text(), read(folder / "report.json")
    assert list(content["other_scores"]) == ["val", "test, shuffled frames"]
    titles = [figure["title"] for figure in content["figures"]]
    assert titles == ["Learning curves", "Confusion matrix", "Recall and F1 of each gloss", "Classification report"]
    assert "With shuffled frames top-1 on test is" in page and "mean over 3 orders" in page


def test_scores_of_earlier_versions_can_still_be_reported(copy):
    """They say nothing of the interval per class, of views or of coverage."""
    folder = Path(copy(*TRAIN).paths.run_dir)
    for path in (folder / "metrics.json", folder / "val/metrics.json"):
        old = read(path)
        del old["scores"]["top1_per_class_ci95"], old["data"]["views"], old["data"]["coverage"]
        for name in ("val_reported", "val_measured", "val_difference", "val_agrees"):
            old.pop(name, None)
        path.write_text(json.dumps(old))
    assert stages.run(copy("run=report", *TRAIN)).summary["report"].exists()


def test_a_pipeline_evaluates_fully(tiny):
    config = tiny("run=pipeline", "evaluation=full", "trainer.max_epochs=1", "run.steps=[classify,evaluate,report]")
    summary = stages.run(config).summary
    assert {"test clips", "top-1 on val", "top-1 on test, shuffled frames"} <= summary.keys()
    assert (Path(config.paths.run_dir) / "results/best_val_loss.json").exists()


def test_views_of_a_modality_without_any_are_refused(copy):
    with pytest.raises(ConfigError, match=r"num_clips=3.*Use 1 for both"):
        stages.run(copy("run=evaluate", "evaluation.views.num_clips=3", *TRAIN))


def test_probabilities_are_averaged_over_views(copy, monkeypatch):
    """Keypoints that pretend to have views: the halves of a clip, of which the network sees each alone."""
    from sign_recog.stages.recognizer import load_recognizer
    from sign_recog.storage import packed

    def views(self, index, num_clips, num_crops):
        assert num_crops == 1
        return np.array_split(self.read(index, None), num_clips)

    (kind,) = [node for node in vars(packed).values() if isinstance(node, type) and hasattr(node, "read")]
    monkeypatch.setattr(kind, "views", views, raising=False)
    config = copy("run=evaluate", "evaluation.views.num_clips=2", *TRAIN)
    stages.run(config)
    folder = Path(config.paths.run_dir)
    recognizer = load_recognizer(read_checkpoint(folder / "checkpoints/best.ckpt"), config.trainer)
    with np.load(folder / "predictions.npz", allow_pickle=False) as arrays:
        for clip_id, found in zip(arrays["clip_ids"].tolist(), arrays["probabilities"], strict=True):
            path = folder.parents[2] / "../data/tiny/keypoints/mediapipe_holistic" / f"{clip_id}.npz"
            halves = np.array_split(recognizer.reader.read(path), 2)
            each = [recognizer.recognize([half], language=None, embeddings=[])[0]["gloss"] for half in halves]
            assert found == pytest.approx((each[0] + each[1]) / 2, abs=1e-5)
    assert read(folder / "metrics.json")["data"]["views"] == {"num_clips": 2, "num_crops": 1}
    stages.run(copy("run=report", *TRAIN))
    assert "the mean of 2 views" in (folder / "report.html").read_text()


def test_loader_processes_change_nothing(copy):
    config = copy("run=evaluate", "trainer.num_workers=2", *TRAIN)
    before = read(Path(config.paths.run_dir) / "metrics.json")["scores"]
    stages.run(config)
    assert read(Path(config.paths.run_dir) / "metrics.json")["scores"] == before


def test_sets_without_a_clip_are_named_before_anything_is_scored(copy, tmp_path):
    path = manifest_of(tmp_path)
    path.write_text("\n".join(x for x in path.read_text().splitlines() if "\tval\t" not in x) + "\n")
    config = copy(*FULL, *TRAIN)
    shutil.rmtree(Path(config.paths.run_dir) / "results")
    with pytest.raises(DataError, match=r"has no clip in val.*It has train, test: choose among them"):
        stages.run(config)
    assert not (Path(config.paths.run_dir) / "results").exists()


def test_glosses_that_the_checkpoint_does_not_know_are_named(copy, tmp_path):
    path = manifest_of(tmp_path)
    path.write_text(path.read_text().replace("\tround\t", "\tcircle\t"))
    with pytest.raises(
        DataError, match=r"1 glosses of test are none of the 3 that .*best.ckpt was trained on:\s+- gloss 'circle'"
    ):
        stages.run(copy(*FULL, *TRAIN))
