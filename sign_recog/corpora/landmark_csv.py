"""Clips that come as tables of landmarks, a row a frame: what DeepLabCut and Lightning Pose predict for videos."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sign_recog.corpora.annotation import VIDEO_SUFFIXES, to_folder, without_suffix
from sign_recog.corpora.base import Corpus
from sign_recog.corpora.manifest import FileKind, read_files
from sign_recog.errors import ConfigError, DataError
from sign_recog.formats import pose_csv
from sign_recog.storage.manifest import Clip, inside
from sign_recog.storage.sequences import KeypointSequence
from sign_recog.video.reader import probe

_TABLES = FileKind("table", (".csv",), "path")


def read(
    source: str,
    out_dir: Path,
    *,
    video_dir: str | None,
    width: int | None,
    height: int | None,
    fps: float | None,
    table_dir: str | None = None,
    columns: Mapping[str, str | None] | None = None,
) -> Corpus:
    """Read a table of tables, or a folder of them, as :func:`sign_recog.corpora.manifest.read` does.

    A table of landmarks does not say how large and how fast its pictures were: its video does, the one in the column
    ``video``, or that of the same name in ``video_dir``; or ``width``, ``height`` and ``fps`` for all.

    Args:
        out_dir: Unused; nothing is written.
        table_dir: The folder that the names in the table start from; None = the table's.

    Raises:
        DataError: If the table lacks a column, or lines are wrong (all are named), or no file exists.
        ConfigError: If neither videos nor their size and speed are given, or both.
    """
    given = [one is not None for one in (width, height, fps)]
    if (video_dir is None) != all(given) or (video_dir is not None and any(given)):
        raise ConfigError(
            "data.video_dir, or all of data.corpus.width, height and fps: a table of landmarks does not say how large "
            "its pictures are and how fast they come. Give one of the two."
        )
    corpus = read_files(source, _TABLES, table_dir, columns, "s")
    if corpus.video_dir is None:
        raise DataError(f"{source}: names no files. {_TABLES.two_forms}")
    files = {clip.clip_id: corpus.video_dir / clip.video for clip in corpus.clips}
    videos = None if video_dir is None else to_folder(video_dir)
    sizes = None if width is None or height is None or fps is None else (width, height, fps)
    clips = []
    for clip in corpus.clips:
        clip.extra["table"], clip.video = clip.video, clip.extra.pop("source_video", "")
        clips.append(clip)
    return Corpus(clips, keypoints=_Tables(files, videos, sizes), notes=corpus.notes, left_out=corpus.left_out)


@dataclass(frozen=True)
class _Tables:
    """A clip's landmarks."""

    paths: dict[str, Path]
    videos: Path | None
    sizes: tuple[int, int, float] | None  # width, height, fps

    def __call__(self, clip: Clip) -> KeypointSequence:
        path = self.paths[clip.clip_id]
        width, height, fps = self.sizes or self._probed(path, clip)
        return pose_csv.read(path, clip_id=clip.clip_id, width=width, height=height, fps=fps)

    def _probed(self, path: Path, clip: Clip) -> tuple[int, int, float]:
        assert self.videos is not None
        stem = without_suffix(clip.extra["table"], (".csv",))
        names = [clip.video] if clip.video else [f"{stem}{suffix}" for suffix in VIDEO_SUFFIXES]
        video = next((one for name in names if (one := inside(self.videos, name)).is_file()), None)
        if video is None:
            raise DataError(f"{path}: no video {names[0]} is in {self.videos}, which says how large its pictures are.")
        info = probe(video)
        return info.width, info.height, info.fps
