"""Detection of landmarks: training and video prediction beside the network alone, and memory against a video's length.

    python benchmarks/pose.py [training] [unlabelled] [video] [memory]      all four without a name

training: +experiment=mirror_mouse without validation (Lightning's loop, loader with augmentations, metrics, last.ckpt
after every 25 steps) over the same optimiser steps on the same batches, made before and held in memory; in turn, in one
process, with one thread. unlabelled: the same with all losses of unlabelled frames on, from the first epoch.
video: frames/s of predicting a video, decoding and scaling included, over forward passes and decoding of heatmaps of
as many frames held in memory, with one thread for the network.
memory: peak memory of a process that predicts a video, and one of eight times its length.

The example of Lightning Pose is read from SIGN_RECOG_TEST_DATA/mirror_mouse_example.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("SIGN_RECOG_TEST_DATA", ROOT / "../shared/data")).resolve() / "mirror_mouse_example"
TRAINING_GOAL, VIDEO_GOAL, MEMORY_GOAL = 0.9, 0.9, 1.1
BATCH, ROUNDS, LONGER = 32, 3, 8  # frames a batch of prediction; measurements; times the length of a video
STEPS = 25  # between two checkpoints; Lightning Pose evaluates every fifth epoch of five steps too
ALL_LOSSES = ["pose.anneal_from=0"]
ALL_LOSSES += [f"pose.losses.{name}.enabled=true" for name in ("temporal", "pca_singleview", "pca_multiview")]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = {"training": training, "unlabelled": unlabelled, "video": video, "memory": memory}
    parser.add_argument("parts", nargs="*", choices=[*parts, []], default=[])
    parser.add_argument("--rounds", type=int, default=4, help="of training and unlabelled, 25 steps each")
    parser.add_argument("--backbone", default="resnet18", help="a network of timm")
    parser.add_argument(
        "--predict", help=argparse.SUPPRESS
    )  # what memory measures: this video, in a process of its own
    arguments = parser.parse_args()
    os.chdir(ROOT)
    sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]
    if arguments.predict:
        predict(Path(arguments.predict), arguments)
        return 0
    if not DATA.is_dir():
        print(f"{DATA} is no folder. Set SIGN_RECOG_TEST_DATA to the folder of real data.")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        met = [parts[name](arguments, Path(folder)) for name in arguments.parts or parts]
    return 0 if all(met) else 1


def told(name: str, ratio: float, goal: float, *, at_most: bool = False) -> bool:
    print(f"{name} ratio={ratio:.3f} goal={'at most ' if at_most else ''}{goal}", flush=True)
    return ratio <= goal if at_most else ratio >= goal


# --- training


def training(arguments: argparse.Namespace, folder: Path) -> bool:
    """Of labelled frames alone."""
    return told("pose_training", training_ratio(arguments, folder), TRAINING_GOAL)


def unlabelled(arguments: argparse.Namespace, folder: Path) -> bool:
    """With a window of unlabelled frames a step."""
    return told("pose_training_unlabelled", training_ratio(arguments, folder, *ALL_LOSSES), TRAINING_GOAL)


def training_ratio(arguments: argparse.Namespace, folder: Path, *overrides: str) -> float:
    """Median over the rounds of our frames/s by those of steps on batches in memory."""
    import torch
    from training import as_callback

    from sign_recog.stages import train_pose
    from sign_recog.stages.run_folder import prepared
    from sign_recog.training.budget import Budget
    from sign_recog.training.callbacks import POSE_COLUMNS
    from sign_recog.training.trainer import build_trainer

    torch.set_num_threads(1)
    every = f"trainer.eval_every_steps={STEPS}"
    config = configured(folder, *overrides, every, f"model.backbone={arguments.backbone}")
    config.trainer.max_epochs, config.trainer.max_steps = None, arguments.rounds * STEPS
    material = train_pose.read_material(config, prepared(config))
    module, loader = train_pose.assemble(config, material), train_pose._loaders(config, material)["train"]
    with tempfile.TemporaryDirectory(dir=folder) as run_folder:
        budget = Budget.of(config.trainer, len(material.train_ids))
        trainer = build_trainer(config.trainer, Path(run_folder), [], budget=budget, columns=POSE_COLUMNS)
        resident = Resident(loader, module, config)
        beside = as_callback(resident, resident.num_clips)
        trainer.callbacks = [c for c in trainer.callbacks if getattr(c, "monitor", None) is None]  # nothing to monitor
        trainer.callbacks.insert(0, beside)
        trainer.fit(module, loader)
    return beside.ratio()


class Resident:
    """The steps between two evaluations on their batches, held in memory."""

    def __init__(self, loader, module, config):
        import copy

        self.batches = list(loader)
        self.num_clips = sum(len(batch["frames"]) for batch in self.batches)
        self.network = copy.deepcopy(module.network).train()
        self.optimizer = module._build_optimizer(self.network)
        self.losses, self.settings, self.clip = module.unsupervised, config.pose, config.trainer.gradient_clip

    def epoch(self) -> None:
        for batch in self.batches:
            self.step(batch)

    def step(self, batch) -> None:
        import torch

        from sign_recog.training.pose_losses import heatmap_losses, moved

        self.optimizer.zero_grad()
        frames, count = batch["frames"], len(batch["frames"])
        if "video" in batch:
            frames = torch.cat([frames, batch["video"]])
        heatmaps = self.network(frames)["heatmaps"]
        loss = heatmap_losses(heatmaps[:count], batch["points"], self.settings, self.network.output_stride).mean()
        if "video" in batch:
            points, confidence = self.network.decode({"heatmaps": heatmaps[count:]})
            own = self.losses(moved(points, batch["video_to_original"]), confidence.detach())
            loss = loss + self.losses.objective(own, 0)
        loss.backward()
        if self.clip is not None:
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.clip)
        self.optimizer.step()


# --- video


def video(arguments: argparse.Namespace, folder: Path) -> bool:
    """Frames/s of a whole video by those of the network alone."""
    import numpy as np
    import torch

    from sign_recog.video.reader import VideoReader
    from sign_recog.video.scaling import scaled

    torch.set_num_threads(1)
    path, detector = next((DATA / "videos").iterdir()), made_detector(arguments)
    first = [frame.image for frame, _ in zip(VideoReader(path), range(BATCH), strict=False)]
    resident = np.stack([scaled(one, detector.height, detector.width).transpose(2, 0, 1) for one in first])
    frames = torch.from_numpy(resident)
    ratios, ours, alone = [], [], []
    for _ in range(ROUNDS):
        start, number = time.perf_counter(), 0
        for found in detector.video(VideoReader(path), batch_size=BATCH):
            number += len(found.points)
        ours.append(number / (time.perf_counter() - start))
        start = time.perf_counter()
        for _ in range(number // BATCH):
            detector.predict(frames)
        alone.append(number // BATCH * BATCH / (time.perf_counter() - start))
        ratios.append(ours[-1] / alone[-1])
    print(f"{number} frames of {path.name}: {statistics.median(ours):.0f} frames/s, the network alone "
          f"{statistics.median(alone):.0f}")  # fmt: skip
    return told("pose_video", statistics.median(ratios), VIDEO_GOAL)


def memory(arguments: argparse.Namespace, folder: Path) -> bool:
    """Peak memory of predicting a long video by that of a short one."""
    from sign_recog.video.reader import VideoReader
    from sign_recog.video.writer import write_video

    source, peaks = next((DATA / "videos").iterdir()), []
    for times in (1, LONGER):
        path = folder / f"{times}.mp4"
        frames = (frame.image for _ in range(times) for frame in VideoReader(source))
        number = write_video(path, frames, 30.0)
        command = [sys.executable, __file__, "--predict", str(path), "--backbone", arguments.backbone]
        process = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"})
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit("Predicting the video failed.")
        peaks.append(usage.ru_maxrss / 1024)
        print(f"{number} frames: {peaks[-1]:.0f} MiB")
    return told("pose_memory", peaks[1] / peaks[0], MEMORY_GOAL, at_most=True)


def predict(path: Path, arguments: argparse.Namespace) -> None:
    """All of a video, of which nothing is kept."""
    import torch

    from sign_recog.video.reader import VideoReader

    torch.set_num_threads(1)
    for _ in made_detector(arguments).video(VideoReader(path), batch_size=BATCH):
        pass


def made_detector(arguments: argparse.Namespace):
    """With random weights; of the example's size."""
    import torch

    from sign_recog.extractors.detection import Detector
    from sign_recog.landmarks.named import NamedLandmarks
    from sign_recog.models.pose import HeatmapTracker

    names = NamedLandmarks(tuple(f"landmark{i}" for i in range(17)))
    size = {"height": 128, "width": 128}
    network = HeatmapTracker(
        num_landmarks=17, **size, backbone=arguments.backbone, weights=None, skip_channels=64, temperature=2.0
    )
    network = network.eval().requires_grad_(False)
    return Detector(network, names, **size, context=0, device=torch.device("cpu"), precision="32-true")


# --- shared


def configured(folder: Path, *overrides: str):
    """The settings of a training of the example, which is prepared where it is not yet."""
    from hydra import compose, initialize_config_dir

    from sign_recog import cli, config
    from sign_recog.stages import run
    from sign_recog.stages.run_folder import corpus_dir

    config.register_schemas()
    overrides = ["+experiment=mirror_mouse", f"data.source={DATA}/CollectedData.csv", *overrides]
    overrides += [f"data.video_dir={DATA}/videos", f"paths.data_root={folder}/data"]
    overrides += [f"paths.output_root={folder}/outputs", "trainer.num_threads=1", "trainer.accelerator=cpu"]
    with initialize_config_dir(str(cli.CONF_DIR), version_base="1.3"):
        prepare = config.validate(compose("config", [*overrides, "run=prepare"]))
        found = config.validate(compose("config", [*overrides, "run=train_pose"]))
    if not corpus_dir(found).exists():
        run(prepare)
    return found


if __name__ == "__main__":
    sys.exit(main())
