"""Clips that come as ``.pose`` files: a table that names them, or a folder with one subfolder a gloss."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from sign_recog.corpora.base import Corpus
from sign_recog.corpora.manifest import FileKind, read_files
from sign_recog.errors import DataError
from sign_recog.formats import pose
from sign_recog.landmarks.layout import get_layout
from sign_recog.storage.manifest import Clip
from sign_recog.storage.sequences import KeypointSequence

_POSES = FileKind("pose", (".pose",), "path")


def read(
    source: str,
    out_dir: Path,
    *,
    layout: str,
    pose_dir: str | None = None,
    columns: Mapping[str, str | None] | None = None,
    time_unit: str = "s",
) -> Corpus:
    """Read a table as :func:`sign_recog.corpora.manifest.read` does, or a folder; a clip is named by its file's path.

    Rows whose file does not exist, and files that lack points of the layout, are left out, with a note. Where the
    table has times, the clip is that span of the file.

    Args:
        out_dir: Unused; nothing is written.
        layout: Which points are read (landmarks/layout.py).
        pose_dir: The folder that the names in the table start from; None = the table's.
        columns: The manifest's column -> the table's; ``video`` is the column of the file.
        time_unit: ``s`` or ``ms``, of times that are plain numbers.

    Raises:
        DataError: If the table lacks a column, or lines are wrong (all are named), or no file can be used.
        ConfigError: If there is no such layout.
    """
    get_layout(layout)
    corpus = read_files(source, _POSES, pose_dir, columns, time_unit)
    if corpus.video_dir is None:
        raise DataError(f"{source}: names no files. {_POSES.two_forms}")
    files = {clip.clip_id: corpus.video_dir / clip.video for clip in corpus.clips}
    lacking = {
        path: found for path in sorted(set(files.values())) if (found := pose.missing_points(path, layout=layout))
    }
    if lacking:
        first, points = next(iter(lacking.items()))
        detail = f"{first} lacks {len(points)}: {', '.join(points[:3])}{' ...' if len(points) > 3 else ''}"
        if len(lacking) == len(set(files.values())):
            raise DataError(
                f"{source}: none of its {len(lacking)} .pose files holds the points of layout {layout} "
                f"({detail}). Choose another data.corpus.layout, or files with all of Holistic's points."
            )
        corpus.notes.append(f"{len(lacking)} files are left out: they lack points of layout {layout} ({detail}).")
    clips = [replace(clip, video="") for clip in corpus.clips if files[clip.clip_id] not in lacking]
    return Corpus(clips, keypoints=_PoseFiles(files, layout), notes=corpus.notes)


@dataclass(frozen=True)
class _PoseFiles:
    """A clip's landmarks: its file, or the span of it that the clip names."""

    paths: dict[str, Path]
    layout: str

    def __call__(self, clip: Clip) -> KeypointSequence:
        path = self.paths[clip.clip_id]
        whole = pose.read(path, clip_id=clip.clip_id, layout=self.layout)
        if not clip.start_s and clip.end_s is None:
            return whole
        end_s = float("inf") if clip.end_s is None else clip.end_s
        half_ms = 500 / whole.meta["fps"]  # times are rounded; a frame belongs to the span that its middle is in
        times = whole.timestamps_ms + half_ms
        span = (times >= 1000 * clip.start_s) & (times < 1000 * end_s)
        if not span.any():
            raise DataError(
                f"{path}: has no frame from {clip.start_s:g} to {end_s:g} s (clip {clip.clip_id}); it ends at "
                f"{(times[-1] + half_ms) / 1000:.2f} s. Correct its times, or leave it out."
            )
        meta = whole.meta | {"start_s": clip.start_s, "end_s": clip.end_s}
        times_ms = whole.timestamps_ms[span] - whole.timestamps_ms[span][0]
        return KeypointSequence(whole.keypoints[span], whole.confidence[span], times_ms, whole.layout, meta)
