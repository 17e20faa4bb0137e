"""The queue as a whole: a real training in it, and what S2's queue got wrong."""

import csv
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TINY, load_config, write_tiny_corpus
from small_queue import ROOT, ask, environment, plan, start, states, until

from sign_recog.queue import processes
from sign_recog.queue.entries import CURRENT, DONE, STOPPED
from sign_recog.queue.local import LocalQueue
from sign_recog.queue.main import _flags_first, _parser
from sign_recog.queue.slurm import SlurmQueue
from sign_recog.queue.store import Store
from sign_recog.queue.worker import working

TRAINING = (*TINY, "run.steps=[classify,evaluate]", "seed=1", "trainer.max_epochs=2", "trainer.num_workers=0")


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "queue")


def results(folder: Path) -> tuple[list[dict[str, str]], str, bytes]:
    """What a training learnt: its numbers, its scores, its predictions."""
    (run,) = folder.glob("outputs/tiny/*/seed1")
    with (run / "metrics.csv").open() as file:
        rows = [{k: v for k, v in row.items() if "second" not in k and "time" not in k} for row in csv.DictReader(file)]
    return rows, (run / "predictions.csv").read_text(), weights(run / "checkpoints/last.ckpt")


def weights(path: Path) -> bytes:
    import torch

    state = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    return b"".join(value.numpy().tobytes() for _, value in sorted(state.items()))


@pytest.mark.slow
def test_s2_a_run_in_the_queue_equals_the_run_by_hand_without_wandb(tmp_path):
    """S2's queue changed the random numbers of its runs, and needed Weights & Biases."""
    paths = {}
    for how in ("queue", "hand"):
        paths[how] = tmp_path / how
        paths[how].mkdir()
        write_tiny_corpus(load_config(*TINY, f"paths.data_root={paths[how] / 'data'}"))
    assert not [name for name in os.environ if name.startswith("WANDB")]
    ask(paths["queue"], "add", *TRAINING)
    worker = start(paths["queue"], "--until-empty", "--gpus", "none")
    command = [sys.executable, str(ROOT / "run.py"), *TRAINING]
    subprocess.run(command, cwd=paths["hand"], env=environment(), check=True, capture_output=True)
    out, _ = worker.communicate(timeout=120)
    assert worker.returncode == 0, out
    assert states(Store(paths["queue"] / "queue")).popitem()[1] == DONE
    assert results(paths["queue"]) == results(paths["hand"])
    assert "finished, of the same settings" in ask(paths["queue"], "add", *TRAINING, code=1)
    assert "left out" in ask(paths["queue"], "add", *TRAINING, "skip_existing=true")


@pytest.mark.slow
def test_a_training_that_is_stopped_says_so_and_goes_on_in_its_folder(tmp_path):
    write_tiny_corpus(load_config(*TINY, f"paths.data_root={tmp_path / 'data'}"))
    ask(tmp_path, "add", *TINY, "run=classify", "trainer.max_epochs=100000", "trainer.num_workers=0")
    store = Store(tmp_path / "queue")
    worker = start(tmp_path)
    until(lambda: list(tmp_path.glob("outputs/tiny/*/seed1/checkpoints/last.ckpt")), seconds=120)
    ask(tmp_path, "stop", "1")
    until(lambda: store.entry(1).state == STOPPED, seconds=60)
    assert "Training was stopped" in store.entry(1).error and working(store)
    assert "goes on" in store.entry(1).error
    ask(tmp_path, "retry", "1")
    until(lambda: store.entry(1).state == CURRENT and store.entry(1).starts == 2)
    table = next(tmp_path.glob("outputs/tiny/*/seed1/metrics.csv"))
    before = len(epochs(table))
    until(lambda: len(epochs(table)) > before + 1, seconds=60)
    ask(tmp_path, "stop", "--now")
    assert worker.wait(timeout=60) == 0 and store.entry(1).place == 1
    assert epochs(table) == list(range(1, len(epochs(table)) + 1))  # it went on, and did not begin again


def epochs(table: Path) -> list[int]:
    with table.open() as file:
        return [int(row["epoch"]) for row in csv.DictReader(file)]


def test_s2_filters_are_text_and_never_evaluated(tmp_path, store):
    store.add([plan("true", tmp_path, name="a"), plan("true", tmp_path, name="__import__('os')")])
    out = ask(tmp_path, "list", "--match", f"__import__('os').system('touch {tmp_path}/evaluated')")
    assert not (tmp_path / "evaluated").exists() and "true" not in out
    assert "__import__('os')" in ask(tmp_path, "list", "--match", "__import__('os')", "TRUE")


def test_s2_nothing_listens_on_the_network_and_there_is_no_key(tmp_path, store):
    worker = start(tmp_path)
    until(lambda: working(store))
    opened = [path.readlink() for path in Path(f"/proc/{worker.pid}/fd").iterdir() if path.is_symlink()]
    assert not [path for path in opened if "socket" in str(path)]
    assert processes.is_alive(store.worker().process)
    ask(tmp_path, "stop")
    worker.communicate(timeout=20)
    names = {path.name for path in store.folder.iterdir()}
    assert names <= {"queue.sqlite", "queue.sqlite-wal", "queue.sqlite-shm", ".lock"}


def test_the_help_of_the_program_names_the_queue():
    done = subprocess.run([sys.executable, "run.py", "--help"], capture_output=True, text=True, cwd=ROOT, check=True)
    assert "queue --help" in done.stdout


def documented() -> list[str]:
    """Every line of docs/queue_runs.md that is a use of the queue."""
    text = (ROOT / "docs/queue_runs.md").read_text()
    found = re.findall(r"run\.py queue (\w[^`\n]+)", text)
    for row in re.findall(r"^\|.*\|(.*)\|$", text, re.M):
        found += [line for line in re.findall(r"`([^`]+)`", row) if not line.startswith("python")]
    return found + re.findall(r"`(start [^`]+)`", text)


@pytest.mark.parametrize("line", documented())
def test_the_queue_understands_what_its_page_says(line):
    options = _parser().parse_args(_flags_first(shlex.split(line)))
    assert callable(getattr(LocalQueue, options.word)) and callable(getattr(SlurmQueue, options.word))


def test_the_page_is_read():
    assert len(documented()) > 25
