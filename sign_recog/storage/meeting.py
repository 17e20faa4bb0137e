"""Several machines that share one training: how they find one another.

The first machine does all that a command does, and calls for the others where the training itself begins; they wait for
that call and start processes of their own. They meet in a folder that all of them see, in which an invitation appears
for each training, and ``over`` when there will be none any more. Where each machine has one process, SLURM's task of
that machine (launch/task.py), these variables say so: ``SIGN_RECOG_NODES``, of how many machines, and
``SIGN_RECOG_MEETING``, the folder.
"""

import dataclasses
import json
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from sign_recog.storage import atomic

NODES, MEETING = "SIGN_RECOG_NODES", "SIGN_RECOG_MEETING"
_PAUSE_S = 0.5


@dataclass(frozen=True)
class Invitation:
    """Where the processes of a training meet.

    Attributes:
        host, port: Of the store that the first machine keeps; it holds the work under "work".
        size: Processes of each machine.
        cuda: Whether each has a GPU.
    """

    host: str
    port: int
    size: int
    cuda: bool


def num_nodes() -> int:
    """Machines that share the training; 1 unless a cluster's job says otherwise."""
    return int(os.environ.get(NODES, "1"))


def invite(port: int, size: int, cuda: bool) -> None:
    """Call the other machines to a training."""
    folder = Path(os.environ[MEETING])
    host = os.environ.get("SLURMD_NODENAME") or socket.gethostname()
    number = len(list(folder.glob("training*.json")))
    atomic.write_json(folder / f"training{number}.json", dataclasses.asdict(Invitation(host, port, size, cuda)))


def await_invitation(folder: Path, number: int) -> Invitation | None:
    """The invitation to training ``number``, counted from 0, whenever it comes; None = there will be no more."""
    path = folder / f"training{number}.json"
    while not path.exists():
        if (folder / "over").exists():
            return None
        time.sleep(_PAUSE_S)
    return Invitation(**json.loads(path.read_text(encoding="utf-8")))
