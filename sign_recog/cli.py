"""The command line: what Hydra 1.3 leaves to its caller."""

import re
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

CONF_DIR = Path(__file__).parents[1] / "conf"
_MULTIRUN = ("--multirun", "-m")
_DRY_RUN = re.compile(r"\+{0,2}dry_run=(true|yes|on|1)", re.IGNORECASE)
_DEFAULT = re.compile(r"^  (?:- (?P<group>\w+): (?P<option>\S+)|# (?P<extra>[\w/]+):)(?:  #)? (?P<line>.+)$", re.M)


def checked_arguments(arguments: list[str]) -> list[str]:
    """Return ``arguments`` as Hydra takes them, after checking the whole command.

    ``--help``, a wrong command and ``queue`` end the program here, before anything heavy is imported.
    """
    if arguments[:1] == ["queue"]:
        from sign_recog.queue.main import main as queue

        sys.exit(queue(arguments[1:]))
    if {"--help", "-h"} & set(arguments):
        print(help_text())
        sys.exit(0)
    from sign_recog.config.preflight import check_command
    from sign_recog.config.shorthand import expand
    from sign_recog.errors import ConfigError

    flags = [a for a in arguments if a.startswith("-")]
    try:
        arguments = expand(arguments, CONF_DIR)
        if set(flags) <= {*_MULTIRUN}:  # --cfg, --info and the like only look
            overrides = [a for a in arguments if not a.startswith("-")]
            if any(_DRY_RUN.fullmatch(a) for a in overrides):
                _end_with_plan(overrides, multirun=bool(flags))
            check_command(overrides, CONF_DIR)
    except ConfigError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    warnings.filterwarnings("ignore", message=r"\s*Running Hydra app with --multirun")
    return flags_before_overrides(arguments)


def _end_with_plan(overrides: list[str], *, multirun: bool) -> None:
    """Print what every job would do; the program ends before Hydra makes a folder or submits anything."""
    from sign_recog.config.preflight import jobs_of
    from sign_recog.stages.dry_run import print_plan

    sys.exit(0 if print_plan(list(jobs_of(overrides, CONF_DIR)), multirun=multirun) else 1)


def run_to_exit_code(task: Callable[[], float | None]) -> float | None:
    """Call ``task``; an error the user can mend, already logged, ends the program with exit code 1 and no more words.

    In a sweep the error goes on to Hydra, which runs the other jobs first; but a job that was stopped here, by Ctrl-C,
    ends the sweep.

    Raises:
        KeyboardInterrupt: To end such a sweep.
    """
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from sign_recog.errors import SignRecogError, Stopped

    try:
        return task()
    except SignRecogError as error:
        hydra = HydraConfig.get()
        if hydra.mode != RunMode.MULTIRUN:
            sys.exit(1)
        if isinstance(error, Stopped) and str(hydra.launcher["_target_"]).endswith(".BasicLauncher"):
            raise KeyboardInterrupt from error
        raise


def flags_before_overrides(arguments: list[str]) -> list[str]:
    """Move ``--multirun`` ahead of the overrides.

    Hydra 1.3 parses with :func:`argparse.ArgumentParser.parse_args`, which rejects
    overrides on both sides of a flag.

    >>> flags_before_overrides(["+experiment=wlasl100_s3d", "--multirun", "seed=1,2,3"])
    ['--multirun', '+experiment=wlasl100_s3d', 'seed=1,2,3']
    """
    return sorted(arguments, key=lambda argument: argument not in _MULTIRUN)


def help_text() -> str:
    """What ``run.py --help`` prints: every group with its meaning, default and options, read from conf/."""
    lines = [
        "sign_recog: sign language from video to result.",
        "",
        "  python run.py [GROUP=OPTION] [KEY=VALUE] [+experiment=NAME] [--multirun]",
        "",
        "Without arguments: the whole pipeline on the built-in synthetic signers.",
        "",
        "Groups (* = default):",
    ]
    defaults: dict[str, str] = {}
    for match in _DEFAULT.finditer((CONF_DIR / "config.yaml").read_text(encoding="utf-8")):
        group, option = match["group"] or match["extra"], match["option"] or ""
        defaults[group] = defaults.get(option[2:-1], option)  # ${modality} = that group's choice
        options = sorted(path.stem for path in (CONF_DIR / group).glob("*.yaml"))
        shown = " ".join(f"{name}*" if name == defaults[group] else name for name in options)
        lines += [f"  {group:<14} {match['line']}", f"  {'':<14}   {shown}"]
    lines += [
        "",
        "Examples:",
        "  python run.py                                                  the built-in demonstration",
        "  python run.py data=manifest data.source=clips data.name=mine   your own videos, one folder a gloss",
        "  python run.py +experiment=synthetic_sentences                  drawn sentences, translated",
        "  python run.py +experiment=synthetic_keypoints --multirun seed=1,2,3 launcher.cluster=local",
        "  python run.py data=manifest data.source=clips.csv +sweep=kfold_signer   a training a fold, unseen signers",
        "  python run.py run=predict run.input=clip.mp4 run.checkpoint=outputs/.../best.ckpt",
        "",
        "  dry_run=true   say what every job would do, and do nothing",
        "  --cfg job      print the composed configuration and stop",
        "  --multirun     run every combination of comma-separated values",
        "  --hydra-help   Hydra's own flags",
        "  queue          a queue of runs for this machine: python run.py queue --help",
    ]
    return "\n".join(lines)
