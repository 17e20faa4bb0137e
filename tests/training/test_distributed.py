"""Two processes train what one trains: the same steps, the same figures, no clip twice and none left out."""

import csv
from functools import partial
from pathlib import Path

import pytest
import torch
from small_distributed import train, train_all

from sign_recog.errors import DataError, SignRecogError
from sign_recog.storage import checkpoint
from sign_recog.training.processes import run_in_processes

STEPS = {"max_epochs": 2, "batch_size": 8}
FREEZE = {"freeze_parts": ["projection"], "freeze_until_convergence": True, "patience": 1, "lr_after_unfreeze": 0.05}
STOP = {"max_epochs": 9, "early_stopping__patience": 2, "early_stopping__min_delta": 10.0}
# 22 clips: the last group of 8 has 6, that of 7 has 1, which leaves the second process nothing. 10 val clips.
CASES: dict[str, tuple[dict, dict]] = {
    "even": ({"bucketing": True, "gradient_clip": 1.0}, {}),
    "one-clip-left": ({"batch_size": 7, "ema__enabled": True, "ema__decay": 0.5}, {}),
    "accumulated": ({"batch_size": 3, "accumulate": 2, "keep": 2}, {}),
    "steps": ({"batch_size": 4, "max_epochs": None, "max_steps": 11, "eval_every_steps": 4}, {}),
    "bf16": ({"precision": "bf16-mixed"}, {}),
    "freed": ({"max_epochs": 8}, {"freeze": FREEZE, "plateau": True, "lr": 2.0, "sgd": True}),
    "stopped": (STOP, {}),
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Case -> its folder, and what it gave in one process, in the first and in the second of two."""
    folder = tmp_path_factory.mktemp("trained")
    work = {
        size: [(folder / name / size, STEPS | settings, given) for name, (settings, given) in CASES.items()]
        for size in ("one", "two")
    }
    alone = train_all(work["one"])
    first, second = run_in_processes(partial(train_all, work["two"]), 2, cuda=False)
    return {name: (folder / name, *found) for name, *found in zip(CASES, alone, first, second, strict=True)}


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open() as file:
        return [{k: v for k, v in row.items() if k != "epoch_time_s"} for row in csv.DictReader(file)]


def close(first, second, atol=1e-5) -> bool:
    return all(torch.allclose(first[name], second[name], atol=atol, rtol=0) for name in first)


def same_figures(folder: Path) -> None:
    one, two = rows(folder / "one"), rows(folder / "two")
    assert len(one) == len(two) > 0
    for first, second in zip(one, two, strict=True):
        assert first.keys() == second.keys()
        for name in first:
            if first[name]:
                assert float(first[name]) == pytest.approx(float(second[name]), abs=2e-5), name


@pytest.mark.parametrize("case", CASES)
def test_two_processes_make_the_steps_of_one(trained, case):
    folder, alone, first, second = trained[case]
    rounded = case == "bf16"  # of a process's gradient, before the mean over both
    atol = 2e-3 if rounded else 1e-4 if case == "freed" else 1e-5
    assert close(alone["weights"], first["weights"], atol)
    assert all(torch.equal(first["weights"][name], second["weights"][name]) for name in first["weights"])
    assert first["metrics"] == second["metrics"]
    one, two = rows(folder / "one"), rows(folder / "two")
    for a, b in zip(one, two, strict=True):
        assert a.keys() == b.keys()
        for name in a:
            if a[name]:
                assert float(a[name]) == pytest.approx(float(b[name]), abs=2e-2 if rounded else 5e-5), name
    names = {f: sorted(path.name for path in (folder / f / "checkpoints").iterdir()) for f in ("one", "two")}
    assert names["one"] == names["two"]
    for name in names["one"]:
        contents = [checkpoint.load(folder / f / "checkpoints" / name) for f in ("one", "two")]
        assert contents[0]["global_step"] == contents[1]["global_step"]
        assert close(contents[0]["state_dict"], contents[1]["state_dict"], atol)


@pytest.mark.parametrize("case", CASES)
def test_the_clips_of_a_step_are_shared_and_their_dropout_differs(trained, case):
    _, alone, first, second = trained[case]
    for one, a, b in zip(alone["seen"], first["seen"], second["seen"], strict=True):
        assert one[:2] == a[:2] == b[:2]
        assert sorted(one[2]) == sorted([*a[2], *(b[2] if len(one[2]) > 1 else [])])
    assert first["masks"] == alone["masks"] and set(first["masks"]).isdisjoint(second["masks"])


def test_the_cases_have_what_they_are_for(trained):
    """A part freed on the way, which torch would leave out of what processes average; an early end; a plateau."""
    last = {name: checkpoint.load(found[0] / "two/checkpoints/last.ckpt") for name, found in trained.items()}
    assert last["freed"]["callbacks"]["Freeze"]["fired"]
    assert len({row["lr"] for row in rows(trained["freed"][0] / "two")}) > 2
    assert [row["epoch"] for row in rows(trained["stopped"][0] / "two")] == ["1", "2", "3"]
    assert 1 in {len(clips) for _, _, clips in trained["one-clip-left"][1]["seen"]}


def test_s1_killed_and_resumed_two_processes_end_in_the_same_weights(tmp_path):
    """With BatchNorm, dropout and loader processes; the first process to die takes the others with it."""
    settings, given = {"max_epochs": 3, "batch_size": 8, "ema__enabled": True}, {"noisy": True, "num_workers": 1}
    with pytest.raises(SignRecogError, match=r"Training process 2 of 2 was killed by SIGKILL"):
        run_in_processes(partial(train, tmp_path / "killed", settings, given, event="killed"), 2, cuda=False)
    assert [row["epoch"] for row in rows(tmp_path / "killed")] == ["1"]
    cases = [(tmp_path / "whole", settings, given | {"num_workers": 0}), (tmp_path / "killed", settings, given)]
    (whole, killed), (_, other) = run_in_processes(partial(train_all, cases), 2, cuda=False)
    assert all(torch.equal(whole["weights"][name], killed["weights"][name]) for name in whole["weights"])
    learnt = [name for name in whole["weights"] if "running" not in name]  # rank 0's running statistics are kept
    assert all(torch.equal(other["weights"][name], killed["weights"][name]) for name in learnt)
    assert rows(tmp_path / "whole") == rows(tmp_path / "killed")


def test_a_loss_that_is_no_number_in_one_process_names_its_clips(tmp_path):
    alone = train(tmp_path / "one", STEPS, {})
    with pytest.raises(DataError, match=r"The loss is nan in epoch 1, batch 3, with the clips (.*)\. Check") as caught:
        run_in_processes(partial(train, tmp_path / "two", STEPS, {}, event="nan"), 2, cuda=False)
    named = str(caught.value).partition("with the clips ")[2].partition(". Check")[0].split(", ")
    batch = next(clips for epoch, number, clips in alone["seen"] if (epoch, number) == (0, 2))
    assert named == batch[1::2]
