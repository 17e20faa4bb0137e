"""Learning rates at their landmarks, and against torch's own schedules."""

import itertools
import math

import pytest
import torch
from torch.optim import lr_scheduler

from sign_recog.errors import ConfigError
from sign_recog.training import schedulers
from sign_recog.training.schedulers import constant, cosine, multistep, plateau, warm_restarts, warmup_cosine

PEAK, IN_EPOCH = 2.0, 10


def optimizer_of(*rates: float) -> torch.optim.Optimizer:
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in rates]
    return torch.optim.SGD(groups, lr=1.0)


def rates(build, length: int, **settings) -> list[float]:
    """The rate of every step of so many epochs."""
    optimizer = optimizer_of(PEAK)
    scheduler = build(optimizer, total_steps=length * IN_EPOCH, steps_per_epoch=IN_EPOCH, **settings)
    found = []
    for _ in range(length * IN_EPOCH):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


def torchs(build, epochs: int) -> list[float]:
    """The rate of every epoch under a schedule of torch's that is stepped once an epoch."""
    optimizer = optimizer_of(PEAK)
    scheduler = build(optimizer)
    found = []
    for _ in range(epochs):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


SHAPES = {
    constant: {},
    cosine: {"epochs": None, "min_ratio": 0.1},
    warm_restarts: {"T_0": 3, "T_mult": 2, "min_ratio": 0.1},
    multistep: {"milestones": [2, 5], "gamma": 0.1},
}


def test_warm_up_is_linear_and_the_rest_half_a_cosine():
    """The numbers of the first version, which experiments rest on."""
    found = rates(warmup_cosine, 10, warmup_share=0.1, warmup_epochs=None, min_ratio=0.01)
    assert found[:10] == pytest.approx([0.2 * (i + 1) for i in range(10)])
    assert found[10] == pytest.approx(2.0)
    middle = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * 45 / 90))
    assert found[55] == pytest.approx(2 * middle)
    assert found[-1] < 0.025 and all(a >= b for a, b in itertools.pairwise(found[10:]))


def test_warm_up_cosine_takes_epochs_in_place_of_a_share():
    settings = {"warmup_share": 0.1, "min_ratio": 0.01}
    assert rates(warmup_cosine, 10, warmup_epochs=3, **settings) == pytest.approx(
        rates(cosine, 10, warmup_epochs=3, epochs=None, min_ratio=0.01)
    )


@pytest.mark.parametrize("build", SHAPES)
def test_every_schedule_can_warm_up_and_then_runs_its_course(build):
    found = rates(build, 10, warmup_epochs=2.5, **SHAPES[build])
    assert found[:25] == pytest.approx([PEAK * (i + 1) / 25 for i in range(25)])
    if build is not cosine:  # its length is what the warm-up leaves
        assert found[25:] == pytest.approx(rates(build, 10, warmup_epochs=0, **SHAPES[build])[:75])
    assert found[25] == pytest.approx(PEAK)


@pytest.mark.parametrize("build", SHAPES)
def test_every_group_keeps_its_share(build):
    """Backbone and heads with other rates fall in step."""
    optimizer = optimizer_of(1.0, 0.1)
    scheduler = build(optimizer, total_steps=100, steps_per_epoch=10, warmup_epochs=1, **SHAPES[build])
    for _ in range(100):
        first, second = (group["lr"] for group in optimizer.param_groups)
        assert second == pytest.approx(0.1 * first)
        optimizer.step()
        scheduler.step()


def test_constant_stays():
    assert set(rates(constant, 5, warmup_epochs=0)) == {PEAK}


@pytest.mark.parametrize("epochs", [None, 4])
def test_cosine_meets_torchs_at_every_epoch(epochs):
    found = rates(cosine, 10, warmup_epochs=0, epochs=epochs, min_ratio=0.1)[::IN_EPOCH]
    expected = torchs(lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=epochs or 10, eta_min=0.1 * PEAK), 10)
    if epochs:  # torch's rises again
        expected[epochs:] = [0.1 * PEAK] * (10 - epochs)
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("growth", [1, 2, 3])
def test_warm_restarts_meet_torchs_at_every_epoch(growth):
    found = rates(warm_restarts, 20, warmup_epochs=0, T_0=3, T_mult=growth, min_ratio=0.1)[::IN_EPOCH]
    build = lr_scheduler.CosineAnnealingWarmRestarts
    assert found == pytest.approx(torchs(lambda o: build(o, T_0=3, T_mult=growth, eta_min=0.1 * PEAK), 20))


