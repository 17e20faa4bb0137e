"""What every stage goes through: a status file, the run's log, its summary, and a clear end."""

import errno
import json
import logging
import time
from contextlib import nullcontext
from typing import Any

from hydra.utils import get_method

from sign_recog.config import Config
from sign_recog.console import print_summary
from sign_recog.errors import ConfigError, DataError, SignRecogError, Stopped
from sign_recog.stages import StageResult
from sign_recog.stages.earlier import settle
from sign_recog.stages.run_folder import run_dir
from sign_recog.storage import atomic
from sign_recog.storage.lock import FolderInUse, locked

logger = logging.getLogger(__name__)

# What the disk says to whoever may not write, has no room, or names a file for a folder.
_REFUSALS = (
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR, errno.EISDIR,
)  # fmt: skip
# Stages that use a run without being part of it: its status stays.
ONLOOKERS = ("report", "predict", "export", "clean", "status")


def run(config: Config) -> StageResult:
    """Run ``config.run``'s stage; ``status.json`` in the run folder says running, finished or failed, and why.

    A training that was done before is not done again, and leaves its folder as it was.

    Raises:
        ConfigError: If another folder holds the same training.
    """
    name = config.run._target_.split(".")[-2]
    started = time.time()
    try:
        if config.dry_run:
            raise ConfigError("dry_run=true belongs on the command line, not in a file: this would have run.")
        if (done := settle(config)) is not None:
            print_summary(f"{name}: nothing to do", done.summary)
            return done
    except SignRecogError as error:
        logger.error("%s", error)
        raise
    status: dict[str, Any] = {"stage": name, "state": "running", "started": _stamp(started), "error": None}

    def write_status(**changes: Any) -> None:
        if name not in ONLOOKERS:
            atomic.write_json(run_dir(config) / "status.json", status | changes)

    try:
        # two trainings in one folder would write each other's checkpoints
        with locked(run_dir(config)) if config.run.training() is not None else nullcontext():
            write_status()
            result = _run_stage(config)
    except FolderInUse as error:
        logger.error("%s", error)  # the status is the other process's
        raise
    except KeyboardInterrupt:
        said = "Stopped by Ctrl-C. What is finished is kept, and the same command goes on."
        logger.error("%s", said)
        write_status(state="stopped", error=said, ended=_stamp(time.time()))
        raise
    except BaseException as error:
        kind = "" if isinstance(error, SignRecogError) else f"{type(error).__name__}: "
        logger.error("%s%s", kind, error)
        write_status(
            state="stopped" if isinstance(error, Stopped) else "failed",
            error=f"{kind}{error}",
            ended=_stamp(time.time()),
        )
        raise
    seconds = time.time() - started
    summary = json.loads(json.dumps(result.summary, default=str))
    write_status(state="finished", ended=_stamp(time.time()), summary=summary)
    print_summary(f"{name}: done in {seconds:.1f} s", result.summary)
    return result


def _run_stage(config: Config) -> StageResult:
    """The stage; what the disk refuses is an error that the user can mend."""
    try:
        return get_method(config.run._target_)(config)
    except OSError as error:
        if error.errno not in _REFUSALS:
            raise
        raise DataError(
            f"{error.filename or 'A file'}: {error.strerror}. Check paths.data_root={config.paths.data_root}, "
            f"paths.output_root={config.paths.output_root} and the folders of your data."
        ) from error


def _stamp(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(seconds))
