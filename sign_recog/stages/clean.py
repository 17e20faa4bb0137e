"""Remove what nothing needs any more: superseded checkpoints, half-written files, runs that were set aside.

Without ``run.confirm=true`` it is only listed. What ``trainer.select`` names is never removed, nor anything outside
``paths.output_root``, of a running run, behind a link, or that another run took its weights from; where that run was
trained anew since, the weights are those of the run that was set aside, which stays then.
"""

import glob
import logging
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sign_recog.config import Config
from sign_recog.console import print_table
from sign_recog.errors import ConfigError
from sign_recog.evaluation.runs import RunResult, find_runs, read_run
from sign_recog.evaluation.selection import runs_of_glob, select
from sign_recog.stages import StageResult
from sign_recog.stages.earlier import read_training
from sign_recog.storage.atomic import PARTIAL
from sign_recog.storage.run_record import NAME, is_set_aside, step_checkpoints

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Item:
    """A file, or the folder of a run that was set aside."""

    path: Path
    kind: str
    size: int  # bytes


def run(config: Config) -> StageResult:
    """List, and with ``run.confirm`` remove, what is superseded below ``paths.output_root``.

    Raises:
        ConfigError: If ``run.runs`` leads out of ``paths.output_root``.
        DataError: If there is no run, or none fulfils ``run.where``.
    """
    settings, root = config.run, Path(config.paths.output_root)
    pattern = str(root) if settings.runs is None else settings.runs
    folders = _folders(root, pattern)
    chosen = select([read_run(folder) for folder in folders], settings.where) if folders else []
    everywhere = [read_run(folder) for folder in find_runs(root)] if root.is_dir() else []
    sources = _sources(everywhere)
    items, running = _superseded(chosen, sources, settings.keep)
    if settings.where is None:
        aside = _below(root) if pattern == str(root) else _beside(folders, root)
        more, busy = _set_aside(aside, sources)
        items, running = items + more, running + busy
    for folder in running:
        logger.warning("%s: status.json says that it is running, so nothing of it is touched.", folder)
    verb = "removed" if settings.confirm else "can be removed"
    rows = [(item.kind, str(item.path), _size(item.size)) for item in items]
    if rows:
        print_table(f"clean: {verb}", ("what", "where", "size"), rows)
    if settings.confirm:
        for item in items:
            _remove(item, root)
    return StageResult(summary=_summary(items, running, verb, settings.confirm))


def _folders(root: Path, pattern: str) -> list[Path]:
    """The chosen run folders; a path that goes through a link is left out, one that leads out of ``root`` refused."""
    if not root.is_dir():
        return []
    found = find_runs(root) if pattern == str(root) else runs_of_glob(pattern)
    outside = [folder for folder in found if not folder.resolve().is_relative_to(root.resolve())]
    if outside and pattern != str(root):
        raise ConfigError(
            f"run.runs={pattern}: {outside[0]} is not below paths.output_root={root}, and nothing else is ever "
            "cleaned. Give paths.output_root too, if it is another."
        )
    return [folder for folder in found if _without_links(folder, root)]


def _without_links(path: Path, root: Path) -> bool:
    """Whether no part of ``path`` below ``root`` is a link."""
    return path.resolve() == root.resolve() / Path(os.path.relpath(path.absolute(), root.absolute()))


def _superseded(runs: Sequence[RunResult], sources: set[Path], keep: int) -> tuple[list[Item], list[Path]]:
    """What can go, and the runs that are left alone since they are running."""
    items, running = [], []
    for run in runs:
        training = read_training(run.folder)
        if training.running:
            running.append(run.folder)
            continue
        found = [(path, "half-written file") for path in _partial(run.folder)]
        select_ = run.config.get("trainer.select")
        if training.trained and (run.folder / "checkpoints" / f"{select_}.ckpt").is_file():
            steps = step_checkpoints(run.folder)
            found += [(path, "kept checkpoint") for path in steps[: max(0, len(steps) - keep)]]
            last = run.folder / "checkpoints" / "last.ckpt"
            if select_ == "best" and last.is_file() and (run.folder / "metrics.json").is_file():
                found.append((last, "last checkpoint of a finished and evaluated run"))
        for path, kind in found:
            if not path.is_symlink() and path.resolve() not in sources:
                items.append(Item(path, kind, path.stat().st_size))
    return items, running


