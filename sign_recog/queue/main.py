"""``python run.py queue WORD ...``: the queue's command line."""

import argparse
import logging
import shutil
import sqlite3
import sys
from pathlib import Path
from typing import Any, NoReturn

from sign_recog.errors import SignRecogError
from sign_recog.queue.entries import FILE, STATES, QueueError

_EXAMPLE = "+experiment=wlasl100_s3d seed=1,2 evaluation=full"
_ABOUT = f"""A queue of runs for this machine, one run a GPU.

  python run.py queue add {_EXAMPLE}   an entry a seed: train, then full test
  python run.py queue start                                                  work through the queue in the background
  python run.py queue list                                                   what runs, waits, is done or has failed

Where a SLURM controller answers, the same words act on the cluster's queue, unless --local is given."""
_FLAGS = ("--top", "--multirun", "-m")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise QueueError(f"{message}\n{self.format_usage().strip()}")


def main(arguments: list[str]) -> int:
    """Do what ``arguments`` say; return the exit code."""
    logging.basicConfig(level=logging.INFO, format="[%(asctime)s] %(message)s", stream=sys.stdout)
    try:
        options = _parser().parse_args(_flags_first(arguments))
        if options.word == "add" and not options.settings:
            raise QueueError(f"queue add: nothing to add. Say what to run: python run.py queue add {_EXAMPLE}")
        return int(getattr(_queue(options), options.word)(options))
    except (SignRecogError, sqlite3.Error, OSError) as error:
        kind = "" if isinstance(error, SignRecogError) else f"{type(error).__name__}: "
        print(f"{kind}{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _flags_first(arguments: list[str]) -> list[str]:
    """argparse takes no settings on both sides of a flag."""
    word = next((i for i, a in enumerate(arguments) if a in ("add", "copy")), None)
    if word is None:
        return arguments
    head, tail = arguments[: word + 1], arguments[word + 1 :]
    return [*head, *(a for a in tail if a in _FLAGS), *(a for a in tail if a not in _FLAGS)]


def _queue(options: argparse.Namespace) -> Any:
    folder = Path(getattr(options, "folder", "outputs/.queue"))
    if options.slurm if hasattr(options, "slurm") else _is_on_a_cluster():
        from sign_recog.queue.slurm import SlurmQueue

        return SlurmQueue(folder)
    if options.word not in ("add", "start") and not (folder / FILE).exists():
        raise QueueError(f"{folder} holds no queue. `queue add` begins one there; --folder names another.")
    from sign_recog.queue.local import LocalQueue

    return LocalQueue(folder)


def _is_on_a_cluster() -> bool:
    """Whether a SLURM controller answers.

    Raises:
        QueueError: If there is sbatch, and none does.
    """
    if shutil.which("sbatch") is None:
        return False
    from sign_recog.queue.slurm import controller_answers

    if not controller_answers():
        raise QueueError(
            "sbatch is installed here, but no SLURM controller answers `scontrol ping`: give --local for the queue of "
            "this machine, or --slurm for SLURM's all the same."
        )
    return True


def _parser() -> argparse.ArgumentParser:
    where = _Parser(add_help=False, argument_default=argparse.SUPPRESS)
    where.add_argument("--folder", help="of the queue's files (default: outputs/.queue)")
    kind = where.add_mutually_exclusive_group()
    kind.add_argument("--slurm", dest="slurm", action="store_true", help="act on the SLURM cluster")
    kind.add_argument("--local", dest="slurm", action="store_false", help="this machine's own queue")
    parser = _Parser(
        prog="python run.py queue", description=_ABOUT, parents=[where], formatter_class=argparse.RawTextHelpFormatter
    )
    words = parser.add_subparsers(dest="word", metavar="WORD", required=True)

    def word(name: str, about: str) -> argparse.ArgumentParser:
        return words.add_parser(name, help=about, description=about, parents=[where])

    own = word("add", "add a run, or one for each comma-separated value; it is checked at once")
    own.add_argument("settings", nargs="*", help="as of `python run.py`")
    own.add_argument("--top", action="store_true", help="at the head of the queue")
    own.add_argument("--multirun", "-m", action="store_true", help="understood, and not needed")

    own = word("list", "what runs, waits, is done, has failed or was stopped")
    own.add_argument("--state", nargs="+", default=[], choices=STATES, help="only those")
    own.add_argument(
        "--match", nargs="+", default=[], metavar="TEXT", help="only those with all texts in settings or error"
    )
    own.add_argument("--sort", choices=("id", "place", "state", "added", "started", "ended"))
    own.add_argument("--reverse", action="store_true")
    own.add_argument("--last", type=int, metavar="N", help="only the last N")

    word("show", "everything about entries").add_argument("ids", nargs="+", metavar="ID")
    own = word("move", "move entries to top, bottom, or a place from 1")
    own.add_argument("ids_and_place", nargs="+", metavar="ID... PLACE")
    own = word("edit", "change settings of an entry that does not run")
    own.add_argument("id", metavar="ID")
    own.add_argument("settings", nargs="*")
    own.add_argument("--without", nargs="+", default=[], metavar="KEY", help="settings to leave out")
    own = word("copy", "add an entry's runs with other settings")
    own.add_argument("id", metavar="ID")
    own.add_argument("settings", nargs="*")
    own.add_argument("--without", nargs="+", default=[], metavar="KEY", help="settings to leave out")
    own.add_argument("--top", action="store_true", help="at the head of the queue")
    word("remove", "take entries out; run folders stay").add_argument("ids", nargs="+", metavar="ID")
    own = word("clear", "take all of a state out; run folders stay")
    own.add_argument("what", choices=("to-run", "done", "failed", "stopped", "all"))
    word("shuffle", "random order of those to run").add_argument("--seed", type=int)
    own = word("retry", "put failed and stopped entries into the queue again: those given, or all")
    own.add_argument("ids", nargs="*", metavar="ID")
    own.add_argument("--top", action="store_true", help="at the head of the queue")
    word("recover", "put runs that a power cut has ended back to the head; start does it too")

    own = word("start", "start the worker, in the background")
    own.add_argument("--foreground", action="store_true", help="stay here; Ctrl-C stops it as `stop --now`")
    own.add_argument("--gpus", metavar="0,1", help="use these; none = no GPU (default: all of nvidia-smi)")
    own.add_argument(
        "--free-below", type=float, default=1.0, metavar="GB", help="a GPU with less memory in use is free (1.0)"
    )
    own.add_argument(
        "--looks", type=int, default=5, metavar="N", help="looks that must find it free; 0 = do not look (5)"
    )
    own.add_argument("--pause", type=float, default=60.0, metavar="S", help="seconds between looks (60)")
    own.add_argument(
        "--grace", type=float, default=120.0, metavar="S", help="seconds a run has to end when stopped (120)"
    )
    own.add_argument("--stop-on-failure", action="store_true", help="take no further run when one has failed")
    own.add_argument("--until-empty", action="store_true", help="end when nothing is left to run")
    own = word("stop", "stop the worker after the current run, or now; or end single runs")
    own.add_argument("ids", nargs="*", metavar="ID", help="end only these runs; the queue goes on")
    own.add_argument("--now", action="store_true", help="end what runs; it goes on when the worker is started again")
    own.add_argument("--grace", type=float, default=120.0, metavar="S", help=argparse.SUPPRESS)
    own = word("logs", "what a run has printed: the current one, the last, that of an id, or the worker")
    own.add_argument("id", nargs="?", metavar="ID|worker")
    own.add_argument("--follow", "-f", action="store_true", help="until it ends")
    own.add_argument("--lines", "-n", type=int, default=50, metavar="N")
    word("attach", "follow the current run until it ends; Ctrl-C leaves it running").add_argument(
        "id", nargs="?", metavar="ID"
    )
    return parser
