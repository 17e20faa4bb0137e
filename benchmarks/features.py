"""Frames/s of run=extract_features' loop, over a plain loop of the same network on the same clips.

    python benchmarks/features.py

The plain loop decodes a clip's frames one after another, squashes them, and forwards torchvision's `Inception3`
on batches of the same size, one clip at a time: no overlap, no shared batches, batch norm as it comes. Both
write the clip's features. Both use the same cores, device and precision, and take turns over the rounds.

`features` is the ratio of whole runs, without loading the network, which is timed alone. The features must be
equal to 1e-4 of the largest.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from sign_recog import torchvision_operators
from sign_recog.extractors.batched import extract_all
from sign_recog.extractors.inception_v3 import InceptionV3Extractor
from sign_recog.extractors.jobs import Job
from sign_recog.storage.features import FeatureSequence, read_features, write_features
from sign_recog.video.reader import read_frames

GOAL, TOLERANCE = 1.0, 1e-4
ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("SIGN_RECOG_TEST_DATA", ROOT / "../shared/data")).resolve() / "video_ksl77_koala/clips"


def main() -> int:
    arguments = parse()
    clips = sorted(DATA.glob("*.mp4"))[: arguments.clips]
    if not clips:
        print(f"This needs clips in {DATA} (SIGN_RECOG_TEST_DATA).")
        return 1
    settings = {"target_fps": arguments.target_fps, "batch_size": arguments.batch_size, "device": arguments.device}
    extractor = InceptionV3Extractor(**settings, precision=32, weights=None)
    began = time.monotonic()
    list(extractor.sequences([Job("warm", clips[0], 0.0, 0.2)], num_workers=0))
    print(f"loading the network and its first frames: {time.monotonic() - began:.1f} s on {extractor.torch_device()}")
    network = plain_network(extractor)
    ratios, differences = [], []
    with tempfile.TemporaryDirectory() as folder:
        plain_loop(network, clips[:1], Path(folder) / "warm", extractor, most_s=0.2)
        for number in range(arguments.rounds):
            plain_dir, ours_dir = Path(folder) / f"plain{number}", Path(folder) / f"ours{number}"
            frames, plain_s = plain_loop(network, clips, plain_dir, extractor)
            jobs = [Job(clip.stem, clip) for clip in clips]
            done = extract_all(jobs, extractor, ours_dir, num_workers=None)
            if done.failed or done.num_frames != frames:
                raise SystemExit(f"{done.num_frames} of {frames} frames were extracted; failed: {done.failed}")
            ratios.append(plain_s / done.seconds)
            differences += [difference(plain_dir / f"{clip.stem}.npz", ours_dir / f"{clip.stem}.npz") for clip in clips]
            rates = f"plain loop {frames / plain_s:.1f} frames/s, ours {frames / done.seconds:.1f} frames/s"
            print(f"round {number + 1}: {frames} frames; {rates}; ratio {ratios[-1]:.3f}")
    ratio, largest = statistics.median(ratios), max(differences)
    print(f"largest difference of features: {largest:.1e} of the largest feature, at most {TOLERANCE:.0e}")
    print(f"features ratio={ratio:.3f} goal={GOAL}")
    return 0 if ratio >= GOAL and largest <= TOLERANCE else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="extract_features over a plain loop")
    parser.add_argument("--clips", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--target-fps", type=float, default=None, help="as extractor.target_fps")
    parser.add_argument("--device", default="auto", help="as extractor.device")
    return parser.parse_args()


def plain_network(extractor: InceptionV3Extractor) -> torch.nn.Module:
    """The same random weights, in torchvision's network as it is."""
    torchvision_operators.declare_missing()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return extractor.build().eval().to(extractor.torch_device())


def plain_loop(
    network: torch.nn.Module,
    clips: list[Path],
    folder: Path,
    extractor: InceptionV3Extractor,
    most_s: float | None = None,
) -> tuple[int, float]:
    """Frames and seconds."""
    from PIL import Image

    size, device, num_frames = extractor.reading.image_size, extractor.torch_device(), 0
    torch.backends.cudnn.conv.fp32_precision = "ieee"  # as ours
    began = time.monotonic()
    for clip in clips:
        batch, rows, times = [], [], []
        frames = list(read_frames(clip, end_s=most_s, target_fps=extractor.reading.target_fps))
        for number, (image, timestamp_ms) in enumerate(frames, start=1):
            squashed = np.array(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR))
            batch.append(torch.from_numpy(squashed).permute(2, 0, 1).float() / 127.5 - 1)
            times.append(timestamp_ms)
            if len(batch) == extractor.batch_size or number == len(frames):
                with torch.inference_mode():
                    rows.append(network(torch.stack(batch).to(device)).cpu().numpy())
                batch = []
        write_features(folder / f"{clip.stem}.npz", FeatureSequence(np.concatenate(rows), np.array(times)))
        num_frames += len(times)
    return num_frames, time.monotonic() - began


def difference(plain: Path, ours: Path) -> float:
    a, b = (read_features(path).features for path in (plain, ours))
    return float(np.abs(a - b).max() / np.abs(a).max())


if __name__ == "__main__":
    sys.exit(main())
