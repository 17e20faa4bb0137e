"""Run folders as a training and its evaluation leave them, made up, for tests of what looks at many runs."""

import csv
import json
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from sign_recog.storage.run_record import RunRecord, write_record
from sign_recog.training.reproducibility import clips_hash

GLOSSES = ("hello", "thanks", "you")


def write_scored(
    folder: Path,
    right: list[bool],
    *,
    settings: str,
    seed: int = 1,
    split: str = "test",
    model: str = "s3d",
    first_clip: int = 0,
    config: dict[str, Any] | None = None,
    data: dict[str, Any] | None = None,
    record: bool = True,
) -> Path:
    """A run that answered clip i rightly where ``right[i]``; its scores, answers, configuration and record."""
    folder.mkdir(parents=True, exist_ok=True)
    clips = [f"clip{first_clip + i}" for i in range(len(right))]
    content = {
        "seed": seed, "model": {"_target_": f"x.{model}.Network"}, "optim": {"lr": 0.1},
        "data": {"split": {"strategy": "given"}},
    }  # fmt: skip
    OmegaConf.save(OmegaConf.merge(content, config or {}), folder / "config.yaml")
    if record:
        write_record(folder, RunRecord(settings, seed, choices={"model": model}, trained=True))
    top1 = sum(right) / len(right)
    metrics = {
        "split": split,
        "scores": {"top1_per_instance": top1, "loss": 1 - top1, "num_clips": len(right), "per_class": []},
        "run": {"name": "x", "seed": seed, "settings": settings},
        "data": {
            "corpus": "signs", "clips": len(clips), "clips_hash": clips_hash(clips), "split_strategy": "given",
            "glosses_hash": clips_hash(GLOSSES), "train_clips": 9, "train_clips_hash": "t", **(data or {}),
        },
    }  # fmt: skip
    place = folder / ("" if split == "test" else split)
    place.mkdir(exist_ok=True)
    (place / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    with (place / "predictions.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("clip_id", "signer", "gloss", "correct"))
        writer.writerows(
            (clip, f"signer{i}", GLOSSES[i % 3], int(ok)) for i, (clip, ok) in enumerate(zip(clips, right, strict=True))
        )
    return folder
