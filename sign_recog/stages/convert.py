"""A prepared corpus -> the files of another system, beside the table that its reader needs."""

import json
import logging
from pathlib import Path
from typing import Any

from tqdm import tqdm

from sign_recog.config import Config
from sign_recog.data.readers import clip_path
from sign_recog.errors import ConfigError, DataError
from sign_recog.formats.base import Writer, get_writer
from sign_recog.stages import StageResult
from sign_recog.stages.run_folder import extractor_name, prepared
from sign_recog.storage import atomic
from sign_recog.storage.corpus import PreparedCorpus
from sign_recog.storage.features import read_features
from sign_recog.storage.manifest import Clip, inside
from sign_recog.storage.sequences import KeypointSequence, read_keypoints

logger = logging.getLogger(__name__)

MARK = "conversion.json"  # says that a folder is ours to write in, and what it holds


def run(config: Config) -> StageResult:
    """Convert what is not finished, write the format's table, and count what failed.

    Raises:
        ConfigError: If there is no such format, or it cannot hold what is asked for.
        DataError: If more than ``run.max_failed_share`` of the clips failed, two clips would be one file, or the
            folder holds something else.
    """
    settings, corpus = config.run, prepared(config)
    writer = get_writer(settings.format)
    if settings.every is not None and not hasattr(writer, "write_labels"):
        raise ConfigError(
            f"run.every={settings.every} has no effect: format {settings.format} holds no pictures. Use "
            "run.format=pose_csv, or run.every=null."
        )
    sources = _sources(config, corpus, writer)
    folder = Path(settings.output_dir or corpus.root / "converted" / settings.format).expanduser().absolute()
    targets = _targets(writer, corpus.clips, folder)
    kinds = ", ".join(sources)
    _claim(folder, {"format": settings.format, "kinds": kinds, "corpus": config.data.name})
    logger.info("%s", writer.LOSSES)
    done: list[Clip] = []
    failed: dict[str, str] = {}
    skipped = changed = 0
    for clip in tqdm(corpus.clips, desc=settings.format, unit="clip", mininterval=1.0):
        paths = {kind: clip_path(source, clip) for kind, source in sources.items()}
        target = targets[clip.clip_id]
        if _is_newer(target, paths):
            skipped += 1
        else:
            try:
                changed += _convert(writer, paths, target)
            except DataError as error:
                target.unlink(missing_ok=True)  # of a source that was good before
                failed[clip.clip_id] = " ".join(str(error).split())
                logger.warning("%s: %s", clip.clip_id, error)
                continue
        done.append(clip)
    rows = [("clip_id", "reason"), *failed.items()]
    atomic.write_text(folder / "failed.tsv", "".join("\t".join(row) + "\n" for row in rows))
    if len(failed) > settings.max_failed_share * len(corpus.clips):
        first, reason = next(iter(failed.items()))
        raise DataError(
            f"{len(failed)} of {len(corpus.clips)} clips failed, more than run.max_failed_share="
            f"{settings.max_failed_share}. The first: {first}: {reason} All stand in {folder / 'failed.tsv'}."
        )
    summary = {
        "format": settings.format,
        "kinds": kinds,
        "clips": len(corpus.clips),
        "converted now": len(done) - skipped,
        "finished before": skipped,
        "failed": len(failed),
        "coordinates moved into the image": changed,
        "table": writer.write_index(folder, done),
    }
    if settings.every is not None:
        summary |= _write_labels(writer, corpus, sources["keypoints"], done, folder, settings.every)
    return StageResult(summary=summary)


def _write_labels(
    writer: Any, corpus: PreparedCorpus, keypoints: Path, clips: list[Clip], folder: Path, every: int
) -> dict[str, Any]:
    """Pictures of some frames, with what is known of their landmarks."""

    def read_clip(clip: Clip) -> KeypointSequence:
        return read_keypoints(clip_path(keypoints, clip))

    table, failed = writer.write_labels(folder, clips, read_clip, corpus.video_path, every)
    for clip_id, reason in failed.items():
        logger.warning("%s gives no pictures: %s", clip_id, reason)
    return {"pictures to label": table, "clips without pictures": len(failed)}


def _sources(config: Config, corpus: PreparedCorpus, writer: Writer) -> dict[str, Path]:
    """Kind -> the folder of its files."""
    settings, name = config.run, extractor_name(config)
    folders = {
        "keypoints": corpus.keypoints_dir(settings.keypoints_extractor or name),
        "features": corpus.features_dir(settings.features_extractor or name),
    }
    if settings.kinds is not None:
        if unheld := sorted(set(settings.kinds) - writer.KINDS):
            raise ConfigError(
                f"run.kinds={settings.kinds}: format {settings.format} holds {', '.join(sorted(writer.KINDS))}, "
                f"not {', '.join(unheld)}."
            )
        if absent := [kind for kind in settings.kinds if not folders[kind].is_dir()]:
            raise ConfigError(
                f"run.kinds={settings.kinds}: there are no {absent[0]} in {folders[absent[0]]}. Extract them first, or "
                f"say whose: run.{absent[0]}_extractor."
            )
    chosen = settings.kinds or sorted(writer.KINDS, reverse=True)
    found = {kind: folders[kind] for kind in chosen if folders[kind].is_dir()}
    if not found:
        looked = " and ".join(str(folders[kind]) for kind in chosen)
        raise DataError(f"{config.data.name} has nothing to convert: no {looked}. Extract keypoints or features first.")
    return found


def _targets(writer: Writer, clips: list[Clip], folder: Path) -> dict[str, Path]:
    names = {clip.clip_id: writer.file_name(clip) for clip in clips}
    owners: dict[str, str] = {}
    for clip_id, name in names.items():
        if owners.setdefault(name, clip_id) != clip_id:
            raise DataError(
                f"Clips {owners[name]} and {clip_id} would both be {name}, since the format has no subfolders. Rename "
                "one of them in the annotation."
            )
    return {clip_id: inside(folder, name) for clip_id, name in names.items()}


def _claim(folder: Path, content: dict[str, str]) -> None:
    """Make ``folder`` ours, so that no original is ever overwritten."""
    mark = folder / MARK
    if mark.exists():
        try:
            before = json.loads(mark.read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            raise DataError(f"{mark}: is damaged ({error}). Delete the folder, or choose another.") from error
        if before != content:
            raise DataError(
                f"{folder}: holds another conversion ({before}). Choose another run.output_dir, or delete it."
            )
    elif folder.is_dir() and any(folder.iterdir()):
        raise DataError(f"{folder}: is not empty and holds no conversion. Choose another run.output_dir.")
    atomic.write_json(mark, content)


def _is_newer(target: Path, sources: dict[str, Path]) -> bool:
    """Whether ``target`` was made from the present ``sources``."""
    if not target.is_file() or not all(path.is_file() for path in sources.values()):
        return False
    return target.stat().st_mtime_ns >= max(path.stat().st_mtime_ns for path in sources.values())


def _convert(writer: Writer, sources: dict[str, Path], target: Path) -> int:
    keypoints = read_keypoints(sources["keypoints"]) if "keypoints" in sources else None
    features = read_features(sources["features"]) if "features" in sources else None
    return writer.write(target, keypoints, features)
