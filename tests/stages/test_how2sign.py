"""The How2Sign experiments on small folders in SSVP-SLT's layout, from what is typed to the page on several seeds."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import small_how2sign
import torch
from conftest import load_config

from sign_recog import stages
from sign_recog.errors import DataError
from sign_recog.stages.run_folder import prepared
from sign_recog.storage import checkpoint
from sign_recog.storage.checkpoint import read_translation

ROOT = Path(__file__).parents[2]
SHORT = (
    "model=encoder_decoder", "trainer.accelerator=cpu", "trainer.max_epochs=1", "scheduler.warmup_epochs=0.2",
    "trainer.eval_every_steps=null", "translation.validation.num_beams=1", "translation.max_target_length=12",
    "generation.num_beams=1", "generation.max_length=12",
)  # fmt: skip


@pytest.fixture(scope="module")
def t5(tmp_path_factory) -> Path:
    return small_how2sign.write_t5(tmp_path_factory.mktemp("t5"))


@pytest.fixture
def given(tmp_path, t5) -> list[str]:
    """What a user types: the experiment and paths."""
    one, two = small_how2sign.write_folders(tmp_path)
    return [
        "+experiment=how2sign_t5_hiera", f"data.train_dirs=[{one},{two}]", f"data.val_dir={one}",
        f"tokenizer.folder={t5}", f"paths.data_root={tmp_path / 'data'}", f"paths.output_root={tmp_path / 'outputs'}",
    ]  # fmt: skip


def metrics(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open() as file:
        return [{k: v for k, v in row.items() if k != "epoch_time_s"} for row in csv.DictReader(file)]


def test_the_recipes_are_those_of_ssvp_slt(given):
    """Every value that its documents and its paper give; bf16 in place of fp16."""
    t5, bart = (load_config(f"+experiment=how2sign_{name}", *given[1:]) for name in ("t5_hiera", "bart_hiera"))
    tarres = load_config("+experiment=how2sign_tarres_i3d", *given[1:3])
    for one in (t5, bart):
        assert (one.model["dropout"], one.loss.label_smoothing, one.optim.weight_decay) == (0.3, 0.2, 0.1)
        assert (one.optim.lr, one.optim.lr * one.scheduler.min_ratio) == (5e-4, pytest.approx(1e-7))
        assert (one.trainer.batch_size, one.trainer.accumulate, one.trainer.gradient_clip) == (4, 2, 1.0)
        assert (one.trainer.max_epochs, one.scheduler.warmup_epochs, one.trainer.eval_every_steps) == (100, 2, 1000)
        assert (one.trainer.early_stopping.patience, one.trainer.keep, one.trainer.monitor) == (25, 3, "val_bleu4")
        assert (one.translation.min_source_length, one.translation.max_source_length) == (5, 1024)
        assert (one.translation.max_target_length, one.generation.num_beams, one.generation.max_length) == (128, 5, 128)
        assert one.translation.validation.num_beams == 5
    assert (t5.trainer.precision, bart.trainer.precision) == ("32-true", "bf16-mixed")
    assert (t5.model["published"], bart.model["published"]) == ("google/t5-v1_1-base", "facebook/bart-base")
    network = tarres.model
    assert [network[f"num_{part}_layers"] for part in ("encoder", "decoder")] == [6, 3]
    assert [network[name] for name in ("d_model", "ffn_dim", "num_heads", "stem")] == [256, 1024, 4, None]
    assert {network[f"{name}dropout"] for name in ("", "attention_", "activation_")} == {0.3}
    assert (tarres.optim.lr, tarres.optim.lr * tarres.scheduler.min_ratio) == (1e-3, pytest.approx(1e-4))
    assert (tarres.trainer.batch_size, tarres.trainer.max_epochs, tarres.scheduler.warmup_epochs) == (32, 200, 10)
    assert (tarres.trainer.early_stopping.patience, tarres.trainer.keep) == (80, 3)
    assert (tarres.tokenizer["size"], tarres.tokenizer["lowercase"], tarres.tokenizer["truecase"]) == (7000, True, True)
    search = tarres.generation
    assert (search.num_beams, search.length_penalty, search.max_length) == (5, 1.0, 200)


def test_from_folders_to_the_scores_of_val_and_test_and_evaluation_alone_from_any_checkpoint(given, tmp_path, caplog):
    """S3's common.eval=true common.load_model=best_model.pth."""
    config = load_config(*given, *SHORT, "run.evaluate.bootstrap_samples=100")
    stages.run(config)
    folder = Path(config.paths.run_dir)
    assert "Is the score real?" in (folder / "report.html").read_text()
    assert len(prepared(config).of_split("train")) == 40
    whole = json.loads((folder / "test_results.json").read_text())
    copied = tmp_path / "elsewhere/best_model.ckpt"
    copied.parent.mkdir()
    copied.write_bytes((folder / "checkpoints/last.ckpt").read_bytes())
    alone = load_config(
        "run=evaluate", f"run.checkpoint={copied}", "run.bootstrap_samples=100", "evaluation.sets=[test,val]",
        *given[4:], *[one for one in SHORT if one.startswith("generation")], f"paths.run_dir={tmp_path / 'alone'}",
        "trainer.accelerator=cpu",
    )  # fmt: skip
    stages.run(alone)
    assert json.loads((tmp_path / "alone/test_results.json").read_text())["bleu4"] == whole["bleu4"]
    for split in ("val", "test"):
        (path,) = (tmp_path / "alone").rglob(f"{split}_outputs.tsv")
        with path.open(newline="") as file:
            assert len(list(csv.DictReader(file, delimiter="\t"))) == 6


