"""Each clip encoded once as a small file, cut to its signer, so that training decodes little.

``<corpus>/clips/<digest of the settings>/<clip_id>.<digest of the origin>.mp4`` holds the frames of the clip's span one
to one, with their times. The origin is the video, the span and the box: manifests that agree on them share the file,
and those that do not have each their own. A file tells its origin in its comment too, so that what is there and whole
is left as it is. Originals are only read.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from sign_recog.config.identity import digest
from sign_recog.config.schema import Crop
from sign_recog.corpora.base import LeftOut
from sign_recog.corpora.boxes import Box, read_box
from sign_recog.errors import DataError, SignRecogError
from sign_recog.extractors.workers import Died, num_cores, run_in_workers
from sign_recog.stages.clip_encoder import MARGIN, POSE_FPS, Made, Task, encode, origin_of, stored
from sign_recog.storage import atomic
from sign_recog.storage.fingerprint import fingerprint
from sign_recog.storage.manifest import Clip, inside, listing
from sign_recog.storage.memo import Memo
from sign_recog.video.clip_writer import ENCODING


@dataclass
class SmallClips:
    """What became of a corpus's clips.

    Attributes:
        folder: Where the files are.
        files: clip_id -> the name of its file in ``folder``.
        sources: clip_id -> the part of the original's picture that the small clip shows.
        left_out: Clips that could not be decoded.
        counts: Name -> number, for the stage's summary.
        notes: What the user should know.
    """

    folder: Path
    files: dict[str, str] = field(default_factory=dict)
    sources: dict[str, Box] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def row_of(self, clip: Clip) -> Clip:
        """The manifest's row of a clip's small file; its columns ``source_*`` say where its pixels come from."""
        source = {
            "source_video": clip.video,
            "source_start_s": f"{clip.start_s:.12g}",
            "source_end_s": "" if clip.end_s is None else f"{clip.end_s:.12g}",
            "source_box": " ".join(map(str, self.sources[clip.clip_id])),
        }
        own = self.files[clip.clip_id]
        return replace(clip, video=own, start_s=0.0, end_s=None, extra={**clip.extra, **source})


def make_small_clips(
    clips: Sequence[Clip], video_dir: Path, root: Path, *, clip_size: int, crop: Crop | None, num_workers: int | None
) -> SmallClips:
    """Encode every clip that is not there yet; interrupted at any moment, what is finished stays.

    Args:
        root: The corpus's own folder.
        clip_size: Pixels of the shorter side; smaller pictures are not enlarged.
        crop: What says where the signer is; None = the whole picture.
        num_workers: Processes; 0 = work in this one, None = one for each core this process may use.

    Raises:
        DataError: If ``crop`` asks for boxes and there are none, a box is no box, or no clip can be decoded.
        SignRecogError: If files cannot be written, MediaPipe cannot be loaded, or workers keep dying.
    """
    from tqdm import tqdm

    settings: dict[str, Any] = {"clip_size": clip_size, "crop": crop and crop.value, "encoding": ENCODING}
    if crop is Crop.pose:
        settings |= {"pose_fps": POSE_FPS, "margin": MARGIN}
    small = SmallClips(root / "clips" / digest(settings))
    boxes = _boxes(clips) if crop is Crop.annotation else {}
    atomic.write_json(small.folder / "encoding.json", settings)
    memo = Memo(small.folder / "known.json")
    with ThreadPoolExecutor(num_cores()) as pool:  # FFmpeg and the disk work outside Python's lock
        videos = list(dict.fromkeys(inside(video_dir, clip.video) for clip in clips))
        prints = dict(zip(videos, pool.map(partial(_fingerprint, memo=memo), videos), strict=True))
        tasks = []
        for clip in clips:
            video, box = inside(video_dir, clip.video), boxes.get(clip.clip_id)
            name = f"{clip.clip_id}.{digest(origin_of(prints[video], clip.start_s, clip.end_s, box))}.mp4"
            small.files[clip.clip_id] = name
            output = small.folder / name
            tasks.append(Task(video, clip.start_s, clip.end_s, box, clip_size, crop is Crop.pose, output))
        before = pool.map(partial(_stored, memo=memo), tasks)
        done = {task.output: made for task, made in zip(tasks, before, strict=True) if made is not None}
    todo = [task for task in tasks if task.output not in done]
    small.counts = {"small clips made": len(todo), "small clips there before": len(done)}
    most = num_cores() if num_workers is None else num_workers
    bar = tqdm(_results(todo, min(most, len(todo))), total=len(todo), desc="encode", unit="clip", mininterval=1.0)
    for task, made in bar:
        if made.fatal:
            raise SignRecogError(made.error)
        done[task.output] = made
    memo.save()
    _sort_out(small, clips, [done[task.output] for task in tasks], crop)
    return small


def _fingerprint(video: Path, memo: Memo) -> str | None:
    """As :func:`fingerprint`, without opening unchanged files; None = it cannot be read, which encoding it will say."""
    known: str | None = memo.get(str(video), [video])
    if known is None:
        try:
            known = fingerprint(video)
            memo.put(str(video), [video], known)
        except OSError:
            return None
    return known


def _stored(task: Task, memo: Memo) -> Made | None:
    """As :func:`stored`, without opening files that have not changed since they were looked at."""
    key, files = f"{task.output} {task.start_s} {task.end_s} {task.box}", [task.video, task.output]
    known = memo.get(key, files)
    if known is not None:
        return Made(Box(*known[0]), known[1])
    made = stored(task)
    if made is not None and made.box is not None:
        memo.put(key, files, [list(made.box), made.cut])
    return made


def _results(todo: list[Task], num_workers: int) -> Iterator[tuple[Task, Made]]:
    if not num_workers:
        yield from ((task, encode(task)) for task in todo)
        return
    with closing(run_in_workers(todo, encode, num_workers)) as results:
        for task, result in results:
            yield task, Made(error=result.reason) if isinstance(result, Died) else result


def _sort_out(small: SmallClips, clips: Iterable[Clip], results: Iterable[Made], crop: Crop | None) -> None:
    whole = []
    for clip, made in zip(clips, results, strict=True):
        if made.box is None:
            small.left_out.append(LeftOut(clip, "damaged video", made.error or ""))
            continue
        small.sources[clip.clip_id] = made.box
        if not made.cut:
            whole.append(clip.clip_id)
    if not small.sources:
        reasons = [f"{one.clip.clip_id}: {one.detail}" for one in small.left_out]
        raise DataError(listing(f"None of {len(reasons)} clips can be decoded.", reasons))
    if small.left_out:
        small.counts["small clips made"] -= len(small.left_out)
        small.counts["small clips not made"] = len(small.left_out)
    if crop is not None and whole:
        what = "no usable box" if crop is Crop.annotation else "no pose that is detected"
        small.notes.append(
            f"{len(whole)} of {len(small.sources)} clips have {what}, so their whole picture is kept: "
            f"{', '.join(whole[:3])}{', ...' if len(whole) > 3 else ''}."
        )


def _boxes(clips: Sequence[Clip]) -> dict[str, tuple[float, float, float, float]]:
    boxes, problems = {}, []
    for clip in clips:
        try:
            box = read_box(clip.extra)
        except ValueError as error:
            problems.append(f"{clip.clip_id}: {error}")
            continue
        if box is not None:
            boxes[clip.clip_id] = box
    if problems:
        raise DataError(listing(f"{len(problems)} boxes are none. Correct the annotation.", problems))
    if not boxes:
        raise DataError(
            "data.crop=annotation, but no clip has a box. A table gives them in a column box (left top right bottom, "
            "in pixels) or in x0, y0, x1, y1; WLASL in WLASL_v0.3.json. Or use data.crop=pose."
        )
    return boxes
