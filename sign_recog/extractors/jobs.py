"""A whole corpus clip by clip, by any number of workers that share the output folder.

How the clips are worked on, by worker processes or by one network, is told by ``work``.
"""

import errno
import logging
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sign_recog.errors import DataError, SignRecogError, Stopped
from sign_recog.extractors.shards import Job
from sign_recog.extractors.shared import Sequence, SharedFolder
from sign_recog.storage.fingerprint import fingerprint
from sign_recog.video.reader import VideoReader

logger = logging.getLogger(__name__)

__all__ = ["Extraction", "Job", "Outcome", "outcome_of", "run_jobs", "source_meta"]

_FULL = (errno.ENOSPC, errno.EDQUOT)  # the disk; the user's share of it
_LOOK_S = 1.0  # how often a worker that waits for others looks


@dataclass(frozen=True)
class Outcome:
    """What became of a job: its file is written, or there is an error."""

    num_frames: int = 0
    error: str | None = None
    fatal: bool = False  # no other clip could be extracted either


@dataclass
class Extraction:
    """What a run over a corpus did.

    Attributes:
        finished: Clips extracted now, by this worker.
        by_others: Clips that other workers extracted meanwhile.
        skipped: Clips that were finished before.
        failed: clip_id -> reason, whoever tried.
        tried_again: With ``only_failed``, clips that were listed as failed; else None.
        num_frames: Frames in the clips extracted now.
        seconds: Wall time.
    """

    finished: int = 0
    by_others: int = 0
    skipped: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    tried_again: int | None = None
    num_frames: int = 0
    seconds: float = 0.0

    def refuse_many_failures(self, num_clips: int, max_failed_share: float, table: str) -> None:
        """Raise DataError if more than ``max_failed_share`` of the clips failed."""
        if len(self.failed) > max_failed_share * num_clips:
            first = next(iter(self.failed.items()))
            raise DataError(
                f"{len(self.failed)} of {num_clips} clips failed, more than run.max_failed_share={max_failed_share}. "
                f"The first: {first[0]}: {first[1]} All stand in {table}; what is finished is kept."
            )

    def summary(self, num_clips: int) -> dict[str, Any]:
        """Counts and speed, for the table at a stage's end; where failed clips were tried again, of these alone."""
        again = self.tried_again is not None
        clips = {"clips tried again": self.tried_again} if again else {"clips": num_clips}
        others = {"extracted by other workers": self.by_others} if self.by_others else {}
        rate = round(self.num_frames / self.seconds, 1) if self.seconds else 0.0
        speed = {"frames": self.num_frames, "frames/s": rate} if self.finished else {}
        return {
            **clips,
            "extracted now": self.finished,
            **others,
            **({} if again else {"finished before": self.skipped}),
            "failed": len(self.failed),
            **speed,
        }


Work = Callable[[Iterator[Job], int], Generator[tuple[Job, Outcome], None, None]]


def run_jobs(
    jobs: list[Job],
    description: dict[str, Any],
    out_dir: Path,
    read: Callable[[Path], Sequence],
    work: Work,
    *,
    only_failed: bool = False,
) -> Extraction:
    """Give ``work`` every clip that is not finished, longest first; one that fails is listed and the rest goes on.

    A clip is finished when ``read`` takes its file and it was made with the same extractor settings from
    the same span of the same video (see :func:`~sign_recog.storage.fingerprint.fingerprint`; where the
    video is gone, its file stands). Interrupted at any moment, what is finished stays finished; of a clip
    that fails no file is left.

    Other workers, here or on other machines, may be at work in ``out_dir``. No clip is given to two at once. When
    only theirs are left, this waits until these are finished, and takes over those whose worker dies.

    Writes ``extraction.json`` (the ``description``) and, if any clip failed, ``failed.tsv``, which all workers share.

    Args:
        work: Is called with an iterator over clips, which claims the one that it gives, and with how many there can be
            at most. Writes their files and yields them in the order they are done; closing it gives up what is in
            work. It takes the next clip only to begin on it, in any thread, and does not wait for the iterator's end
            to yield what it has.
        only_failed: Leave out clips that are not listed as failed.

    Raises:
        DataError: If ``out_dir`` holds files of other extractor settings.
        SignRecogError: If an outcome is fatal, or the disk is full.
        Stopped: On Ctrl-C.
    """
    from tqdm import tqdm

    started, done = time.monotonic(), Extraction(tried_again=0 if only_failed else None)
    try:
        with closing(SharedFolder(out_dir, description, read)) as folder:
            try:
                todo = folder.unfinished(jobs, only_failed=only_failed)
                if only_failed:
                    done.tried_again = len(todo)
                else:
                    done.skipped = len(jobs) - len(todo)
                with tqdm(total=len(todo), desc="extract", unit="clip", mininterval=_bar_s(), disable=not todo) as bar:
                    while todo:
                        _one_round(folder, todo, work, done, bar, started)
                        _wait_for_others(folder, todo, done, bar)
            finally:
                folder.write_failed()
    except OSError as error:
        if (full := _disk_full(error, out_dir)) is not None:
            raise full from error
        raise
    except KeyboardInterrupt:
        kept = done.finished + done.skipped + done.by_others
        of = f"{len(jobs)} clips" if done.tried_again is None else f"{done.tried_again} clips to be tried again"
        raise Stopped(
            f"Extraction was stopped. {out_dir} holds {kept} of {of}; the same command goes on from there."
        ) from None
    done.seconds = time.monotonic() - started
    return done