def test_the_test_split_is_opened_by_evaluate_alone(given, tmp_path):
    stages.run(load_config(*given, *SHORT, "run=prepare"))
    for path in (tmp_path / "data/how2sign/features/given").glob("test*.npz"):
        path.write_bytes(b"no zip")
    stages.run(load_config(*given, *SHORT, "run=translate"))
    with pytest.raises(DataError, match=r"test0\d-h2s.npz"):
        stages.run(load_config(*given, *SHORT, "run=evaluate", "run.bootstrap_samples=100"))


def test_features_of_another_width_are_refused_or_a_listed_drop(given, tmp_path):
    for name, width in (("how2sign/features/0/train/train03-h2s", 5), ("how2sign/features/0/val02/val02-h2s", 3)):
        torch.save(torch.zeros(6, width), tmp_path / f"{name}.pt")
    stages.run(load_config(*given, *SHORT, "run=prepare"))
    with pytest.raises(DataError, match=r"values a frame.*translation.drop_unreadable=true"):
        stages.run(load_config(*given, *SHORT, "run=translate"))
    config = load_config(*given, *SHORT, "run=translate", "translation.drop_unreadable=true")
    stages.run(config)
    folder = Path(config.paths.run_dir)
    with (folder / "dropped.tsv").open() as file:
        dropped = {row["clip_id"]: row["reason"] for row in csv.DictReader(file, delimiter="\t")}
    assert dropped == {
        "train03-h2s": "its features have 5 values a frame, and the others 8",
        "val02-h2s": "its features have 3 values a frame, and the others 8",
    }
    assert read_translation(folder / "checkpoints/last.ckpt").input_dim == 8


def test_val_of_another_width_is_refused_before_training(given, tmp_path):
    """Of one folder, so that run=prepare, which compares folders, sees nothing."""
    for path in (tmp_path / "how2sign/features/0").glob("val*/*.pt"):
        torch.save(torch.zeros(6, 5), path)
    config = load_config(*given, *SHORT, "run=translate")
    stages.run(load_config(*given, *SHORT, "run=prepare"))
    with pytest.raises(DataError, match="files of val have 5 values a frame, and those of train 8"):
        stages.run(config)
    with pytest.raises(DataError, match=r"none of 6 clips can be read .*values a frame, and the others 8"):
        stages.run(load_config(*given, *SHORT, "run=translate", "translation.drop_unreadable=true"))


