"""Budgets in epochs and in steps: how long, how often evaluated, and how batches add up to steps."""

import csv

import pytest
import torch
from small_training import SmallNetwork, SmallTraining, trainer_settings

from sign_recog.storage.checkpoint import read_checkpoint
from sign_recog.training.budget import Budget


def rows(training: SmallTraining) -> list[tuple[int, int]]:
    with (training.folder / "metrics.csv").open() as file:
        return [(int(row["epoch"]), int(row["step"])) for row in csv.DictReader(file)]


@pytest.mark.parametrize(
    ("settings", "total", "rounds", "epochs"),
    [
        ({"max_epochs": 3}, 18, 3, 3),  # 22 clips in batches of 4: 6 steps an epoch
        ({"max_epochs": 3, "accumulate": 2}, 9, 3, 3),
        ({"max_epochs": None, "max_steps": 8}, 8, 2, 2),
        ({"max_epochs": None, "max_steps": 8, "eval_every_steps": 3}, 8, 3, 2),
        ({"max_epochs": 2, "eval_every_steps": 5}, 11, 3, 2),  # 44 clips in full steps of 4
        ({"max_epochs": None, "max_steps": 3, "eval_every_steps": 100}, 3, 1, 1),
    ],
)
def test_a_training_takes_its_budget_and_is_evaluated_as_often_as_asked(tmp_path, settings, total, rounds, epochs):
    settings = trainer_settings(early_stopping__enabled=False, **settings)
    budget = Budget.of(settings, num_clips=22)
    assert (budget.total_steps, budget.rounds, budget.epochs) == (total, rounds, epochs)
    training = SmallTraining(tmp_path, settings).fit()
    assert training.trainer.global_step == total == training.trainer.estimated_stepping_batches
    assert len(rows(training)) == rounds and rows(training)[-1] == (epochs, total)
    last = read_checkpoint(training.last)
    assert (last.step, last.epoch) == (total, epochs) and "val_loss" in last.metrics


def test_the_epoch_of_a_step_counts_clips():
    budget = Budget(num_clips=22, group_size=4, total_steps=100, eval_every_steps=5)
    assert [budget.epoch_of(step) for step in (1, 5, 6, 11, 12)] == [1, 1, 2, 2, 3]  # 20 clips, 24, 44, 48


def after_training(tmp_path, name: str, **settings) -> dict[str, torch.Tensor]:
    class Linear(SmallNetwork):  # BatchNorm's statistics and dropout would rightly differ between batch sizes
        def __init__(self) -> None:
            super().__init__(dropout=0.0)
            for layer in self.layers:
                layer[1] = torch.nn.Identity()

    torch.manual_seed(3)
    settings = trainer_settings(early_stopping__enabled=False, **settings)
    return SmallTraining(tmp_path / name, settings, network=Linear(), num_clips=71, sgd=True, lr=0.3).fit().weights()


@pytest.mark.parametrize("every", [None, 2])
@pytest.mark.parametrize("bucketing", [True, False])
def test_accumulation_equals_one_large_batch(tmp_path, bucketing, every):
    """71 clips: two steps of 32, and 7 left over, less than one batch of 8 (or carried into the next epoch)."""
    common = {"bucketing": bucketing, "eval_every_steps": every, "gradient_clip": 0.5}
    large = after_training(tmp_path, "large", batch_size=32, accumulate=1, **common)
    small = after_training(tmp_path, "small", batch_size=8, accumulate=4, **common)
    assert all(torch.allclose(large[name], small[name], atol=1e-6, rtol=0) for name in large)


def test_s2_accumulated_leftovers_count_like_any_clip(tmp_path):
    """Leftovers of 7 clips in batches of 4 and 3: their step is that of one batch of 7, neither lost nor shrunk."""
    large = after_training(tmp_path, "large", batch_size=16, accumulate=1, max_epochs=1)
    small = after_training(tmp_path, "small", batch_size=4, accumulate=4, max_epochs=1)
    assert all(torch.allclose(large[name], small[name], atol=1e-6, rtol=0) for name in large)
    settings = trainer_settings(batch_size=4, accumulate=4, max_epochs=1)
    assert Budget.of(settings, num_clips=71).total_steps == 5


def test_schedulers_count_optimiser_steps(tmp_path):
    seen = []
    settings = trainer_settings(accumulate=3, max_epochs=2)
    training = SmallTraining(tmp_path, settings, schedule=lambda step: seen.append(step) or 1.0).fit()
    assert training.trainer.global_step == 4 and max(seen) == 4