def _bar_s() -> float:
    """Seconds between two drawings of the progress bar; in a file, such as a job's log, each of them stays."""
    return 1.0 if sys.stderr.isatty() else 30.0


def _one_round(
    folder: SharedFolder, todo: dict[str, Job], work: Work, done: Extraction, bar: Any, started: float
) -> None:
    """Work on what can be claimed, and take what is settled out of ``todo``."""
    claimed = folder.claimed(todo.values())
    if (outcomes := work(claimed, len(todo)) if claimed else None) is None:
        return
    try:
        for job, outcome in outcomes:
            if outcome.fatal:
                raise SignRecogError(outcome.error)
            if outcome.error is None:
                folder.finish(job, outcome.num_frames)
                done.finished, done.num_frames = done.finished + 1, done.num_frames + outcome.num_frames
            elif folder.fail(job, outcome.error):
                done.failed[job.clip_id] = outcome.error
            else:
                continue  # what becomes of it another worker says
            del todo[job.clip_id]
            rate = done.num_frames / (time.monotonic() - started)
            bar.set_postfix_str(f"{rate:.1f} frames/s, {len(done.failed)} failed", refresh=False)
            bar.update()
    finally:
        outcomes.close()  # ends the workers
    if folder.held:
        raise RuntimeError(f"these clips were taken and not worked on: {', '.join(folder.held)}")


def _wait_for_others(folder: SharedFolder, todo: dict[str, Job], done: Extraction, bar: Any) -> None:
    """Return when nothing is left in ``todo``, or something in it can be claimed."""
    said = False
    while todo:
        for job, reason in folder.settled_by_others(todo.values()):
            del todo[job.clip_id]
            bar.update()
            if reason is None:
                done.by_others += 1
            else:
                done.failed[job.clip_id] = reason
        holders = [folder.holder(job) for job in todo.values()]
        if None in holders or not todo:
            return
        if not said:
            logger.info(
                "waiting for %s, which others extract (%s)",
                "1 clip" if len(holders) == 1 else f"{len(holders)} clips",
                ", ".join(sorted({str(name) for name in holders})),
            )
            said = True
        time.sleep(_LOOK_S)


def outcome_of(error: Exception, out_dir: Path | None = None) -> Outcome:
    """A DataError costs its clip, as does what nobody expected; another error of ours, or a full disk, meets all."""
    if isinstance(error, SignRecogError):
        return Outcome(error=str(error), fatal=not isinstance(error, DataError))
    if isinstance(error, OSError) and (full := _disk_full(error, out_dir)) is not None:
        return Outcome(error=str(full), fatal=True)
    return Outcome(error=f"{type(error).__name__}: {error}")


def _disk_full(error: OSError, folder: Path | None) -> SignRecogError | None:
    """What to say of a full disk; None = it is another error."""
    if error.errno not in _FULL:
        return None
    where = folder or error.filename or "A file of the extraction"
    return SignRecogError(
        f"{where}: cannot be written ({error.strerror}). Make room there, or give another paths.data_root, and run the "
        "command again: finished clips are kept, and no half-written file is left."
    )


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
