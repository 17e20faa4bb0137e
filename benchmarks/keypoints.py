"""Frames/s of run=extract_keypoints' pool, over a plain loop of MediaPipe's `Holistic().process(frame)`.

    python benchmarks/keypoints.py

Both sides read the same real clips with the same reader on the same two cores and take turns. Two ratios:
`keypoints_steady`, the median over the rounds, while every worker is at work; and `keypoints`, all clips in one
run of the pool, with its start, the loading of MediaPipe in every worker, and its end. The plain loop is timed
with MediaPipe loaded. Pose and hand landmarks must be equal to the bit.

Then the peak memory of a worker on a clip of one minute, over that on a clip of three seconds.
"""

import itertools
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from sign_recog.extractors.mediapipe_holistic import HolisticExtractor
from sign_recog.extractors.pool import Job, extract_all
from sign_recog.storage.sequences import KeypointSequence, read_keypoints
from sign_recog.video.reader import read_frames
from sign_recog.video.writer import write_video

SPEED_GOAL, MEMORY_GOAL = 1.4, 1.1
ROUNDS, CLIPS_A_ROUND, CORES = 3, 6, 2
ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("SIGN_RECOG_TEST_DATA", ROOT / "../shared/data")).resolve() / "video_ksl77_koala/clips"
SETTINGS = {
    "layout": "holistic_75",
    "target_fps": None,
    "model_complexity": 1,
    "min_detection_confidence": 0.5,
    "min_tracking_confidence": 0.5,
    "smooth_landmarks": True,
    "sharpen": None,
    "background": None,
}


class MeasuredExtractor(HolisticExtractor):
    """Notes when and by whom each clip was worked on, and the process's peak memory so far."""

    def extract(self, video: Path, start_s: float = 0.0, end_s: float | None = None) -> KeypointSequence:
        began = time.monotonic()
        sequence = super().extract(video, start_s, end_s)
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        peak_mib = int(status["VmHWM"].split()[0]) / 1024
        sequence.meta |= {"process": os.getpid(), "began": began, "ended": time.monotonic(), "peak_mib": peak_mib}
        return sequence


def main() -> int:
    clips = sorted(DATA.glob("*.mp4"))
    cores = sorted(os.sched_getaffinity(0))[:CORES]
    if len(clips) < ROUNDS * CLIPS_A_ROUND or len(cores) < CORES:
        print(f"This needs {CORES} cores and {ROUNDS * CLIPS_A_ROUND} clips in {DATA} (SIGN_RECOG_TEST_DATA).")
        return 1
    os.sched_setaffinity(0, cores)  # both sides; workers inherit it
    os.environ["TQDM_DISABLE"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        equal, steady, speed = measure_speed(clips[:: len(clips) // (ROUNDS * CLIPS_A_ROUND)], Path(folder))
        memory = measure_memory(clips[0], Path(folder))
    print(f"pose and hand landmarks equal to the bit: {'yes' if equal else 'NO'}")
    print(f"keypoints_memory ratio={memory:.3f} goal={MEMORY_GOAL}")
    print(f"keypoints_steady ratio={steady:.3f} goal={SPEED_GOAL}")
    print(f"keypoints ratio={speed:.3f} goal={SPEED_GOAL}")
    return 0 if equal and min(steady, speed) >= SPEED_GOAL and memory <= MEMORY_GOAL else 1


def measure_speed(clips: list[Path], folder: Path) -> tuple[bool, float, float]:
    """Whether all landmarks are equal, the median ratio at work, and the ratio of the whole run."""
    plain_loop(clips[0], most=10)  # loads MediaPipe
    equal, ratios, plain_s = True, [], 0.0
    for number in range(ROUNDS):
        chosen = clips[number * CLIPS_A_ROUND : (number + 1) * CLIPS_A_ROUND]
        plain = [plain_loop(clip) for clip in chosen]
        plain_s += sum(seconds for _, seconds in plain)
        pool = run_pool(chosen, folder / str(number))
        equal &= all(np.array_equal(p[0], s.keypoints, equal_nan=True) for p, s in zip(plain, pool, strict=True))
        ratios.append(speedup([seconds for _, seconds in plain], [sequence.meta for sequence in pool]))
        rate = sum(len(points) for points, _ in plain) / sum(seconds for _, seconds in plain)
        print(f"round {number + 1}: plain loop {rate:.1f} frames/s, pool {rate * ratios[-1]:.1f} frames/s")
    began = time.monotonic()
    run_pool(clips, folder / "whole")
    return equal, statistics.median(ratios), plain_s / (time.monotonic() - began)


def plain_loop(clip: Path, most: int | None = None) -> tuple[np.ndarray, float]:
    """(T, 75, 3) pose, left hand, right hand in image widths, and the seconds it took."""
    from mediapipe.python.solutions.holistic import Holistic

    start, rows = time.monotonic(), []
    with Holistic(model_complexity=1) as holistic:
        for image, _ in itertools.islice(read_frames(clip), most):
            found = holistic.process(image)
            points = np.full((75, 3), np.nan, np.float32)
            parts = (found.pose_landmarks, found.left_hand_landmarks, found.right_hand_landmarks)
            for part, place in zip(parts, (slice(0, 33), slice(33, 54), slice(54, 75)), strict=True):
                if part:
                    points[place] = [(p.x, p.y * image.shape[0] / image.shape[1], p.z) for p in part.landmark]
            rows.append(points)
    return np.stack(rows), time.monotonic() - start


def run_pool(clips: list[Path], folder: Path) -> list[KeypointSequence]:
    """The clips' sequences from a pool with one worker a core."""
    jobs = [Job(clip.stem, clip) for clip in clips]
    done = extract_all(jobs, MeasuredExtractor(**SETTINGS), folder, num_workers=CORES)
    if done.failed:
        raise SystemExit(f"The pool failed: {done.failed}")
    return [read_keypoints(folder / f"{job.clip_id}.npz") for job in jobs]


def speedup(plain_s: list[float], metas: list[dict[str, float]]) -> float:
    """Seconds of plain work done a second, from when every worker has done a clip until one has done its last."""
    workers = [[meta for meta in metas if meta["process"] == process] for process in {m["process"] for m in metas}]
    start = max(min(meta["ended"] for meta in worker) for worker in workers)
    stop = min(max(meta["ended"] for meta in worker) for worker in workers)
    if len(workers) < CORES or stop <= start:
        raise SystemExit("The workers were never all at work at once: the machine is too busy to measure on.")
    work = 0.0
    for seconds, meta in zip(plain_s, metas, strict=True):
        inside = max(0.0, min(stop, meta["ended"]) - max(start, meta["began"]))
        work += seconds * inside / (meta["ended"] - meta["began"])
    return work / (stop - start)


def measure_memory(clip: Path, folder: Path) -> float:
    """A clip played forth and back for 60 s and for 3 s, each by a worker of its own: the ratio of their peaks."""
    images = [frame.image for frame in read_frames(clip)]
    there_and_back = images + images[::-1]
    for seconds in (60, 3):
        write_video(folder / f"{seconds}.mp4", itertools.islice(itertools.cycle(there_and_back), seconds * 25), fps=25)
    peaks = {s: run_pool([folder / f"{s}.mp4"], folder / f"{s}s")[0].meta["peak_mib"] for s in (60, 3)}
    print(f"peak memory of a worker: 60 s clip {peaks[60]:.0f} MiB, 3 s clip {peaks[3]:.0f} MiB")
    return peaks[60] / peaks[3]


if __name__ == "__main__":
    sys.exit(main())
