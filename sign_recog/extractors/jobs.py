"""A whole corpus clip by clip: which files are finished, whose they are, and which clips failed.

How the clips are worked on, by worker processes or by one network, is told by ``work``.
"""

import csv
import io
import json
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sign_recog.errors import DataError, SignRecogError
from sign_recog.storage import atomic
from sign_recog.storage.fingerprint import fingerprint
from sign_recog.video.reader import VideoReader


@dataclass(frozen=True)
class Job:
    """One clip to extract: ``[start_s, end_s)`` of ``video`` -> ``<out_dir>/<clip_id>.npz``."""

    clip_id: str
    video: Path
    start_s: float = 0.0
    end_s: float | None = None

    def output(self, out_dir: Path) -> Path:
        return out_dir / f"{self.clip_id}.npz"


@dataclass(frozen=True)
class Outcome:
    """What became of a job: its file is written, or there is an error."""

    num_frames: int = 0
    error: str | None = None
    fatal: bool = False  # no other clip could be extracted either


@dataclass(frozen=True)
class Extraction:
    """What a run over a corpus did.

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

    def refuse_many_failures(self, num_clips: int, max_failed_share: float, table: str) -> None:
        """Raise DataError if more than ``max_failed_share`` of the clips failed."""
        if len(self.failed) > max_failed_share * num_clips:
            first = next(iter(self.failed.items()))
            raise DataError(
                f"{len(self.failed)} of {num_clips} clips failed, more than run.max_failed_share={max_failed_share}. "
                f"The first: {first[0]}: {first[1]} All stand in {table}; what is finished is kept."
            )

    def summary(self, num_clips: int) -> dict[str, Any]:
        """Counts and speed, for the table at a stage's end."""
        return {
            "clips": num_clips,
            "extracted now": self.finished,
            "finished before": self.skipped,
            "failed": len(self.failed),
            "frames": self.num_frames,
            "frames/s": round(self.num_frames / self.seconds, 1) if self.seconds else 0.0,
        }


class Sequence(Protocol):
    """What all files hold."""

    meta: dict[str, Any]


def run_jobs(
    jobs: list[Job],
    description: dict[str, Any],
    out_dir: Path,
    read: Callable[[Path], Sequence],
    work: Callable[[list[Job]], Generator[tuple[Job, Outcome], None, None]],
    *,
    failed_name: str,
) -> Extraction:
    """Give ``work`` every clip that is not finished, longest first; one that fails is listed and the rest goes on.

    A clip is finished when ``read`` takes its file and it was made with the same extractor settings from
    the same span of the same video (see :func:`~sign_recog.storage.fingerprint.fingerprint`; where the
    video is gone, its file stands). Interrupted at any moment, what is finished stays finished; of a clip
    that fails no file is left.

    Writes ``extraction.json`` (the ``description``) and, if any clip failed, a table of clip_id and reason.

    Args:
        work: Writes the files of the jobs it is given and yields them in the order they are done; closing
            it gives up what is in work.
        failed_name: The table's name; shards that share a folder need one each.

    Raises:
        DataError: If ``out_dir`` holds files of other extractor settings.
        SignRecogError: If an outcome is fatal.
    """
    from tqdm import tqdm

    _check_settings(out_dir / "extraction.json", description)
    todo = _longest_first(_unfinished(jobs, out_dir, description, read))
    started, finished, num_frames, failed = time.monotonic(), 0, 0, dict[str, str]()
    outcomes = work(todo)
    try:
        with tqdm(total=len(todo), desc="extract", unit="clip", mininterval=1.0) as bar:
            for job, outcome in outcomes:
                if outcome.fatal:
                    raise SignRecogError(outcome.error)
                if outcome.error is None:
                    finished, num_frames = finished + 1, num_frames + outcome.num_frames
                else:
                    failed[job.clip_id] = outcome.error
                    job.output(out_dir).unlink(missing_ok=True)  # what is left from before is not of this video
                rate = num_frames / (time.monotonic() - started)
                bar.set_postfix_str(f"{rate:.1f} frames/s, {len(failed)} failed", refresh=False)
                bar.update()
    finally:
        outcomes.close()  # ends the workers
        _write_failed(out_dir / failed_name, failed)
    return Extraction(finished, len(jobs) - len(todo), failed, num_frames, time.monotonic() - started)


def outcome_of(error: Exception) -> Outcome:
    """A DataError costs its clip, as does what nobody expected; another error of ours would meet every clip."""
    if isinstance(error, SignRecogError):
        return Outcome(error=str(error), fatal=not isinstance(error, DataError))
    return Outcome(error=f"{type(error).__name__}: {error}")


def source_meta(reader: VideoReader) -> dict[str, Any]:
    """What a file says of the clip it was made from, once ``reader`` has been read to its end."""
    return {
        "video": reader.path.name,
        "fingerprint": fingerprint(reader.path),
        "start_s": reader.start_s,
        "end_s": reader.end_s,
        "width": reader.info.width,
        "height": reader.info.height,
        "fps": reader.info.fps if reader.target_fps is None else reader.target_fps,
        "source_fps": reader.info.fps,
        "num_source_frames": reader.num_decoded,
    }


def _check_settings(path: Path, description: dict[str, Any]) -> None:
    """Keep one folder for one extractor setting: write ``path``, or compare with it where there are files of it."""
    if not path.exists() or next(path.parent.rglob("*.npz"), None) is None:
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


def _unfinished(
    jobs: list[Job], out_dir: Path, description: dict[str, Any], read: Callable[[Path], Sequence]
) -> list[Job]:
    prints: dict[Path, str | None] = {}  # clips of one video share its fingerprint

    def is_finished(job: Job) -> bool:
        path = job.output(out_dir)
        if not path.exists():
            return False
        try:
            meta = read(path).meta
        except DataError:  # damaged: extracted again, which reports its own error if that fails too
            return False
        if job.video not in prints:
            prints[job.video] = fingerprint(job.video) if job.video.exists() else None
        expected = {"extraction": description, "start_s": job.start_s, "end_s": job.end_s}
        if prints[job.video] is not None:
            expected["fingerprint"] = prints[job.video]
        return all(meta.get(name) == value for name, value in expected.items())

    return [job for job in jobs if not is_finished(job)]


def _longest_first(jobs: list[Job]) -> list[Job]:
    """Long clips first, so that no worker is left alone with one at the end; where spans are open, by file size."""
    if all(job.end_s is not None for job in jobs):
        return sorted(jobs, key=lambda job: job.start_s - (job.end_s or 0.0))
    if all(job.end_s is None for job in jobs):
        return sorted(jobs, key=lambda job: -job.video.stat().st_size if job.video.exists() else 0)
    return jobs


def _write_failed(path: Path, failed: dict[str, str]) -> None:
    if not failed:
        path.unlink(missing_ok=True)
        return
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter="\t", lineterminator="\n")
    writer.writerow(["clip_id", "reason"])
    writer.writerows([clip_id, " ".join(reason.split())] for clip_id, reason in sorted(failed.items()))
    atomic.write_text(path, buffer.getvalue())
