"""A cheap extractor that notes when it is at which clip, and a command that extracts a folder with it, to be killed."""

import json
import os
import sys
import time
from pathlib import Path

import numpy as np

from sign_recog.errors import DataError
from sign_recog.extractors.jobs import Job, run_jobs
from sign_recog.extractors.pool import extract_all
from sign_recog.extractors.shards import share
from sign_recog.landmarks.layout import get_layout
from sign_recog.storage.fingerprint import fingerprint
from sign_recog.storage.sequences import KeypointSequence

__all__ = ["Drawn", "extract_all", "files", "intervals", "jobs_in", "run_jobs", "write_videos"]


class Drawn:
    """A "video" is a text: how many seconds it takes, or "fail"; numbers drawn from its name are its keypoints."""

    def __init__(self, notes: Path | None = None, **options):
        self.notes, self.options = notes, options

    def description(self):
        return {"extractor": "drawn", "version": "drawn 1", "options": self.options}

    def extract(self, video, start_s, end_s):
        self._note("begin", video)
        word = video.read_text().split()[0]
        if word == "fail":
            raise DataError(f"{video.name}: shows nobody.")
        time.sleep(float(word))
        rng = np.random.default_rng(list(video.stem.encode()))
        num_frames = int(rng.integers(2, 9))
        meta = {
            "extraction": self.description(), "fingerprint": fingerprint(video), "start_s": start_s, "end_s": end_s,
        }  # fmt: skip
        keypoints = rng.random((num_frames, 75, 3), np.float32)
        sequence = KeypointSequence(
            keypoints, np.ones((num_frames, 75)), np.arange(num_frames) * 40, get_layout("holistic_75"), meta
        )
        self._note("end", video)
        return sequence

    def _note(self, word, video):
        if self.notes is not None:
            with self.notes.open("a") as file:
                file.write(f"{video.stem}\t{word}\t{time.monotonic()}\t{os.getpid()}\n")


def write_videos(folder: Path, **words: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, word in words.items():
        (folder / f"{name}.mp4").write_text(word)


def jobs_in(folder: Path) -> list[Job]:
    return [Job(path.stem, path) for path in sorted(folder.glob("*.mp4"))]


def intervals(notes: Path) -> dict[str, list[tuple[float, float | None, int]]]:
    """Clip -> (begin, end, process) of each time it was worked on; no end where the process was killed."""
    found: dict[str, list] = {}
    for line in notes.read_text().splitlines():
        clip, word, at, process = line.split("\t")
        own = found.setdefault(clip, [])
        if word == "begin":
            own.append((float(at), None, int(process)))
        else:
            i = max(i for i, entry in enumerate(own) if entry[2] == int(process))
            own[i] = (own[i][0], float(at), int(process))
    return found


def files(folder: Path) -> dict[str, bytes]:
    """All files with their content, but for the workers' own."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in paths
        if ".progress" not in path.relative_to(folder).parts
    }


def main() -> None:
    """``small_extraction.py VIDEOS OUT NOTES NUM_WORKERS SHARD NUM_SHARDS [wait]``; prints what was done, as JSON.

    With "wait" it begins when it is sent a line.
    """
    import logging

    logging.basicConfig(level=logging.INFO)
    videos, out, notes = map(Path, sys.argv[1:4])
    num_workers, shard, num_shards = map(int, sys.argv[4:7])
    jobs = share(jobs_in(videos), shard, num_shards)
    print("ready", flush=True)
    if sys.argv[7:] == ["wait"]:
        sys.stdin.readline()
    done = extract_all(jobs, Drawn(notes), out, num_workers=num_workers)
    print(json.dumps({"finished": done.finished, "by_others": done.by_others, "failed": done.failed}), flush=True)


if __name__ == "__main__":
    main()
