"""Checkpoints with random weights, for tests of what is done with a checkpoint."""

from pathlib import Path
from typing import Any

import torch

from sign_recog.stages.build import build
from sign_recog.stages.run_folder import plain
from sign_recog.stages.translate import build_network
from sign_recog.storage.checkpoint import FORMAT, KEY, TRANSLATION
from sign_recog.text.words import WordTokenizer


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


def write_untrained_translator(
    path: Path, config, *, words, input_dim: int | None = None, glosses=None, **record: Any
) -> Path:
    """The same of a translator to sentences of ``words``, from vectors or from ``glosses``."""
    torch.manual_seed(0)
    tokenizer = WordTokenizer(words)
    source = None if glosses is None else WordTokenizer(glosses).state()
    network = build_network(plain(config)["model"], tokenizer, input_dim=input_dim, source_tokenizer=source)
    own = {
        "format": FORMAT,
        "task": TRANSLATION,
        "config": plain(config),
        "input_dim": input_dim,
        "source_tokenizer": source,
        "tokenizer": tokenizer.state(),
        "rebuild": network.rebuild,
        "extraction": None,
        "train_clips": [],
        "train_clips_hash": "",
        "epoch": 1,
        "step": 1,
        "metrics": {},
    }
    weights = {f"network.{name}": value for name, value in network.state_dict().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"state_dict": weights, KEY: own | record}, path)
    return path
