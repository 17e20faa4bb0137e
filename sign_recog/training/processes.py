"""One training over several processes of this machine, a device each.

Only the training itself runs in them. What a command does before and after it stays in one process, so a stage calls
:func:`run_in_processes` with the part that is to be shared, and goes on with its results. Every process does the whole
of that part; :func:`rank_and_size` says which share of the clips is its own.
"""

import atexit
import contextlib
import logging
import logging.handlers
import math
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from sign_recog.errors import SignRecogError
from sign_recog.storage import meeting
from sign_recog.training.signals import OF_THE_PARENT, signals_blocked, sigterm_exits

T = TypeVar("T")

_LONG = timedelta(days=7)  # nobody hangs unseen: the parent ends all where one has died
_OTHERS_S = 3.0  # how long to wait for the cause, when one process fails because another has
_EXIT_S = 600.0  # for what runs at the end of a process, as sending a logger's last numbers

_store: dist.Store | None = None  # of this process's group


def rank_and_size() -> tuple[int, int]:
    """This process's number, from 0, and of how many; (0, 1) where a training has one process."""
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


def gathered(own: T) -> list[T]:
    """What every process gave, in the order of ranks; all must call this, with something small."""
    size = rank_and_size()[1]
    if size == 1:
        return [own]
    found: list[Any] = [None] * size
    dist.all_gather_object(found, own)
    return found


