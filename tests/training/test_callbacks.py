"""What is written down after every evaluation."""

import csv
import json

import pytest
import torch
from small_training import Callback, SmallNetwork, SmallTraining, trainer_settings

from sign_recog.training.callbacks import COLUMNS


def read(training: SmallTraining):
    with (training.folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_s1_csv_header_is_one_clean_line(tmp_path):
    training = SmallTraining(tmp_path, trainer_settings(max_epochs=2)).fit()
    lines = (tmp_path / "metrics.csv").read_text().split("\n")
    assert lines[0] == ",".join(COLUMNS) and not any(line.startswith("#") for line in lines)
    assert len(lines) == 4 and lines[-1] == ""  # header, two rows, and the end of the last line
    ours = {"epoch", "train_loss", "val_loss", "val_gloss_acc", "val_category_acc", "lr", "epoch_time_s",
            "gpu_memory_allocated_mb", "gpu_memory_reserved_mb"}  # fmt: skip
    assert ours <= set(COLUMNS) == set(read(training)[0])


def still_network() -> SmallNetwork:
    """Without dropout and BatchNorm: the same logits in training and evaluation."""
    network = SmallNetwork(dropout=0.0)
    for layer in network.layers:
        layer[1] = torch.nn.Identity()
    with torch.random.fork_rng():
        torch.manual_seed(5)
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter)
    return network


def test_s1_train_loss_is_the_mean_over_the_epoch(tmp_path):
    """At rate 0, without dropout and BatchNorm, the mean over unequal batches is the loss of one batch of all."""

    def loss(name, **settings):
        settings = trainer_settings(max_epochs=1, **settings)
        training = SmallTraining(tmp_path / name, settings, network=still_network(), lr=0.0)
        return float(read(training.fit())[0]["train_loss"])

    whole = loss("whole", batch_size=22)
    assert loss("parts", batch_size=5) == pytest.approx(whole, abs=2e-5)
    assert loss("accumulated", batch_size=5, accumulate=3) == pytest.approx(whole, abs=2e-5)


def test_a_resumed_training_writes_one_table(tmp_path):
    for epochs in (2, 4):
        training = SmallTraining(tmp_path, trainer_settings(max_epochs=epochs)).fit()
    assert [row["epoch"] for row in read(training)] == ["1", "2", "3", "4"]
    assert [row["step"] for row in read(training)] == ["6", "12", "18", "24"]


def test_programs_can_watch_the_progress(tmp_path):
    seen = []

    class Watcher(Callback):
        def on_train_epoch_start(self, trainer, pl_module):
            seen.append(json.loads((tmp_path / "progress.json").read_text()))

    training = SmallTraining(tmp_path, trainer_settings(max_epochs=3), make_callbacks=lambda network: [Watcher()]).fit()
    seen.append(json.loads((tmp_path / "progress.json").read_text()))
    assert [(s["epoch"], s["epochs"], s["step"], s["steps"]) for s in seen] == [(e, 3, 6 * e, 18) for e in range(4)]
    assert seen[0]["eta_s"] is None and seen[0]["metrics"] == {}
    assert seen[2]["eta_s"] == pytest.approx(seen[2]["seconds"] / 2, abs=0.002) and seen[3]["eta_s"] == 0
    assert seen[3]["metrics"]["val_loss"] == pytest.approx(float(read(training)[-1]["val_loss"]), rel=1e-4)


def test_s1_topk_is_measured_in_training(tmp_path):
    """S1 logged top-1 alone. Here against the places that the logits of the val clips give."""
    training = SmallTraining(tmp_path, trainer_settings(max_epochs=1), network=SmallNetwork(num_glosses=9), lr=0.0)
    training.fit().network.eval()
    places = []
    with torch.inference_mode():
        for batch in training.loaders[1]:
            logits = training.network(batch["sequence"], batch["padding_mask"])["gloss_logits"]
            places += [(row > row[own]).sum().item() for row, own in zip(logits, batch["gloss"].tolist(), strict=True)]
    expected = sum(place < 5 for place in places) / len(places)
    assert float(read(training)[0]["val_gloss_top5"]) == pytest.approx(expected) and 0 < expected < 1


def test_s0_train_and_val_are_counted_apart(tmp_path):
    """S0 counted both in one metric. At rate 0 each is the share of its own clips."""
    training = SmallTraining(tmp_path, trainer_settings(max_epochs=1), network=still_network(), lr=0.0).fit()
    row, shares = read(training)[0], []
    for split, loader in zip(("train", "val"), training.loaders, strict=True):
        data = loader.dataset
        with torch.inference_mode():
            answers = training.network(data.sequences, torch.zeros(len(data), 1))["gloss_logits"].argmax(1)
        shares.append((answers == data.glosses).float().mean().item())
        assert float(row[f"{split}_gloss_acc"]) == pytest.approx(shares[-1], abs=1e-5)
    assert shares[0] != pytest.approx(shares[1], abs=1e-3)
