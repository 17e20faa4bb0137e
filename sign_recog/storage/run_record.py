"""``run.json`` in a run's folder: which settings it is of, and whether its training is over.

It is small, so that thousands of runs can be told apart at once, without their configuration or checkpoints.
"""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sign_recog.storage import atomic

NAME = "run.json"
_SET_ASIDE = re.compile(r".+\.before-\d{8}-\d{6}(?:-\d+)?")
_STEP = re.compile(r"step(\d+)\.ckpt")


@dataclass(frozen=True)
class RunRecord:
    """What ``run.json`` holds.

    Attributes:
        settings: Of :func:`sign_recog.config.identity.settings_id`.
        choices: Group -> the option that was chosen, as far as it was known: {"model": "s3d"}.
        trained: Whether the training came to its end.
        epochs, steps: Of the finished training.
        objective: Of the finished training: ``trainer.monitor`` of the chosen checkpoint.
    """

    settings: str
    seed: int
    choices: dict[str, str] = field(default_factory=dict)
    trained: bool = False
    epochs: int | None = None
    steps: int | None = None
    objective: float | None = None


def write_record(folder: Path, record: RunRecord) -> None:
    """Write ``run.json`` into ``folder``."""
    atomic.write_json(folder / NAME, asdict(record))


def read_record(folder: Path) -> RunRecord | None:
    """Read ``run.json``; None where there is none, as in runs of earlier versions, or it is damaged."""
    try:
        return RunRecord(**json.loads((folder / NAME).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def step_of(path: Path) -> int | None:
    """The optimiser step in the name of a kept checkpoint; None for ``best.ckpt``, ``last.ckpt`` and other files.

    >>> step_of(Path("step0000090.ckpt"))
    90
    """
    match = _STEP.fullmatch(path.name)
    return int(match[1]) if match else None


def step_checkpoints(folder: Path) -> list[Path]:
    """The kept checkpoints of a run, by their number of steps; names alone would put 10000000 before 9999999."""
    found = [path for path in (folder / "checkpoints").glob("step*.ckpt") if step_of(path) is not None]
    return sorted(found, key=lambda path: step_of(path) or 0)


def is_set_aside(folder: Path) -> bool:
    """Whether a folder is an earlier run's, which made room for a new one."""
    return _SET_ASIDE.fullmatch(folder.name) is not None


def set_aside(folder: Path, *, staying: Iterator[Path]) -> Path:
    """Rename ``folder`` to ``<folder>.before-<time>`` and return that; ``staying`` goes into a new ``folder``.

    Args:
        staying: Files and folders in it that belong to the command at hand, such as its log.
    """
    stamp = f"{folder.name}.before-{time.strftime('%Y%m%d-%H%M%S')}"
    target, number = folder.with_name(stamp), 2
    while target.exists():
        target, number = folder.with_name(f"{stamp}-{number}"), number + 1
    names = [path.name for path in staying]
    folder.rename(target)
    folder.mkdir()
    for name in names:
        (target / name).rename(folder / name)
    return target
