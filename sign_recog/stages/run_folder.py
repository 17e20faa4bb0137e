"""A run's folder: what lies where, and how a stage finds another's results."""

import dataclasses
import json
from enum import Enum
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from sign_recog.config import Config
from sign_recog.config.tasks import trained_by
from sign_recog.errors import CheckpointError
from sign_recog.storage import atomic
from sign_recog.storage.corpus import PreparedCorpus, manifest_dir, open_corpus


def run_dir(config: Config) -> Path:
    """The folder of this setting and seed."""
    return Path(config.paths.run_dir)


def corpus_root(config: Config) -> Path:
    """The corpus's own folder: keypoints, features, caches, manifests."""
    return Path(config.paths.data_root) / config.data.name


def corpus_dir(config: Config) -> Path:
    """The folder of the manifest that this configuration's group ``data`` gives."""
    return manifest_dir(corpus_root(config), plain(config.data))


def prepared(config: Config) -> PreparedCorpus:
    """The corpus that this configuration names."""
    return open_corpus(corpus_dir(config))


def extractor_name(config: Config) -> str:
    """The folder of an extractor's files below keypoints/ or features/: its ``name``, else the module of its class."""
    return stored_extractor({"extractor": config.extractor})


def stored_extractor(config: dict[str, Any]) -> str:
    """:func:`extractor_name` of a checkpoint's configuration, whatever extractor the command at hand names."""
    extractor = config["extractor"]
    return extractor.get("name") or extractor["_target_"].split(".")[-2]


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
    training = trained_by(config.model, config.tokenizer)
    raise CheckpointError(
        f"{path}: no checkpoint, so there is nothing to use. Train with run={training} and the same settings, "
        f"or give run.checkpoint=PATH.{hint}"
    )


def result_dir(config: Config, checkpoint: Path, given: str | None, name: str) -> Path:
    """Where a stage writes what it makes of a checkpoint.

    What is given; else ``name`` in the checkpoint's run folder, or for a checkpoint outside a run in this command's.
    """
    if given is not None:
        return Path(given)
    in_run = checkpoint.parent.name == "checkpoints"
    return (checkpoint.parents[1] if in_run else run_dir(config)) / name


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


def read_extraction(folder: Path | None) -> dict[str, Any] | None:
    """Settings of the extraction that made a folder's files; None where they came with the corpus, or are videos."""
    path = None if folder is None else folder / "extraction.json"
    return json.loads(path.read_text(encoding="utf-8")) if path and path.exists() else None


def read_quality(folder: Path) -> dict[str, Any] | None:
    """The quality table of a folder's keypoints; None where no extraction made one."""
    path = folder / "quality.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
