"""Videos -> landmarks as CSV, with their errors, and copies of the videos with the landmarks drawn."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from sign_recog.config import Config
from sign_recog.corpora.annotation import VIDEO_SUFFIXES
from sign_recog.errors import ConfigError, DataError
from sign_recog.evaluation.pose.tables import VideoTables
from sign_recog.landmarks.draw import draw_landmarks
from sign_recog.opencv import require_opencv
from sign_recog.stages import StageResult
from sign_recog.stages.detector import TrainedDetector, load_detector
from sign_recog.stages.inputs import write_failed
from sign_recog.stages.run_folder import result_dir
from sign_recog.storage import atomic
from sign_recog.storage.checkpoint import PoseCheckpoint
from sign_recog.storage.memo import Memo
from sign_recog.video.reader import VideoReader
from sign_recog.video.writer import write_video

logger = logging.getLogger(__name__)
VIDEO_PREDS, LABELED_VIDEOS = "video_preds", "labeled_videos"  # folders, as Lightning Pose calls them
_MEMO = ".predicted.json"


@dataclass
class VideosPredicted:
    """What became of videos.

    Attributes:
        predicted, skipped: Names of those predicted now, and of those whose files were there already.
        failed: Name of the file, and why.
        num_frames: Of those predicted now.
    """

    predicted: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    num_frames: int = 0


def predict_pose(config: Config, trained: PoseCheckpoint) -> StageResult:
    """Write the files of :func:`predict_videos` for ``run.input``, a video or a folder of videos.

    Raises:
        ConfigError: If settings have no effect on a detector, or there is no input.
        CheckpointError: If the checkpoint cannot be used.
        DataError: If there is no video, or none could be read.
    """
    settings = config.run
    idle = [name for name in ("language", "embeddings", "glosses") if getattr(settings, name)]
    if idle:
        raise ConfigError(f"run.{idle[0]} has no effect: {trained.path} is a detector of landmarks. Leave it out.")
    paths = video_paths(Path(settings.input), "run.input")
    detector = load_detector(trained, config.trainer)
    folder = result_dir(config, trained.path, settings.output_dir, VIDEO_PREDS)
    done = predict_videos(detector, paths, folder, overlay=settings.overlay, batch_size=settings.batch_size)
    if len(done.failed) == len(paths):
        raise DataError(f"None of {len(paths)} videos could be predicted. The first: {done.failed[0][1]}")
    summary = {
        "videos": len(paths),
        "predicted": len(done.predicted),
        "predicted before": len(done.skipped),
        "failed": len(done.failed),
        "frames": done.num_frames,
        "results": folder,
    }
    return StageResult(summary=summary)


def video_paths(path: Path, key: str) -> list[Path]:
    """The video at ``path``, or those in the folder; ``key`` is the setting that names it.

    Raises:
        DataError: If there is none.
    """
    if path.is_dir():
        found = sorted(p for p in path.iterdir() if p.suffix.lower() in VIDEO_SUFFIXES)
        if not found:
            raise DataError(f"{path}: holds no video. Known suffixes: {', '.join(VIDEO_SUFFIXES)}.")
        return found
    if not path.exists():
        raise DataError(f"{path}: no such file or folder. Check {key}.")
    if path.suffix.lower() not in VIDEO_SUFFIXES:
        raise DataError(
            f"{path}: is no video, and a detector reads videos. Known suffixes: {', '.join(VIDEO_SUFFIXES)}."
        )
    return [path]


def predict_videos(
    detector: TrainedDetector, paths: Iterable[Path], folder: Path, *, overlay: bool, batch_size: int
) -> VideosPredicted:
    """Predict each of ``paths`` into ``folder``; one that cannot be read is listed there and the rest goes on.

    Of each video ``<video>.csv``, ``<video>_temporal_norm.csv`` and, where the checkpoint knows planes,
    ``<video>_pca_singleview_error.csv`` and ``<video>_pca_multiview_error.csv``; with ``overlay`` also
    ``labeled_videos/<video>_labeled.mp4``. A video whose files are of this checkpoint already is left as it is, and
    the log says so. Of videos that fail ``failed.tsv`` holds the reasons.

    Args:
        batch_size: Frames a forward pass.

    Raises:
        DataError: If two videos would write the same files.
    """
    paths = list(paths)
    stems = [path.stem for path in paths]
    if twice := sorted({stem for stem in stems if stems.count(stem) > 1}):
        raise DataError(f"{twice[0]} stands for two videos, whose results would share a name. Rename one.")
    if overlay:
        require_opencv()
    done, memo = VideosPredicted(), Memo(folder / _MEMO)
    (folder / "failed.tsv").unlink(missing_ok=True)  # of an earlier command
    for path in tqdm(paths, desc="predicting", unit="video", disable=len(paths) == 1):
        try:
            reader = VideoReader(path)
            tables = VideoTables(folder, path.stem, detector.landmarks.names, detector.planes_for(path, reader.info))
            labeled = folder / LABELED_VIDEOS / f"{path.stem}_labeled.mp4" if overlay else None
            files = [path, detector.checkpoint.path, *tables.paths.values(), *([labeled] if labeled else [])]
            if memo.get(path.stem, files) is not None:
                logger.info("%s: predicted by this checkpoint before, and left as it is. Delete its files to repeat.",
                            path)  # fmt: skip
                done.skipped.append(path.stem)
                continue
            done.num_frames += _predict(detector, reader, tables, labeled, batch_size)
        except DataError as error:
            done.failed.append((path.name, str(error)))
            if len(paths) > 1:  # of one alone, the stage's error says the same
                logger.warning("%s", error)
            continue
        memo.put(path.stem, files, True)
        memo.save()  # after each, so that a command that was killed goes on from there
        done.predicted.append(path.stem)
    write_failed(folder, done.failed)
    return done


def _predict(
    detector: TrainedDetector, reader: VideoReader, tables: VideoTables, labeled: Path | None, batch_size: int
) -> int:
    """Predict one video, decoding it once; return its frames."""

    def drawn() -> Iterator[np.ndarray]:
        for found in detector.predict_video(reader, batch_size=batch_size, keep_images=labeled is not None):
            tables.add(found.points, found.confidence)
            for image, points, confidence in zip(found.images, found.points, found.confidence, strict=False):
                yield draw_landmarks(image, points, detector.landmarks, confidence)

    with tables:
        if labeled is None:
            for _ in drawn():
                raise AssertionError("no pictures were asked for")
        else:
            with atomic.replaced(labeled) as temporary:
                write_video(temporary, drawn(), reader.info.fps)
    return tables.num_frames