def use_threads(number: int | None) -> None:
    """Let torch compute with ``number`` threads; None = its choice, which is made for one process, in equal shares."""
    size = rank_and_size()[1]
    if number is None and size > 1:
        number = max(1, torch.get_num_threads() // size)
    if number is not None:
        torch.set_num_threads(number)
    if size > 1:
        os.environ["OMP_NUM_THREADS"] = f"{number}"  # or Lightning makes a choice of its own


@contextlib.contextmanager
def rank_zero_first() -> Iterator[None]:
    """Let rank 0 do the block before the others, who then find the files it has written."""
    rank = rank_and_size()[0]
    if rank and _store is not None:
        _store.wait(["rank 0 was here"], _LONG)
    yield
    if not rank and _store is not None:
        _store.set("rank 0 was here", "")


def run_in_processes(work: Callable[[], T], size: int, *, cuda: bool) -> list[T]:
    """Call ``work`` in ``size`` new processes of each machine, which form a group; return what each of this one's gave.

    Rank 0's log goes on in this process's; the other ranks are silent. When one fails, all are ended.

    Args:
        work: Is pickled, and so is what it returns.
        cuda: Whether each process has the GPU of its number on its machine, and the group uses NCCL; else Gloo.

    Raises:
        SignRecogError: What a process raised, or that one has died.
        SystemExit: After Ctrl-C or SIGTERM, when all have ended.
    """
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    pickled = pickle.dumps(work)
    if meeting.num_nodes() > 1:
        store.set("work", pickled)  # type: ignore[arg-type]  # takes bytes too
        meeting.invite(store.port, size, cuda)
    with sigterm_exits():
        try:
            return _run_group(_Group("127.0.0.1", store.port, 0, size, meeting.num_nodes(), cuda), pickled)
        except KeyboardInterrupt as error:
            raise SystemExit(128 + signal.SIGINT) from error


def take_part(invitation: meeting.Invitation, node: int) -> None:
    """What machine ``node``, counted from 0, does in a training that the first one has called to."""
    store = dist.TCPStore(invitation.host, invitation.port, is_master=False)
    size, num_nodes = invitation.size, meeting.num_nodes()
    _run_group(_Group(invitation.host, invitation.port, node, size, num_nodes, invitation.cuda), store.get("work"))


@dataclass(frozen=True)
class _Group:
    """All processes of a training, and which are this machine's."""

    host: str
    port: int
    node: int
    local_size: int
    num_nodes: int
    cuda: bool

    @property
    def size(self) -> int:
        return self.local_size * self.num_nodes


def _run_group(group: _Group, work: bytes) -> list[Any]:
    members: list[_Member] = []
    try:
        for local_rank in range(group.local_size):
            members.append(_Member(group, local_rank, work))
            members[-1].start()  # after that, so that a signal amid it leaves no process that nobody ends
        return _results(members)
    finally:
        for member in members:
            member.stop()


class _Member:
    """A process as its parent sees it; ``outcome`` is None until it has sent one or died."""

    def __init__(self, group: _Group, local_rank: int, work: bytes):
        context = multiprocessing.get_context("spawn")  # neither CUDA nor native threads survive a fork
        self.name = f"Training process {group.node * group.local_size + local_rank + 1} of {group.size}"
        self.connection, far_end = context.Pipe()
        here = (logging.getLogger().level, multiprocessing.get_start_method())
        self.process = context.Process(target=_live, args=(group, local_rank, work, far_end, here))
        self._far_end = far_end
        self.outcome: tuple[str, Any] | None = None
        self.ended = math.inf  # when, by its own account

    def start(self) -> None:
        with _quiet_torch(), signals_blocked():
            self.process.start()
        self._far_end.close()  # so that reading fails when the process, the only holder, is gone

    def hear(self) -> None:
        try:
            kind, content, when = pickle.loads(self.connection.recv_bytes())
        except (EOFError, OSError):
            self.process.join()
            self.outcome = ("died", self.process.exitcode or 0)
            return
        if kind == "log":
            logging.getLogger(content.name).handle(content)
        else:
            self.outcome, self.ended = (kind, content), when

    def stop(self) -> None:
        if self.process.pid is None:
            return  # a signal came before it was started
        if self.outcome is not None and self.outcome[0] == "done":
            self.process.join(_EXIT_S)
        if self.process.is_alive():
            self.process.kill()  # what it writes appears whole or not at all
        self.process.join()
        self.connection.close()


def _results(members: list[_Member]) -> list[Any]:
    """Listen until all are done, or one has failed."""
    while waiting := [m for m in members if m.outcome is None]:
        failed = [m for m in members if m.outcome is not None and m.outcome[0] != "done"]
        # The others of a failed process fail too, at their next exchange; the cause may be theirs.
        known = any(m.outcome is not None and m.outcome[0] == "error" for m in failed)
        heard = wait([m.connection for m in waiting], _OTHERS_S if failed else None)
        if known or (failed and not heard):
            break
        for member in waiting:
            if member.connection in heard:
                member.hear()
    outcomes = [(m.name, *m.outcome) for m in sorted(members, key=lambda m: m.ended) if m.outcome is not None]
    for _, kind, content in outcomes:
        if kind == "error":
            raise content
    for name, kind, content in outcomes:
        if kind == "died":
            how = f"was killed by {signal.Signals(-content).name}" if content < 0 else f"ended with code {content}"
            memory = " Often the system is short of memory then: use fewer trainer.devices." if content == -9 else ""
            raise SignRecogError(f"{name} {how}, so all were ended.{memory} The same command goes on from last.ckpt.")
    for name, kind, content in outcomes:
        if kind == "failed":
            raise RuntimeError(f"{name} failed:\n{content}")
    return [m.outcome[1] for m in members if m.outcome is not None]


@contextlib.contextmanager
def _quiet_torch() -> Iterator[None]:
    """Processes started here say no C++ warnings: of what SharedSteps looks for, torch says that it costs time."""
    name = "TORCH_CPP_LOG_LEVEL"
    given = os.environ.get(name)
    os.environ.setdefault(name, "ERROR")
    try:
        yield
    finally:
        if given is None:
            del os.environ[name]


def _live(group: _Group, local_rank: int, work: bytes, connection: Connection, parents: tuple[int, str]) -> None:
    """A process's life: join the group, do the work, say how it went."""
    # Both signals reach the whole group of processes; the parent alone decides. Lightning's own handler of SIGTERM
    # talks to the other processes amid whatever they are saying, so the signal is kept from it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, OF_THE_PARENT)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    level, start_method = parents
    multiprocessing.set_start_method(start_method, force=True)  # a spawned process would spawn its loader processes
    rank = group.node * group.local_size + local_rank
    _speak(rank, connection, level)
    # Lightning reads these when it is imported, and takes them for those of a process that was started for it.
    names = {"RANK": rank, "LOCAL_RANK": local_rank, "NODE_RANK": group.node, "WORLD_SIZE": group.size}
    os.environ |= {name: f"{value}" for name, value in names.items()}
    try:
        _join(group, rank, local_rank)
        outcome: tuple[str, Any] = ("done", pickle.loads(work)())
        dist.barrier()  # rank 0 may still be writing what the others' end would cut short
        dist.destroy_process_group()
    except SignRecogError as error:
        outcome = ("error", error)
    except BaseException:
        outcome = ("failed", traceback.format_exc())
    _send(connection, *outcome)
    if outcome[0] == "done":
        atexit._run_exitfuncs()  # which multiprocessing leaves out, and loggers end their runs by


def _send(connection: Connection, kind: str, content: Any) -> None:
    """As plain bytes: torch would have a connection's tensors fetched from this process, which may have ended."""
    connection.send_bytes(pickle.dumps((kind, content, time.time())))


def _join(group: _Group, rank: int, local_rank: int) -> None:
    global _store
    store = dist.TCPStore(group.host, group.port, is_master=False)
    _store = dist.PrefixStore("sign_recog", store)
    device: dict[str, Any] = {}
    if group.cuda:
        torch.cuda.set_device(local_rank)
        device["device_id"] = torch.device("cuda", local_rank)
    backend = "nccl" if group.cuda else "gloo"
    dist.init_process_group(backend, store=store, rank=rank, world_size=group.size, timeout=_LONG, **device)


def _end_with_parent() -> None:
    """A killed parent cannot end its children, so they watch it."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _speak(rank: int, connection: Connection, level: int) -> None:
    """Rank 0's log goes to the parent; what the others have to say would be the same once more."""
    root = logging.getLogger()
    root.setLevel(level)
    root.addHandler(_ToParent(connection) if rank == 0 else logging.NullHandler())
    if rank:
        warnings.simplefilter("ignore")
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115


class _ToParent(logging.handlers.QueueHandler):
    """Sends records over a connection."""

    def __init__(self, connection: Connection):
        super().__init__(None)  # type: ignore[arg-type]
        self._connection = connection

    def enqueue(self, record: logging.LogRecord) -> None:
        _send(self._connection, "log", record)
