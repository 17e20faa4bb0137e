"""The command line: what Hydra 1.3 leaves to its caller."""

import re
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

CONF_DIR = Path(__file__).parents[1] / "conf"
_MULTIRUN = ("--multirun", "-m")
_DEFAULT = re.compile(r"^  (?:- (?P<group>\w+): (?P<option>\S+)|# (?P<extra>[\w/]+):)(?:  #)? (?P<line>.+)$", re.M)


def checked_arguments(arguments: list[str]) -> list[str]:
    """Return ``arguments`` as Hydra takes them, after checking the whole command.

    ``--help`` and a wrong command end the program here, before anything heavy is imported.
    """
    if {"--help", "-h"} & set(arguments):
        print(help_text())
        sys.exit(0)
    flags = [a for a in arguments if a.startswith("-")]
    if set(flags) <= {*_MULTIRUN}:  # --cfg, --info and the like only look
        from sign_recog.config.preflight import check_command
        from sign_recog.errors import ConfigError

        try:
            check_command([a for a in arguments if not a.startswith("-")], CONF_DIR)
        except ConfigError as error:
            print(error, file=sys.stderr)
            sys.exit(1)
    warnings.filterwarnings("ignore", message=r"\s*Running Hydra app with --multirun")
    return flags_before_overrides(arguments)


def run_to_exit_code(task: Callable[[], float | None]) -> float | None:
    """Call ``task``; an error the user can mend, already logged, ends the program with exit code 1 and no more words.

    In a sweep the error goes on to Hydra, which runs the other jobs first.
    """
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from sign_recog.errors import SignRecogError

    try:
        return task()
    except SignRecogError:
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            raise
        sys.exit(1)


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
        "  python run.py +experiment=synthetic_keypoints --multirun seed=1,2,3 launcher.cluster=local",
        "  python run.py data=manifest data.source=clips.csv +sweep=kfold_signer   a training a fold, unseen signers",
        "  python run.py run=predict run.input=clip.mp4 run.checkpoint=outputs/.../best.ckpt",
        "",
        "  --cfg job      print the composed configuration and stop",
        "  --multirun     run every combination of comma-separated values",
        "  --hydra-help   Hydra's own flags",
    ]
    return "\n".join(lines)
