"""A run's folder: what lies where, and how a stage finds another's results."""

import dataclasses
import json
from enum import Enum
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from sign_recog.config import Config
from sign_recog.errors import CheckpointError
from sign_recog.storage import atomic
from sign_recog.storage.corpus import PreparedCorpus, open_corpus


def run_dir(config: Config) -> Path:
    """The folder of this setting and seed."""
    return Path(config.paths.run_dir)


def corpus_dir(config: Config) -> Path:
    """The folder of the prepared corpus."""
    return Path(config.paths.data_root) / config.data.name


def prepared(config: Config) -> PreparedCorpus:
    """The corpus that this configuration names."""
    return open_corpus(corpus_dir(config))


def extractor_name(config: Config) -> str:
    """The folder of an extractor's files below keypoints/: the module of its class."""
    return config.extractor["_target_"].split(".")[-2]


def checkpoint_path(config: Config, given: str | None) -> Path:
    """The checkpoint a stage should use: the one given, else the run folder's own.

    Raises:
        CheckpointError: If there is none.
    """
    if given is not None:
        return Path(given)
    path = run_dir(config) / "checkpoints" / f"{config.trainer.select.value}.ckpt"
    if path.exists():
        return path
    root = Path(config.paths.output_root)
    others = sorted(root.rglob("best.ckpt"), key=lambda p: p.stat().st_mtime, reverse=True)[:3]
    hint = f" Found: {', '.join(map(str, others))}." if others else ""
    raise CheckpointError(
        f"{path}: no checkpoint, so there is nothing to use. Train with run=classify and the same settings, "
        f"or give run.checkpoint=PATH.{hint}"
    )


def plain(config: Any) -> Any:
    """Dataclasses and Enums as the plain values that YAML, JSON and checkpoints hold."""
    if dataclasses.is_dataclass(config):
        return {f.name: plain(getattr(config, f.name)) for f in dataclasses.fields(config)}
    if isinstance(config, Enum):
        return config.value
    if isinstance(config, dict):
        return {str(key): plain(value) for key, value in config.items()}
    if isinstance(config, list | tuple):
        return [plain(value) for value in config]
    return config


def write_config(config: Config) -> None:
    """``config.yaml`` in the run folder: every value that was used."""
    atomic.write_text(run_dir(config) / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(plain(config))))


def read_extraction(folder: Path) -> dict[str, Any] | None:
    """Settings of the extraction that made a folder's keypoints; None where they came with the corpus."""
    path = folder / "extraction.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def read_quality(folder: Path) -> dict[str, Any] | None:
    """The quality table of a folder's keypoints; None where no extraction made one."""
    path = folder / "quality.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