def test_other_folders_need_another_name(given, tmp_path):
    stages.run(load_config(*given, *SHORT, "run=prepare"))
    alone = [*given[:1], f"data.train_dirs=[{tmp_path / 'how2sign'}]", *given[2:]]
    with pytest.raises(DataError, match=r"data.corpus.train_dirs was \[.*youtube-asl.*Give this one a name"):
        stages.run(load_config(*alone, *SHORT, "run=prepare"))
    stages.run(load_config(*alone, *SHORT, "run=prepare", "data.name=how2sign_alone"))


@pytest.mark.slow
def test_s3_killed_by_sigkill_within_an_epoch_it_ends_in_the_same_weights(given, tmp_path):
    """Best score, patience and the three checkpoints go on too; S3 forgets the first two."""
    one, two = tmp_path / "how2sign", tmp_path / "youtube-asl"
    given[1] = f"data.train_dirs={one},{two}"  # as it is typed
    settings = [*given, *SHORT, "trainer.max_epochs=3", "trainer.eval_every_steps=3"]
    stages.run(load_config(*given[:1], f"data.train_dirs=[{one},{two}]", *given[2:], *SHORT, "run=prepare"))

    def start(name: str) -> subprocess.Popen:
        command = [sys.executable, "run.py", *settings, "run=translate", f"paths.run_dir={tmp_path / name}"]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    assert start("whole").wait() == 0
    process, rows = start("killed"), tmp_path / "killed/metrics.csv"
    while process.poll() is None and not (rows.exists() and len(metrics(rows.parent)) >= 3):
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "the training ended before it was killed: give it more epochs"
    before = read_translation(tmp_path / "killed/checkpoints/last.ckpt")
    assert before.step % 3 == 0 and before.step < read_translation(tmp_path / "whole/checkpoints/last.ckpt").step
    assert start("killed").wait() == 0
    assert metrics(tmp_path / "killed") == metrics(tmp_path / "whole")
    folders = [tmp_path / name / "checkpoints" for name in ("whole", "killed")]
    # a kill in the middle of writing leaves a partial file, which nobody reads
    names = [sorted(p.name for p in folder.iterdir() if ".partial" not in p.name) for folder in folders]
    assert names[0] == names[1] and len(names[0]) == 3 + 2  # the latest three, last and best
    for name in names[0]:
        whole, killed = (read_translation(folder / name) for folder in folders)
        assert whole.step == killed.step and all(
            torch.equal(whole.weights[k], killed.weights[k]) for k in whole.weights
        )
    whole, killed = (checkpoint.load(folder / "last.ckpt")["callbacks"] for folder in folders)
    (name,) = (key for key in whole if key.startswith("EarlyStopping"))
    assert whole[name] == killed[name]


@pytest.mark.slow
def test_seeds_are_swept_on_the_command_line_and_reported_together(given, tmp_path):
    swept = [*given, *SHORT, "seed=1,2,3,4,5", "launcher.cluster=local", "run.evaluate.bootstrap_samples=100"]
    subprocess.run([sys.executable, "run.py", *swept, "--multirun"], cwd=ROOT, check=True, capture_output=True)
    folder = tmp_path / "outputs/how2sign_t5_hiera"
    stages.run(load_config("run=report", f"run.folder={folder}"))
    (group,) = json.loads((folder / "report.json").read_text())["sweep"]["groups"]
    scores = [run["scores"]["bleu4"] for run in group["runs"]]
    assert [run["seed"] for run in group["runs"]] == [1, 2, 3, 4, 5]
    assert group["scores"]["bleu4"]["n"] == 5 and group["scores"]["bleu4"]["mean"] == pytest.approx(sum(scores) / 5)
    assert group["scores"]["bleu4"]["ci95"] is not None
    page = (folder / "report.html").read_text()
    real = sum(run["collapse"]["real"] for run in group["runs"])
    assert f"{real} of 5 runs" in page and "significantly above what needs no video" in page
