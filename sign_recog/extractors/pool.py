"""Extraction of a whole corpus over worker processes, each with its own extractor.

MediaPipe's threads keep 1.4 cores busy, since a frame waits for the one before it; processes use them all.
Workers write their files themselves, so only clip names and counts travel between processes.
"""

import csv
import io
import json
import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from sign_recog.errors import DataError, SignRecogError
from sign_recog.extractors.workers import Died, num_cores, run_in_workers
from sign_recog.storage import atomic
from sign_recog.storage.fingerprint import fingerprint
from sign_recog.storage.sequences import KeypointSequence, read_keypoints, write_keypoints


class Extractor(Protocol):
    """What the pool needs; an extractor can be sent to another process and loads its libraries there."""

    def description(self) -> dict[str, Any]:
        """What decides the landmarks of a given video, as JSON values."""

    def extract(self, video: Path, start_s: float, end_s: float | None) -> KeypointSequence:
        """The landmarks of a span of ``video``; DataError where it cannot be done."""


@dataclass(frozen=True)
class Job:
    """One clip to extract: ``[start_s, end_s)`` of ``video`` -> ``<out_dir>/<clip_id>.npz``."""

    clip_id: str
    video: Path
    start_s: float = 0.0
    end_s: float | None = None


@dataclass(frozen=True)
class Extraction:
    """What a run of :func:`extract_all` did.

    Attributes:
        finished: Clips extracted now.
        skipped: Clips that were finished before.
        failed: clip_id -> reason.
        num_frames: Frames in the clips extracted now.
        seconds: Wall time.
    """

    finished: int
    skipped: int
    failed: dict[str, str]
    num_frames: int
    seconds: float


@dataclass(frozen=True)
class _Outcome:
    num_frames: int = 0
    error: str | None = None
    fatal: bool = False  # no other clip could be extracted either


def extract_all(
    jobs: list[Job],
    extractor: Extractor,
    out_dir: Path,
    *,
    num_workers: int | None,
    failed_name: str = "failed.tsv",
) -> Extraction:
    """Extract every clip that is not finished, longest first; a clip that fails is listed and the rest goes on.

    A clip is finished when its file can be read as a whole and was made with the same extractor settings
    from the same span of the same video (see :func:`~sign_recog.storage.fingerprint.fingerprint`; where
    the video is gone, its file stands). Interrupted at any moment, what is finished stays finished; of a
    clip that fails no file is left.

    Writes ``<out_dir>/<clip_id>.npz``, ``extraction.json`` (the extractor's description) and, if any clip
    failed, a table of clip_id and reason.

    Args:
        num_workers: Processes; 0 = work in this one, None = one for each core this process may use.
        failed_name: The table's name; shards that share a folder need one each.

    Raises:
        DataError: If ``out_dir`` holds files of other extractor settings.
        SignRecogError: If the extractor cannot be loaded, or workers keep dying.
    """
    from tqdm import tqdm

    description = extractor.description()
    _check_settings(out_dir / "extraction.json", description)
    todo = _longest_first(_unfinished(jobs, out_dir, description))
    workers = min(num_cores() if num_workers is None else num_workers, len(todo))
    started, finished, num_frames, failed = time.monotonic(), 0, 0, dict[str, str]()
    outcomes = _outcomes(todo, partial(_extract_one, extractor=extractor, out_dir=out_dir), workers)
    try:
        with tqdm(total=len(todo), desc="extract", unit="clip", mininterval=1.0) as bar:
            for job, outcome in outcomes:
                if outcome.fatal:
                    raise SignRecogError(outcome.error)
                if outcome.error is None:
                    finished, num_frames = finished + 1, num_frames + outcome.num_frames
                else:
                    failed[job.clip_id] = outcome.error
                    _output(job, out_dir).unlink(missing_ok=True)  # what is left from before is not of this video
                rate = num_frames / (time.monotonic() - started)
                bar.set_postfix_str(f"{rate:.1f} frames/s, {len(failed)} failed", refresh=False)
                bar.update()
    finally:
        outcomes.close()  # ends the workers
        _write_failed(out_dir / failed_name, failed)
    return Extraction(finished, len(jobs) - len(todo), failed, num_frames, time.monotonic() - started)


