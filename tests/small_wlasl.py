"""A folder laid out like WLASL: tiny videos under real names where the real annotation is there."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from conftest import ROOT

from sign_recog.video.writer import write_video

NAMES = ("book", "drink", "computer", "before", "chair", "go", "clothes", "who", "candy", "cousin", "deaf", "fine")
SPLITS = ("train", "val", "test")
FPS = 25


@dataclass(frozen=True)
class SmallWlasl:
    """Where everything is.

    Attributes:
        video_dir: Holds ``<video_id>.mp4``.
        splits: Holds the annotation; beside ``video_dir``, as S2's users have it.
        entries: video_id -> ``{"subset": ..., "action": [class, first, last]}`` of the videos that were made.
        real: Whether names, splits, classes and frames are those of the real nslt_100.json.
    """

    video_dir: Path
    splits: Path
    entries: dict
    real: bool


def real_splits() -> Path | None:
    """The folder of WLASL's own nslt_*.json; None = there is no real data here."""
    folder = Path(os.environ.get("SIGN_RECOG_TEST_DATA", ROOT / "../shared/data")) / "splits_wlasl"
    return folder.resolve() if (folder / "nslt_100.json").is_file() else None


def write_small_wlasl(
    folder: Path,
    num_glosses: int = 3,
    clips_per_split: tuple[int, int, int] = (3, 1, 1),
    *,
    size: tuple[int, int] = (96, 72),
    whole: bool = False,
    boxes: bool = False,
) -> SmallWlasl:
    """Write ``folder/splits`` and ``folder/WLASL2000`` with one tiny video an entry.

    Each gloss is a square of its own colour that moves its own way, so a network can learn it; every clip's
    background differs. A video has the frames of its entry, and at least 34.

    Args:
        num_glosses: The first glosses of WLASL100 (at most 12).
        clips_per_split: Of each gloss in train, val and test.
        size: Width and height in pixels.
        whole: Write the whole nslt_100.json (the other videos are then missing), not only the entries of the videos.
        boxes: Write WLASL_v0.3.json as well, with the square's surroundings as the signer's box.
    """
    video_dir, splits, real = folder / "WLASL2000", folder / "splits", real_splits()
    video_dir.mkdir(parents=True)
    splits.mkdir()
    annotation = _invented(num_glosses, clips_per_split) if real is None else _read(real / "nslt_100.json")
    entries = _chosen(annotation, num_glosses, clips_per_split)
    for number, (video_id, entry) in enumerate(entries.items()):
        class_id, _, last = entry["action"]
        frames = square_frames(class_id, max(34, last), size, seed=number)
        write_video(video_dir / f"{video_id}.mp4", frames, FPS)
    (splits / "nslt_100.json").write_text(json.dumps(annotation if whole else entries))
    (splits / "wlasl_class_list.txt").write_text("".join(f"{i}\t{name}\n" for i, name in enumerate(_names(real))))
    if boxes:
        (splits / "WLASL_v0.3.json").write_text(json.dumps(_listed(entries, _names(real), size)))
    return SmallWlasl(video_dir, splits, entries, real is not None)


def square_frames(class_id: int, num_frames: int, size: tuple[int, int], seed: int = 0):
    """Frames (H, W, 3) uint8 of a coloured square that moves; see :func:`square_at`."""
    width, height = size
    colour = np.random.default_rng(class_id).integers(120, 255, 3)
    background = np.random.default_rng([7, seed]).integers(0, 60, 3)
    side = height // 3
    for t in range(num_frames):
        frame = np.empty((height, width, 3), np.uint8)
        frame[:] = background
        left, top = square_at(class_id, t, size)
        frame[top : top + side, left : left + side] = colour
        yield frame


def square_at(class_id: int, t: int, size: tuple[int, int]) -> tuple[int, int]:
    """Left and top of the square of a gloss in frame ``t``: it swings 1 to 4 times a second, across or up and down."""
    width, height = size
    side = height // 3
    swing = (1 + np.sin(2 * np.pi * (1 + class_id % 4) * t / FPS)) / 2
    across = class_id % 2 == 0
    left = round(swing * (width - side)) if across else (width - side) // 2
    top = (height - side) // 2 if across else round(swing * (height - side))
    return left, top


def _read(path: Path) -> dict:
    return json.loads(path.read_text())


def _names(real: Path | None) -> list[str]:
    if real is None:
        return list(NAMES)
    return [line.split("\t")[1] for line in (real / "wlasl_class_list.txt").read_text().splitlines()]


def _invented(num_glosses: int, clips_per_split: tuple[int, int, int]) -> dict:
    entries, number = {}, 10000
    for class_id in range(num_glosses):
        for split, count in zip(SPLITS, clips_per_split, strict=True):
            for _ in range(count):
                number += 7
                entries[f"{number}"] = {"subset": split, "action": [class_id, 1, 34 + number % 5]}
    return entries


def _chosen(annotation: dict, num_glosses: int, clips_per_split: tuple[int, int, int]) -> dict:
    """The shortest entries of each gloss and split that start with frame 1."""
    chosen = {}
    for class_id in range(num_glosses):
        for split, count in zip(SPLITS, clips_per_split, strict=True):
            own = [
                (entry["action"][2], video_id)
                for video_id, entry in annotation.items()
                if entry["action"][:2] == [class_id, 1] and entry["subset"] == split and entry["action"][2] >= 10
            ]
            for _, video_id in sorted(own)[:count]:
                chosen[video_id] = annotation[video_id]
    return chosen


def _listed(entries: dict, names: list[str], size: tuple[int, int]) -> list:
    items = [{"gloss": name, "instances": []} for name in names]
    for number, (video_id, entry) in enumerate(entries.items()):
        class_id, first, last = entry["action"]
        instance = {
            "bbox": [8, 4, size[0] - 8, size[1] - 4],
            "fps": FPS,
            "frame_start": first,
            "frame_end": last,
            "instance_id": number,
            "signer_id": number % 4,
            "source": "made",
            "split": entry["subset"],
            "url": "",
            "variation_id": 0,
            "video_id": video_id,
        }
        items[class_id]["instances"].append(instance)
    return items
