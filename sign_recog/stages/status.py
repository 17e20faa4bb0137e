"""How the runs of a sweep and the extractions of a corpus stand, on a cluster or here; it disturbs none."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from sign_recog.config import Config
from sign_recog.console import print_table
from sign_recog.errors import DataError
from sign_recog.evaluation.runs import find_runs
from sign_recog.launch.overview import one_line, print_standings, progress, standings
from sign_recog.launch.records import FOLDER, JobRecord, read_jobs
from sign_recog.stages import StageResult
from sign_recog.stages.extraction_status import print_extractions


def run(config: Config) -> StageResult:
    """Print one line for each job that was submitted, each other run below the folder, and each extraction.

    Extractions are those of the corpus that the configuration names, whoever works at them.

    Raises:
        DataError: If there is none of them.
    """
    extractions = print_extractions(config)
    given = config.run.folder
    folder = Path(config.paths.output_root) / config.name if given is None else Path(given)
    records = _latest(folder)
    rows = standings(records)
    if rows:
        print_standings(f"{folder}: jobs", rows)
    states = Counter(row.state for row in rows)
    submitted = {record.run_dir for record in records}
    others = [r for r in (find_runs(folder) if folder.is_dir() else []) if r.absolute() not in submitted]
    if others:
        found = [(str(path.relative_to(folder)), *_own_words(path)) for path in others]
        print_table(f"{folder}: runs", ("run", "state", "since", "note"), found)
        states.update(state for _, state, _, _ in found)
    if not states and not extractions:
        raise DataError(
            f"{folder}: no job was submitted from here and no run lies below. Give run.folder=FOLDER. Nor is anything "
            f"of the corpus data.name={config.data.name} extracted: give its settings of the group data."
        )
    return StageResult(summary=dict(sorted(states.items())) | extractions)


def _latest(folder: Path) -> list[JobRecord]:
    """The latest job of each run folder, whether ``folder`` is a sweep's or the one above several."""
    sweeps = sorted({folder, *(path.parent for path in folder.glob(f"*/{FOLDER}"))})
    found: dict[Path, JobRecord] = {}
    for sweep in sweeps:
        for record in read_jobs(sweep):
            found.setdefault(record.run_dir, record)
    return sorted(found.values(), key=lambda record: (record.folder, record.index))


def _own_words(folder: Path) -> tuple[str, str, str]:
    """State, when it began, and note of a run by its own files. One that was killed still says "running"."""
    try:
        status: dict[str, Any] = json.loads((folder / "status.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "unknown", "", "no status.json that can be read"
    return status["state"], status.get("started") or "", one_line(status.get("error") or progress(folder))
