"""Checkpoints with random weights, for tests of what is done with a checkpoint."""

from pathlib import Path
from typing import Any

import torch

from sign_recog.stages.build import build
from sign_recog.stages.run_folder import plain
from sign_recog.storage.checkpoint import FORMAT, KEY


def write_untrained(
    path: Path, config, *, input_dim: int, glosses, categories=(), languages=(), network=None, **record: Any
) -> Path:
    """Write a checkpoint of the network that ``config`` describes, or of ``network``, as a training would."""
    torch.manual_seed(0)
    network = network or build(
        config.model,
        input_dim=input_dim,
        num_glosses=len(glosses),
        num_categories=len(categories),
        num_languages=len(languages),
    )
    content = {
        "format": FORMAT,
        "config": plain(config),
        "glosses": list(glosses),
        "categories": list(categories),
        "languages": list(languages),
        "input_dim": input_dim,
        "extraction": None,
        "train_clips": [],
        "epoch": 1,
        "step": 1,
        "metrics": {},
    }
    weights = {f"network.{name}": value for name, value in network.state_dict().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"state_dict": weights, KEY: content | record}, path)
    return path
