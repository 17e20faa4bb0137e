"""A prepared corpus of labelled frames and a checkpoint that finds them, for tests of what is done with a detector."""

from pathlib import Path

import numpy as np
from conftest import load_config
from pose_fakes import LANDMARKS, draw, moving, write_checkpoint

from sign_recog.stages.run_folder import corpus_dir, plain
from sign_recog.storage import atomic
from sign_recog.storage.corpus import corpus_info_path
from sign_recog.storage.labelled_frames import LabelledFrame, LabelledFrames, write_frames
from sign_recog.storage.manifest import Clip, write_manifest
from sign_recog.video.pictures import png

SPLITS = ("train", "train", "train", "train", "val", "val", "test", "test", "test", "new")
SIZE = (96, 64)  # width, height


def configure(tmp_path: Path, *overrides: str):
    """A configuration whose folders are below ``tmp_path``."""
    paths = (f"paths.data_root={tmp_path / 'data'}", f"paths.output_root={tmp_path / 'outputs'}")
    fixed = (
        "data=manifest",
        "data.name=blobs",
        "data.source=unused",
        "trainer.accelerator=cpu",
        "trainer.batch_size=4",
    )
    return load_config(*fixed, *paths, *overrides)


def write_blobs(config, *, splits=SPLITS, off: float = 0.0) -> LabelledFrames:
    """Pictures with three blobs, labelled ``off`` pixels beside them; the first has no label for green."""
    folder = corpus_dir(config)
    images = Path(config.paths.data_root) / "pictures"
    points = moving(len(splits), *SIZE)
    frames = []
    for i, split in enumerate(splits):
        path = images / f"{i}.png"
        atomic.write_bytes(path, png(draw(points[i], *SIZE)))
        frames.append(LabelledFrame(f"pictures/{i}.png", path, split, *SIZE, video=f"v{i % 3}"))
    labels = points + off * np.array([1.0, 0.0])
    labels[0, 1] = np.nan
    labelled = LabelledFrames(LANDMARKS, frames, labels)
    write_frames(folder, labelled, images)
    write_manifest(folder / "manifest.tsv", [Clip("v0", "v0.mp4", split="train")])
    info = {"name": "blobs", "video_dir": None, "splits": {}, "notes": [], "warnings": [], "leakage": [], "given": []}
    atomic.write_json(corpus_info_path(folder), info | {"settings": {"split": {"strategy": "given"}}})
    return labelled


def write_run(config, *, name: str = "best", **changes) -> Path:
    """A checkpoint in the run folder of ``config``, whose network finds the blobs."""
    path = Path(config.paths.run_dir) / "checkpoints" / f"{name}.ckpt"
    return write_checkpoint(path, plain(config), **changes)
