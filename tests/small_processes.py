"""What processes do that train nothing; apart from small_distributed.py, since Lightning takes long to import."""

import os
import time
from pathlib import Path

import torch.distributed as dist

from sign_recog.errors import DataError
from sign_recog.training.processes import gathered, rank_and_size, rank_zero_first


def ranks(folder: Path) -> tuple[tuple[int, int], list[int], bool]:
    """Rank and size, the ids of all processes, and whether rank 0 had been in a block before."""
    with rank_zero_first():
        there = (folder / "0").exists()
        time.sleep(0.2)
        (folder / str(rank_and_size()[0])).touch()
    return rank_and_size(), gathered(os.getpid()), there


def fail(kind: str) -> None:
    """Rank 1 fails while the other waits for it."""
    if rank_and_size()[0] == 1:
        raise DataError("clip7.mp4: is damaged. Take it out.") if kind == "error" else ZeroDivisionError("a bug")
    dist.barrier()


def sleep(folder: Path) -> None:
    """Leave the ids of these processes, and go on for long."""
    rank = rank_and_size()[0]
    (folder / f"{rank}.partial").write_text(str(os.getpid()))
    (folder / f"{rank}.partial").rename(folder / f"{rank}.pid")
    time.sleep(600)
