"""From the words of a command to the runs that it means, each checked before it waits a night for its turn."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sign_recog.queue.entries import Entry, Plan, QueueError

ROOT = Path(__file__).parents[2]
CONF_DIR = ROOT / "conf"
PROGRAM = (sys.executable, str(ROOT / "run.py"))
# What a run takes along of the environment in which it was added; CUDA_VISIBLE_DEVICES is the worker's to give.
_KEPT = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV", "LANG", "TMPDIR")
_KEPT_PREFIXES = ("SIGN_RECOG_", "WANDB_", "CUDA_", "CUBLAS_", "NCCL_", "TORCH", "PYTORCH_", "HF_", "OMP_", "MKL_")
_GIVEN = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True)
class Checked:
    """A run that composes, and why it would be for nothing ("" = it would not)."""

    plan: Plan
    needless: str
    sweep: Path
    skip_existing: bool


def checked(arguments: Sequence[str], *, local: bool = True) -> list[Checked]:
    """Compose every run that ``arguments`` mean; those that need several become one each, as with ``--multirun``.

    Args:
        local: Whether they are to run on this machine.

    Raises:
        ConfigError: Listing what is wrong with any of them.
    """
    from sign_recog import config
    from sign_recog.config.preflight import jobs_of
    from sign_recog.config.shorthand import expand
    from sign_recog.config.validate import config_error

    config.register_schemas()
    problems: list[str] = []
    found: list[tuple[tuple[str, ...], Any]] = []
    for own, job in _jobs(expand(list(arguments), CONF_DIR)):
        problems += job.problems
        if job.config is None or job.problems:
            continue
        alone = [a for a in own if not (job.swept_by_file and a.startswith("+sweep="))] + job.from_file
        found.append((tuple(alone), job.config))
        if job.swept_by_file and [other.config for other in jobs_of(alone, CONF_DIR)] != [job.config]:
            problems.append("The file of conf/sweep sets more than what it runs over. Add its runs one by one.")
    problems += [problem for _, cfg in found for problem in _unfit(cfg, local)]
    if problems:
        raise config_error(list(dict.fromkeys(problems)))
    commit, known = _git_commit(), {}  # type: ignore[var-annotated]
    return [_checked(alone, cfg, commit, known) for alone, cfg in found]


def _jobs(arguments: list[str]) -> list[tuple[list[str], Any]]:
    """Arguments and composition of each job, in the order in which Hydra would run them."""
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    from sign_recog.config.preflight import jobs_of
    from sign_recog.errors import ConfigError

    try:
        parsed = OverridesParser.create().parse_overrides(arguments)
        swept = [override.key_or_group for override in parsed if override.is_sweep_override()]
        (split,) = BasicSweeper.split_arguments(parsed, None) if swept else ([arguments],)
    except HydraException as error:
        raise ConfigError(f"{error}\nWrite settings as key=value; quote what the shell would split.") from error
    if not any((CONF_DIR / key).is_dir() for key in swept):  # then all are composed at once, in the same order
        jobs = list(jobs_of(arguments, CONF_DIR))
        if len(jobs) == len(split):
            return [(list(own), job) for own, job in zip(split, jobs, strict=True)]
    return [(list(own), job) for own in split for job in list(jobs_of(list(own), CONF_DIR))]


def _unfit(config: Any, local: bool) -> Iterator[str]:
    if config.dry_run:
        yield "dry_run=true: there is nothing to run. Leave it out."
    if local and config.launcher.cluster.value != "local":
        yield (
            f"launcher.cluster={config.launcher.cluster.value}: a run of this machine's queue runs here, one at a time "
            "on a GPU. Leave it out; on a cluster, `queue --slurm add`."
        )


def _checked(alone: tuple[str, ...], config: Any, commit: str | None, known: dict[str, Any]) -> Checked:
    training = config.run.training()
    run_dir = Path(config.paths.run_dir).absolute()
    key = f"{run_dir}" if training is not None else f"{run_dir} {json.dumps(sorted(alone))} in {Path.cwd()}"
    devices = config.trainer.devices
    plan = Plan(
        arguments=alone,
        run_dir=run_dir,
        key=key,
        program=PROGRAM,
        folder=Path.cwd(),
        environment=kept_environment(),
        git_commit=commit,
        devices=int(devices) if training is not None and str(devices) != "auto" else 1,
    )
    sweep = Path(config.paths.output_root) / config.name
    needless = "" if training is None or training.force else _needless(config, known)
    return Checked(plan, needless, sweep, training is not None and training.skip_existing)


def _needless(config: Any, known: dict[str, Any]) -> str:
    """Why the training would be refused, or find nothing to do, by what lies in the folders of runs."""
    from sign_recog.stages.earlier import duplicate_message, find_trained, is_done, read_training, trainings_below
    from sign_recog.stages.run_folder import run_dir

    own = read_training(run_dir(config))
    if is_done(config, own):
        return (
            f"{own.folder} holds this run, finished, of the same settings and seed {config.seed}. Leave out what is "
            "finished with skip_existing=true, or train once more with force=true."
        )
    root = config.paths.output_root
    if root not in known:
        known[root] = trainings_below(Path(root))
    other = None if own.begun else find_trained(config, known[root])
    return "" if other is None else duplicate_message(config, other)


def without_needless(runs: Sequence[Checked], there: Sequence[Entry]) -> tuple[list[Plan], list[str]]:
    """Those to add, and what was left out because ``skip_existing=true`` asks for it.

    Args:
        there: Entries that run or are to run.

    Raises:
        QueueError: If a run would be for nothing, or twice in the queue, and does not say ``skip_existing=true``.
    """
    plans: list[Plan] = []
    left_out, refused = [], []
    for one in runs:
        title = " ".join(one.plan.arguments)
        twin = next((e for e in there if e.key == one.plan.key), None)
        why = one.needless or (f"entry {twin.id} is the same run" if twin else "")
        same = next((p for p in plans if p.key == one.plan.key), None)
        if same is not None:
            why = f"the same run as {' '.join(same.arguments)}: what differs has no effect on its result"
        if why and (one.skip_existing and same is None):
            left_out.append(f"{title}: left out; {why}")
        elif why:
            refused.append(f"{title}: {why}")
        else:
            plans.append(one.plan)
    if refused:
        refused.append("Nothing was added. skip_existing=true leaves out what is there and adds the others.")
        raise QueueError("\n".join(refused))
    return plans, left_out


def changed_arguments(arguments: Sequence[str], changes: Sequence[str], removed: Sequence[str] = ()) -> list[str]:
    """``arguments`` with those of the same key replaced, others added, and ``removed`` keys left out.

    >>> changed_arguments(["+experiment=smoke", "seed=1"], ["seed=2", "optim.lr=1e-3"])
    ['+experiment=smoke', 'seed=2', 'optim.lr=1e-3']

    Raises:
        QueueError: If a key to be left out is not there.
    """

    def key(argument: str) -> str:
        return argument.lstrip("+~").partition("=")[0]

    missing = [name for name in removed if name not in map(key, arguments)]
    if missing:
        raise QueueError(f"{', '.join(missing)} is not among: {' '.join(arguments)}.")
    found = {key(argument): argument for argument in arguments if key(argument) not in removed}
    return list((found | {key(change): change for change in changes}).values())


def kept_environment() -> dict[str, str]:
    """The variables of this environment that a run takes along."""
    return {name: value for name, value in sorted(os.environ.items()) if is_kept(name)}


def is_kept(name: str) -> bool:
    """Whether a run has this variable as it was when it was added."""
    return (name in _KEPT or name.startswith(_KEPT_PREFIXES)) and name != _GIVEN


@contextlib.contextmanager
def place_of(entry: Plan) -> Iterator[None]:
    """In the folder and the environment in which ``entry`` was added."""
    folder, before = Path.cwd(), dict(os.environ)
    if not entry.folder.is_dir():
        raise QueueError(f"{entry.folder}, the folder in which the run was added, is gone.")
    try:
        os.chdir(entry.folder)
        for name in [name for name in before if is_kept(name)]:
            del os.environ[name]
        os.environ.update(entry.environment)
        yield
    finally:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(before)


def as_of(entry: Plan, plan: Plan) -> Plan:
    """``plan``, which was made of ``entry``'s arguments in its place, with its program."""
    return replace(plan, program=entry.program)


def _git_commit() -> str | None:
    command = ["git", "-C", str(ROOT), "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None  # the code is not in a repository
