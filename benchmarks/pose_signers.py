"""A detector of one's own beside MediaPipe Holistic: hand landmarks of signers that it has not seen.

    python benchmarks/pose_signers.py                              trains +experiment=synthetic_pose first, ten minutes
    python benchmarks/pose_signers.py FOLDER/checkpoints/best.ckpt      a detector that is there

Both see the same test clips, whose true landmarks are known: Holistic as videos, with its tracking, the detector frame
by frame. Errors are in pixels of the clips, over all 42 hand landmarks that lie in the picture. Landmarks that an
extractor does not find are told apart: the median of those found, the median in which a missing one counts as farther
than any, and the share that is found.
"""

import argparse
import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from sign_recog.extractors.mediapipe_holistic import HolisticExtractor
from sign_recog.extractors.pose_detector import PoseDetector
from sign_recog.stages.build import build
from sign_recog.storage.checkpoint import read_pose
from sign_recog.storage.corpus import manifest_dir, open_corpus
from sign_recog.storage.sequences import read_keypoints

ROOT = Path(__file__).parents[1]
HANDS = slice(33, 75)  # of holistic_75
DRAWN_AT = 0.25  # pixels: clips show a landmark so far right of and below where the truth file has it


def main() -> bool:
    """Print both; return whether the detector's median is the lower one, however missing landmarks count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path, nargs="?")
    parser.add_argument("--clips", type=int, default=None, help="only the first so many")
    arguments = parser.parse_args()
    checkpoint = arguments.checkpoint or trained()
    config = read_pose(checkpoint).config
    root = Path(config["paths"]["data_root"]) / config["data"]["name"]
    corpus = open_corpus(manifest_dir(root, config["data"]))
    clips = corpus.of_split("test")[: arguments.clips]
    extractors: dict[str, Any] = {
        "MediaPipe Holistic": HolisticExtractor(
            layout="holistic_75",
            target_fps=None,
            model_complexity=1,
            min_detection_confidence=0.5,
            min_tracking_confidence=0.5,
            smooth_landmarks=True,
            sharpen=None,
            background=None,
        ),
        "detector": PoseDetector(
            build=partial(build),
            checkpoint=str(checkpoint),
            name="pose_detector",
            layout="holistic_75",
            target_fps=None,
            batch_size=16,
            min_confidence=0.0,
            device="auto",
        ),
    }
    found = {}
    for name, extractor in extractors.items():
        errors = []
        for clip in clips:
            truth = read_keypoints(root / "truth" / f"{clip.clip_id}.npz")
            width = truth.meta["width"]
            seen = extractor.extract(corpus.video_path(clip)).keypoints[:, HANDS, :2] * width
            true = truth.keypoints[:, HANDS, :2] * width + DRAWN_AT
            labelled = np.isfinite(true).all(axis=2)
            errors.append(np.linalg.norm(seen - true, axis=2)[labelled])
        error = np.concatenate(errors)
        there = np.isfinite(error)
        found[name] = {
            "landmarks": len(error),
            "found": float(there.mean()),
            "median_px_of_found": float(np.median(error[there])),
            "median_px_missing_farthest": float(np.median(np.where(there, error, np.inf))),
            "mean_px_of_found": float(error[there].mean()),
            "nine_in_ten_px_of_found": float(np.quantile(error[there], 0.9)),
        }
        print(name, json.dumps({key: round(value, 3) for key, value in found[name].items()}), flush=True)
    holistic, own = found.values()
    ratio = max(own[key] / holistic[key] for key in ("median_px_of_found", "median_px_missing_farthest"))
    print(f"pose_signers_median ratio={ratio:.3f} goal=below 1")
    return ratio < 1


def trained() -> Path:
    """The experiment's checkpoint; trained, where it is not there."""
    subprocess.run(
        [sys.executable, "run.py", "+experiment=synthetic_pose", "run.steps=[prepare,train_pose]"], cwd=ROOT, check=True
    )
    return max((ROOT / "outputs/synthetic_pose").glob("*/seed1/checkpoints/best.ckpt"), key=lambda p: p.stat().st_mtime)


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
