"""TensorBoard and W&B receive the numbers of metrics.csv, without a network."""

import csv
import sys
from pathlib import Path

import pytest

from sign_recog import stages


@pytest.mark.slow
def test_both_loggers_write_into_the_run_folder_without_a_key(tiny, monkeypatch):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("WANDB_SILENT", "true")
    config = tiny("run=classify", "trainer.max_epochs=2", "logger=[tensorboard,wandb]")
    stages.run(config)
    folder = Path(config.paths.run_dir)
    with (folder / "metrics.csv").open() as file:
        expected = [float(row["val_loss"]) for row in csv.DictReader(file)]
    events = EventAccumulator(str(folder / "tb"))
    events.Reload()
    assert [event.value for event in events.Scalars("val_loss")] == pytest.approx(expected, abs=1e-5)
    assert list((folder / "wandb").glob("offline-run-*/*.wandb"))


def test_s2_training_needs_no_wandb(tiny, monkeypatch):
    """S2 began no training without a W&B account. Here the package may even be missing."""
    monkeypatch.setitem(sys.modules, "wandb", None)  # what an absent package looks like to an import
    config = tiny("run=classify", "trainer.max_epochs=1")
    assert "wandb" not in config.logger
    stages.run(config)
    assert (Path(config.paths.run_dir) / "metrics.csv").exists()
