"""A corpus of drawn dots as a user has it, a table, pictures and a video, and the settings of a training of seconds."""

import csv
from pathlib import Path

import numpy as np
from conftest import load_config
from drawn_dots import NAMES, dots

from sign_recog import stages
from sign_recog.stages.run_folder import corpus_dir
from sign_recog.storage.corpus import corpus_info_path

SIZE = (96, 64)  # width, height
COUNTS = {"train": 26, "val": 5, "test": 5, "new": 3}
SMALL = (
    "data=pose_csv", "data.name=dots", "modality=labelled_frames", "modality.image_height=32",
    "modality.image_width=64",
    "model=heatmap_tracker", "model.backbone=test_resnet", "model.skip_channels=16", "augment=none",
    "trainer.accelerator=cpu", "trainer.num_threads=1", "trainer.batch_size=8", "trainer.max_epochs=2",
    "trainer.monitor=val_pixel_error", "data.split.strategy=given", "pose.anneal_from=0", "pose.anneal_step=0.5",
    "pose.window=4",
)  # fmt: skip
LOSSES = (
    "pose.losses.temporal.enabled=true", "pose.losses.pca_singleview.enabled=true",
    "pose.losses.pca_singleview.components=2", "pose.losses.pca_singleview.epsilon=0.1",
    "pose.losses.temporal.epsilon=1", "pose.losses.temporal.log_weight=0",
)  # fmt: skip


def configure(folder: Path, *overrides: str, run: str = "train_pose"):
    """The configuration; its corpus is drawn and prepared where it is not there yet."""
    source = folder / "project"
    if not source.exists():
        write_project(source)
    paths = (f"paths.data_root={folder / 'data'}", f"paths.output_root={folder / 'outputs'}")
    own = (f"data.source={source / 'labels.csv'}", f"data.new_source={source / 'new.csv'}")
    own += (f"data.video_dir={source / 'videos'}", f"data.split_list={source / 'split.csv'}")
    settings = (*SMALL, *paths, *own, *overrides)
    config = load_config(f"run={run}", *settings)
    if not corpus_info_path(corpus_dir(config)).exists():
        stages.run(load_config("run=prepare", *(one for one in settings if not one.startswith("run."))))
    return config


def write_project(folder: Path) -> None:
    """``labels.csv``, ``new.csv``, ``split.csv``, pictures, and ``videos/walk.mp4`` of dots that move slowly."""
    from sign_recog.video.pictures import png
    from sign_recog.video.writer import write_video

    rng = np.random.default_rng(0)
    (folder / "videos").mkdir(parents=True)
    rows: dict[str, list[list[str]]] = {"labels": [], "new": []}
    splits = [["frame", "split"]]
    for split, count in COUNTS.items():
        for number in range(count):
            points = rng.uniform(0.3, 0.7, (3, 2)) * SIZE
            name = f"{split}{number:02d}.png"
            (folder / name).write_bytes(png(dots(points, SIZE[1], SIZE[0])))
            rows["new" if split == "new" else "labels"].append([name, *(f"{v:.3f}" for v in points.ravel())])
            if split != "new":
                splits.append([name, split])
    for table, own in rows.items():
        with (folder / f"{table}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([
                ["scorer", *["me"] * 6],
                ["bodyparts", *(name for name in NAMES for _ in "xy")],
                ["coords", *["x", "y"] * 3],
                *own,
            ])  # fmt: skip
    with (folder / "split.csv").open("w", newline="") as file:
        csv.writer(file).writerows(splits)
    turn = np.linspace(0, 2, 24)
    middle = np.array([[0.35, 0.4], [0.65, 0.6], [0.5, 0.35]]) * SIZE
    paths = [middle + 6 * np.array([np.cos(t), np.sin(t)]) for t in turn]
    write_video(folder / "videos" / "walk.mp4", (dots(points, SIZE[1], SIZE[0]) for points in paths), 10)