def test_multistep_meets_torchs_at_every_epoch_and_changes_only_there():
    found = rates(multistep, 10, warmup_epochs=0, milestones=[7, 3], gamma=0.5)
    assert found[::IN_EPOCH] == pytest.approx(torchs(lambda o: lr_scheduler.MultiStepLR(o, [3, 7], gamma=0.5), 10))
    assert [i for i in range(1, 100) if found[i] != found[i - 1]] == [30, 70]


PLATEAU = {"monitor": "val_loss", "mode": "min", "factor": 0.5, "patience": 1, "min_delta": 0.0, "min_ratio": 0.2}


def run_plateau(losses: list[float], *, stop: int | None = None, state=None, optimizer=None, start: int = 0, **changed):
    """Rates at the start of each epoch, and the scheduler; ``stop`` and ``state`` to break off and go on."""
    optimizer = optimizer or optimizer_of(PEAK, PEAK / 10)
    settings = {"warmup_epochs": 0.0} | PLATEAU | changed
    scheduler = plateau(optimizer, total_steps=0, steps_per_epoch=IN_EPOCH, **settings)
    if state is not None:
        optimizer.load_state_dict(state[0])
        scheduler.load_state_dict(state[1])
    found = []
    for loss in losses[start:stop]:
        found.append(optimizer.param_groups[0]["lr"])
        for _ in range(IN_EPOCH):
            optimizer.step()
            scheduler.step()
        scheduler.step_evaluation({"val_loss": torch.tensor(loss), "val_gloss_acc": torch.tensor(-loss)})
    return found, optimizer, scheduler


LOSSES = [5.0, 4.0, 4.5, 4.5, 4.5, 4.5, 3.0, 3.5, 3.5, 3.5, 3.5, 3.5, 3.5]


def test_plateau_without_warm_up_is_torchs():
    optimizer = optimizer_of(PEAK)
    reference = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1, threshold=0, min_lr=0.2 * PEAK)
    expected = []
    for loss in LOSSES:
        expected.append(optimizer.param_groups[0]["lr"])
        reference.step(loss)
    assert run_plateau(LOSSES)[0] == pytest.approx(expected)
    assert min(expected) == pytest.approx(0.2 * PEAK)  # the floor was met


def test_s2_plateau_works_after_warm_up():
    """S2 put ReduceLROnPlateau into SequentialLR, which cannot step it."""
    warm, _, scheduler = run_plateau([1.0, 1.0, *LOSSES], warmup_epochs=2.0)
    assert warm[:2] == pytest.approx([PEAK / 20, PEAK * 11 / 20])
    # The second epoch ends with the warm-up, so its loss of 1.0 would be the first to count; better than all after.
    unbeaten, _, _ = run_plateau([1.0, *LOSSES])
    assert warm[2:] == pytest.approx(unbeaten[1:])
    assert isinstance(scheduler, lr_scheduler.LRScheduler) and warm[-1] < PEAK


def test_evaluations_within_the_warm_up_are_not_the_best():
    """A loss of 0 in the first epoch would otherwise make every later one a bad one."""
    falling = [0.0, 0.0, *(9.0 - i for i in range(8))]
    assert run_plateau(falling, warmup_epochs=2.5)[0][3:] == pytest.approx([PEAK] * 7)


def test_plateau_can_watch_a_rising_metric():
    found = run_plateau(LOSSES, monitor="val_gloss_acc", mode="max")[0]  # -loss
    assert found == run_plateau(LOSSES)[0]


@pytest.mark.parametrize("stop", [1, 3, 8])
def test_plateau_goes_on_where_it_was(stop):
    whole = run_plateau(LOSSES, warmup_epochs=2.0)[0]
    first, optimizer, scheduler = run_plateau(LOSSES, stop=stop, warmup_epochs=2.0)
    state = (optimizer.state_dict(), scheduler.state_dict())
    rest = run_plateau(LOSSES, start=stop, state=state, warmup_epochs=2.0)[0]
    assert first + rest == whole


def test_plateau_without_its_metric_is_refused():
    scheduler = plateau(optimizer_of(PEAK), total_steps=0, steps_per_epoch=IN_EPOCH, warmup_epochs=0, **PLATEAU)
    with pytest.raises(ConfigError, match=r"scheduler.monitor=val_loss has not been measured"):
        scheduler.step_evaluation({})


def test_every_schedule_in_the_configuration_is_tested_here():
    from sign_recog.config.schedulers import schemas

    assert set(schemas()) == {build.__name__ for build in [*SHAPES, warmup_cosine, plateau]}
    assert all(hasattr(schedulers, name) for name in schemas())
