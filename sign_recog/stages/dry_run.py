"""``dry_run=true``: what a command or a sweep would do, job by job, without doing any of it."""

from collections.abc import Sequence
from pathlib import Path

from sign_recog.config import Config
from sign_recog.config.preflight import Job
from sign_recog.console import print_table
from sign_recog.stages.earlier import Key, Training, find_trained, is_done, read_training, trainings_below
from sign_recog.stages.run_folder import run_dir


def print_plan(jobs: Sequence[Job], *, multirun: bool) -> bool:
    """Print every job with its run folder and what would become of it; return whether all could run.

    Args:
        multirun: Whether the command says so itself, by ``--multirun``.
    """
    rows, notes, good = _rows(jobs), [], all(not job.problems for job in jobs)
    title = f"dry run: {len(jobs)} job{'' if len(jobs) == 1 else 's'}, nothing was started or written"
    print_table(title, ("job", "settings", "run folder", "what it would do"), rows)
    first = next((job.config for job in jobs if job.config is not None), None)
    if first is not None:
        cluster = first.launcher.cluster.value
        if cluster != "local":
            notes.append(f"launcher.cluster={cluster}: nothing was submitted.")
        if len(jobs) > 1 and not multirun and first.launcher.mode[cluster] == "RUN" and not jobs[0].swept_by_file:
            notes.append("Several values need --multirun (or -m).")
            good = False
    for note in notes:
        print(note)
    return good


def _rows(jobs: Sequence[Job]) -> list[tuple[str, str, str, str]]:
    known: dict[str, dict[Key, list[Path]]] = {}
    seen: dict[Path, int] = {}
    rows = []
    for number, job in enumerate(jobs):
        settings = " ".join(job.settings)
        if job.config is None or job.problems:
            rows.append((str(number), settings, "", "cannot run: " + " ".join(job.problems)))
            continue
        folder, root = run_dir(job.config), job.config.paths.output_root
        if root not in known:
            known[root] = trainings_below(Path(root)) if job.config.run.training() else {}
        text = describe(job.config, known[root])
        if folder in seen and job.config.run.training():
            text += f"; the same folder as job {seen[folder]}"
        seen.setdefault(folder, number)
        rows.append((str(number), settings, str(folder), text))
    return rows


def describe(config: Config, known: dict[Key, list[Path]]) -> str:
    """What one job would do, given the trainings below its paths.output_root."""
    settings = config.run.training()
    if settings is None:
        return f"runs {config.run._target_.split('.')[-2]}"
    own = read_training(run_dir(config))
    if settings.force:
        return "new: sets the earlier run aside" if own.begun else "new"
    if own.begun:
        return _own(config, own, settings.skip_existing)
    other = find_trained(config, known)
    if other is None:
        return "new"
    if settings.skip_existing and is_done(config, other):
        return f"finished in {other.folder}: skipped"
    return f"duplicate of {other.folder}: refused without force=true"


def _own(config: Config, own: Training, skip_existing: bool) -> str:
    said = " (status.json says that it is running)" if own.running else ""
    if is_done(config, own):
        return f"finished{': skipped' if skip_existing else ''}{said}"
    if own.trained:
        return f"trained; goes on with what follows{said}"
    of = f" of {own.epochs}" if own.epochs is not None else ""
    return f"resumes at epoch {own.epoch}{of}{said}" if own.epoch is not None else f"resumes{said}"
