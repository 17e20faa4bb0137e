"""A training killed at any batch and taken up again is the training that was left alone, bit for bit."""

import csv

import pytest
import torch
from small_training import Callback, SmallTraining, trainer_settings, transfer_settings

from sign_recog.storage import checkpoint
from sign_recog.training.freeze import Freeze
from sign_recog.training.schedulers import plateau


class Killed(BaseException):
    """Nothing in the package expects it, as nothing can expect SIGKILL."""


class KillAt(Callback):
    def __init__(self, batch: int | None):
        self.batch = batch

    def on_before_backward(self, trainer, pl_module, loss):
        if trainer.fit_loop.total_batch_idx == self.batch:
            raise Killed


def training(folder, kill_at=None, num_workers=0, **changes) -> SmallTraining:
    """With everything on that has a state."""
    settings = trainer_settings(
        accumulate=2, keep=2, ema__enabled=True, ema__decay=0.9, early_stopping__patience=30, **changes
    )
    transfer = transfer_settings(
        freeze_parts=["projection"], freeze_until_convergence=True, patience=1, lr_after_unfreeze=0.05
    )
    own = SmallTraining(
        folder,
        settings,
        lr=0.3,
        num_workers=num_workers,
        make_callbacks=lambda network: [Freeze(network, transfer), KillAt(kill_at)],
    )
    own.module._build_scheduler = lambda optimizer, total_steps, steps_per_epoch: plateau(
        optimizer, total_steps=total_steps, steps_per_epoch=steps_per_epoch, warmup_epochs=1, monitor="val_loss",
        mode="min", factor=0.5, patience=0, min_delta=0.05, min_ratio=0.0,
    )  # fmt: skip
    return own


def without_times(content):
    """A checkpoint without what a clock wrote, and paths relative to the run."""
    for row in content["callbacks"]["MetricsCsv"]["rows"]:
        del row["epoch_time_s"]
    return content


def same(a, b, path="") -> None:
    """Every leaf of two checkpoints is equal."""
    if isinstance(a, dict):
        assert {str(k).rpartition("/")[2] for k in a} == {str(k).rpartition("/")[2] for k in b}, path
        for (key, x), y in zip(a.items(), b.values(), strict=True):
            same(x, y, f"{path}.{key}")
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), path
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            same(x, y, f"{path}[{i}]")
    elif isinstance(a, torch.Tensor):
        assert torch.equal(a, b), path
    elif isinstance(a, str) and "/" in a:
        assert a.rpartition("/")[2] == b.rpartition("/")[2], path
    else:
        assert a == b or (a != a and b != b), path


@pytest.mark.parametrize(
    "budget",
    [
        {"max_epochs": 8},
        {"max_epochs": None, "max_steps": 29},
        {"max_epochs": None, "max_steps": 29, "eval_every_steps": 3},
    ],
)
def test_s1_killed_at_batches_and_resumed_it_is_the_training_left_alone(tmp_path, budget):
    whole = training(tmp_path / "whole", **budget).fit()
    for batch in (0, 13, 14, 31, 47):
        with pytest.raises(Killed):
            training(tmp_path / "killed", kill_at=batch, **budget).fit()
    killed = training(tmp_path / "killed", **budget).fit()
    names = sorted(path.name for path in whole.last.parent.iterdir())
    assert names == sorted(path.name for path in killed.last.parent.iterdir()) and len(names) == 4
    for name in names:
        first, second = (without_times(checkpoint.load(t.last.parent / name)) for t in (whole, killed))
        for content in (first, second):
            del content["loops"]  # Lightning's counters differ by what it has begun; ours are global_step and epoch
        same(first, second, name)
    rows = []
    for t in (whole, killed):
        with (t.folder / "metrics.csv").open() as file:
            rows.append([{k: v for k, v in row.items() if k != "epoch_time_s"} for row in csv.DictReader(file)])
    assert rows[0] == rows[1]
    assert checkpoint.load(whole.last)["callbacks"]["Freeze"]["fired"]  # the story had an event to get wrong
    assert len({row["lr"] for row in rows[0]}) > 3


@pytest.mark.parametrize("every", [None, 3])
def test_a_training_with_loader_processes_goes_on_with_the_right_clips(tmp_path, every):
    """They are asked for batches before Lightning names the round; those of round 0 came again."""
    budget = {"max_epochs": 3, "eval_every_steps": every}
    whole = training(tmp_path / "whole", **budget).fit()
    with pytest.raises(Killed):
        training(tmp_path / "killed", kill_at=8, num_workers=1, **budget).fit()
    killed = training(tmp_path / "killed", num_workers=1, **budget).fit()
    first, second = (t.weights() for t in (whole, killed))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_s1_zero_workers_means_none(tmp_path):
    """As run=classify builds its loader."""
    import numpy as np
    from small_training import Vectors

    from sign_recog.data.datamodule import build_loader

    data = Vectors(5)
    data.sequences = type("Sequences", (), {"lengths": np.ones(5)})
    loader = build_loader(data, batch_size=2, seed=1, shuffle=True, bucketing=True, num_workers=0)
    assert loader.num_workers == 0 and not loader.persistent_workers


def test_s1_resume_keeps_patience(tmp_path):
    """S1 began to count again: a run that was often killed never stopped. No later evaluation is 10 lower here."""
    stop = {"max_epochs": 20, "early_stopping__patience": 3, "early_stopping__min_delta": 10.0}
    for batch in (8, 14):  # 6 batches an epoch: the first is evaluated, then the second
        with pytest.raises(Killed):
            SmallTraining(
                tmp_path, trainer_settings(**stop), make_callbacks=lambda network, at=batch: [KillAt(at)]
            ).fit()
    SmallTraining(tmp_path, trainer_settings(**stop)).fit()
    with (tmp_path / "metrics.csv").open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2", "3", "4"]


def test_the_gradient_is_clipped_to_its_norm(tmp_path):
    """One step of plain gradient descent at rate 1 moves the weights by the norm of the gradient, at most the limit."""
    moves = {}
    for limit in (None, 100.0, 0.01):
        settings = trainer_settings(max_epochs=None, max_steps=1, accumulate=2, gradient_clip=limit)
        training = SmallTraining(tmp_path / str(limit), settings, lr=1.0, sgd=True)
        before = {name: value.clone() for name, value in training.network.named_parameters()}
        training.fit()
        changes = [(value - before[name]).flatten() for name, value in training.network.named_parameters()]
        moves[limit] = torch.cat(changes).norm().item()
    assert moves[None] == moves[100.0] > 0.1 and moves[0.01] == pytest.approx(0.01, rel=1e-3)


def test_a_metric_that_is_no_number_is_an_evaluation_without_improvement(tmp_path):
    """Lightning would stop there without a word, and a repeated command train one more epoch each time."""
    training = SmallTraining(tmp_path, trainer_settings(max_epochs=9, early_stopping__patience=2))
    training.module.on_validation_epoch_end = lambda: training.module._log({"val_loss": torch.tensor(float("nan"))})
    training.fit()
    with (tmp_path / "metrics.csv").open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2"]
