"""Batches made ahead: the same ones, in the same order, with their errors, and no thread left behind."""

import threading
import time

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from sign_recog.data.prefetch import PrefetchLoader


class Numbers(Dataset):
    def __init__(self, bad: int | None = None, seconds: float = 0.0):
        self.bad, self.seconds, self.asked = bad, seconds, []

    def __len__(self) -> int:
        return 10

    def __getitem__(self, index: int) -> torch.Tensor:
        self.asked.append(index)
        time.sleep(self.seconds)
        if index == self.bad:
            raise ValueError("torn")
        return torch.tensor(index)


def threads() -> int:
    return sum(thread.name == "prefetch" for thread in threading.enumerate())


@pytest.mark.parametrize("num_workers", [0, 1])
def test_the_same_batches_in_the_same_order(num_workers):
    plain = [b.tolist() for b in DataLoader(Numbers(), batch_size=3)]
    ours = PrefetchLoader(Numbers(), batch_size=3, num_workers=num_workers)
    assert [b.tolist() for b in ours] == plain == [b.tolist() for b in ours]


def test_torchs_random_numbers_are_drawn_as_without_it():
    states = []
    for loader in (DataLoader, PrefetchLoader):
        torch.manual_seed(0)
        for _ in loader(Numbers(), batch_size=3, shuffle=True):
            torch.rand(2)
        states.append(torch.get_rng_state())
    assert torch.equal(*states)


def test_the_next_batch_is_made_while_this_one_is_worked_on():
    data, seconds = Numbers(seconds=0.02), []
    for _ in range(3):  # other work on the machine may slow one down
        start = time.perf_counter()
        for _ in PrefetchLoader(data, batch_size=1):
            time.sleep(0.02)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.9 * 10 * 0.04


def test_an_error_is_raised_at_its_batch():
    batches = iter(PrefetchLoader(Numbers(bad=4), batch_size=1))
    assert [next(batches).item() for _ in range(4)] == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="torn"):
        next(batches)


def test_it_does_not_run_away_and_ends_with_its_user():
    data = Numbers()
    batches = iter(PrefetchLoader(data, batch_size=1))
    next(batches)
    time.sleep(0.2)
    assert len(data.asked) <= 4
    batches.close()
    for _ in range(50):
        if not threads():
            break
        time.sleep(0.02)
    assert threads() == 0