def _partial(folder: Path) -> list[Path]:
    """Temporary files of a writer that was killed."""
    return sorted(path for path in _files(folder) if path.name.startswith(".") and PARTIAL in path.name)


def _files(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder, followlinks=False):
        for name in names:
            path = Path(parent, name)
            if path.is_file() and not path.is_symlink():
                yield path


def _sources(runs: Sequence[RunResult]) -> set[Path]:
    """Checkpoints that some run started from, so that its result can be made again."""
    given = [run.config.get("transfer.checkpoint") for run in runs]
    return {Path(path).resolve() for path in given if path}


def _set_aside(found: Iterable[Path], sources: set[Path]) -> tuple[list[Item], list[Path]]:
    """Runs that made room for a new one (force=true) and can go, and those that are left alone since they run."""
    items, running = [], []
    for path in found:
        new = path.with_name(path.name.rpartition(".before-")[0])  # a source in it may have been the earlier run's
        if any(source.is_relative_to(one.resolve()) for source in sources for one in (path, new)):
            logger.info("%s: another run took its weights from there (transfer.checkpoint), so it stays.", path)
        elif read_training(path).running:
            running.append(path)
        else:
            items.append(Item(path, "run that was set aside", sum(p.stat().st_size for p in _files(path))))
    return items, running


def _below(root: Path) -> Iterator[Path]:
    """All runs below the output root that were set aside."""
    for parent, names, _ in os.walk(root, followlinks=False):
        yield from (path for name in sorted(names) if _is_earlier_run(path := Path(parent, name)))
        names[:] = [name for name in names if not is_set_aside(Path(name))]


def _beside(folders: Sequence[Path], root: Path) -> Iterator[Path]:
    """Those that made room for one of the run ``folders``, which are below the output root."""
    for folder in folders:
        if folder.resolve() != root.resolve():
            earlier = folder.parent.glob(f"{glob.escape(folder.name)}.before-*")
            yield from (path for path in sorted(earlier) if _is_earlier_run(path))


def _is_earlier_run(path: Path) -> bool:
    return is_set_aside(path) and not path.is_symlink() and _is_run(path)


def _is_run(folder: Path) -> bool:
    return any((folder / name).is_file() for name in (NAME, "config.yaml", "metrics.json", "status.json"))


def _remove(item: Item, root: Path) -> None:
    """Remove one item; looked at once more, since listing takes time."""
    if item.path.is_symlink() or not item.path.resolve().is_relative_to(root.resolve()):
        logger.warning("%s has become a link, so it stays.", item.path)
    elif item.path.is_dir():
        shutil.rmtree(item.path)  # which removes links in it, not what they point at
    else:
        item.path.unlink(missing_ok=True)


def _summary(items: list[Item], running: list[Path], verb: str, confirmed: bool) -> dict[str, Any]:
    summary: dict[str, Any] = {}
    for kind in dict.fromkeys(item.kind for item in items):
        own = [item for item in items if item.kind == kind]
        summary[f"{kind}, {verb}"] = f"{len(own)}, {_size(sum(item.size for item in own))}"
    summary[f"in all, {verb}"] = f"{len(items)}, {_size(sum(item.size for item in items))}"
    summary["bytes"] = sum(item.size for item in items)
    if running:
        summary["running, not touched"] = len(running)
    if items and not confirmed:
        summary["to remove them"] = "the same command with confirm=true"
    return summary


def _size(size: int) -> str:
    """Bytes as people read them.

    >>> _size(1536)
    '1.5 KiB'
    """
    number, unit = float(size), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if number < 1024 or unit == "TiB":
            break
        number /= 1024
    return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