def _check_settings(path: Path, description: dict[str, Any]) -> None:
    """Keep one folder for one extractor setting: write ``path``, or compare with it."""
    if not path.exists():
        atomic.write_json(path, description)
        return
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise DataError(f"{path}: is damaged ({error}). Delete it and run the command again.") from error
    old, new = _flat(before), _flat(description)
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    if names:
        raise DataError(
            f"{path}: the files in this folder were made with other settings: "
            + "; ".join(f"{name} was {old.get(name)}, is now {new.get(name)}" for name in names)
            + f". Set them back, give another paths.data_root, or delete {path.parent} to extract again."
        )


def _flat(description: dict[str, Any]) -> dict[str, Any]:
    options = description.get("options", {})
    return {k: v for k, v in description.items() if k != "options"} | {f"options.{k}": v for k, v in options.items()}


def _unfinished(jobs: list[Job], out_dir: Path, description: dict[str, Any]) -> list[Job]:
    prints: dict[Path, str | None] = {}  # clips of one video share its fingerprint
    return [job for job in jobs if not _is_finished(job, out_dir, description, prints)]


def _is_finished(job: Job, out_dir: Path, description: dict[str, Any], prints: dict[Path, str | None]) -> bool:
    path = _output(job, out_dir)
    if not path.exists():
        return False
    try:
        meta = read_keypoints(path).meta
    except DataError:  # damaged: extracted again, which reports its own error if that fails too
        return False
    if job.video not in prints:
        prints[job.video] = fingerprint(job.video) if job.video.exists() else None
    expected = {"extraction": description, "start_s": job.start_s, "end_s": job.end_s}
    if prints[job.video] is not None:
        expected["fingerprint"] = prints[job.video]
    return all(meta.get(name) == value for name, value in expected.items())


def _longest_first(jobs: list[Job]) -> list[Job]:
    """Long clips first, so that no worker is left alone with one at the end; where spans are open, by file size."""
    if all(job.end_s is not None for job in jobs):
        return sorted(jobs, key=lambda job: job.start_s - (job.end_s or 0.0))
    if all(job.end_s is None for job in jobs):
        return sorted(jobs, key=lambda job: -job.video.stat().st_size if job.video.exists() else 0)
    return jobs


def _output(job: Job, out_dir: Path) -> Path:
    return out_dir / f"{job.clip_id}.npz"


def _extract_one(job: Job, extractor: Extractor, out_dir: Path) -> _Outcome:
    try:
        sequence = extractor.extract(job.video, job.start_s, job.end_s)
        sequence.meta["clip_id"] = job.clip_id
        write_keypoints(_output(job, out_dir), sequence)
    except DataError as error:
        return _Outcome(error=str(error))
    except SignRecogError as error:
        return _Outcome(error=str(error), fatal=True)
    except Exception as error:  # one clip's trouble does not end the run; it is listed with its kind
        return _Outcome(error=f"{type(error).__name__}: {error}")
    return _Outcome(num_frames=len(sequence.timestamps_ms))


def _outcomes(
    jobs: list[Job], work: partial[_Outcome], num_workers: int
) -> Generator[tuple[Job, _Outcome], None, None]:
    if not num_workers:
        for job in jobs:
            yield job, work(job)
        return
    with closing(run_in_workers(jobs, work, num_workers)) as results:
        for job, result in results:
            yield job, _Outcome(error=result.reason) if isinstance(result, Died) else result


def _write_failed(path: Path, failed: dict[str, str]) -> None:
    if not failed:
        path.unlink(missing_ok=True)
        return
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter="\t", lineterminator="\n")
    writer.writerow(["clip_id", "reason"])
    writer.writerows([clip_id, " ".join(reason.split())] for clip_id, reason in sorted(failed.items()))
    atomic.write_text(path, buffer.getvalue())
