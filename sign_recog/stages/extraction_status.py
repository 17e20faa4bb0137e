"""How the extractions of the corpus at hand stand, as tables."""

from collections.abc import Iterator
from pathlib import Path

from sign_recog.config import Config
from sign_recog.console import print_table
from sign_recog.extractors.progress import Progress, Speed, progress_of
from sign_recog.extractors.shared import SETTINGS
from sign_recog.launch.overview import one_line
from sign_recog.stages.extraction import jobs_of
from sign_recog.stages.run_folder import corpus_dir
from sign_recog.storage.corpus import PreparedCorpus, corpus_info_path, open_corpus
from sign_recog.storage.ledger import FOLDER


def print_extractions(config: Config) -> dict[str, str]:
    """Print a row for each extraction folder of the corpus, and one for each living worker; folder -> its counts.

    Nothing is printed where the corpus is not prepared, or nothing of it is extracted.
    """
    folder = corpus_dir(config)
    if not corpus_info_path(folder).exists():
        return {}
    corpus = open_corpus(folder)
    if corpus.video_dir is None:
        return {}
    found = {name: _progress(path, name, corpus) for name, path in _folders(corpus.root)}
    if not found:
        return {}
    header = ("folder", "done", "running", "failed", "missing", "clips/min", "frames/s", "time left", "first failure")
    print_table(f"{corpus.root}: extraction", header, [(name, *_row(progress)) for name, progress in found.items()])
    workers = [
        (
            one.worker.host,
            str(one.worker.pid),
            name,
            str(one.num_clips),
            *_speed(one.speed),
            one_line(", ".join(one.clips), most=80),
        )
        for name, progress in found.items()
        for one in progress.workers
    ]
    if workers:
        who = ("host", "process", "folder", "clips", "clips/min", "frames/s", "at")
        print_table(f"{corpus.root}: workers", who, workers)
    return {name: _counts(progress) for name, progress in found.items()}


def _folders(root: Path) -> Iterator[tuple[str, Path]]:
    for pattern in ("keypoints/*", "features/*", "features_augmented/*/*"):
        for path in sorted(root.glob(pattern)):
            if (path / SETTINGS).exists() or (path / FOLDER).exists():
                yield str(path.relative_to(root)), path


def _progress(path: Path, name: str, corpus: PreparedCorpus) -> Progress:
    return progress_of(
        path, jobs_of(corpus, corpus.of_split("train") if name.startswith("features_augmented") else corpus.clips)
    )


def _row(progress: Progress) -> tuple[str, ...]:
    counts = (progress.done, progress.running, progress.failed, progress.missing)
    left = "" if progress.left_s is None else _duration(progress.left_s)
    return (*map(str, counts), *_speed(progress.speed), left, one_line(progress.first_failure))


def _speed(speed: Speed | None) -> tuple[str, str]:
    return ("", "") if speed is None else (f"{speed.clips_per_min:.1f}", f"{speed.frames_per_s:.1f}")


def _counts(progress: Progress) -> str:
    total = progress.done + progress.running + progress.failed + progress.missing
    return f"{progress.done} of {total} done, {progress.running} running, {progress.failed} failed"


def _duration(seconds: float) -> str:
    """Hours, minutes and seconds.

    >>> _duration(3725)
    '1:02:05'
    """
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
