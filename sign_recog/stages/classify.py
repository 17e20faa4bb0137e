"""Train a recogniser of isolated signs: learn from train, select on val, never look at test."""

import json
import logging
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

from sign_recog.config import Config, identity
from sign_recog.config.schema import TrainerConfig
from sign_recog.data.datamodule import build_dataset, build_loader, with_keypoints
from sign_recog.data.vocabulary import Vocabulary
from sign_recog.errors import ConfigError
from sign_recog.stages import StageResult
from sign_recog.stages.build import build
from sign_recog.stages.run_folder import extractor_name, plain, prepared, read_extraction, run_dir, write_config
from sign_recog.storage import atomic, checkpoint
from sign_recog.storage.corpus import PreparedCorpus
from sign_recog.storage.manifest import Clip
from sign_recog.training.losses import GlossCategoryLoss
from sign_recog.training.module import SignClassifier
from sign_recog.training.reproducibility import provenance, seed_everything
from sign_recog.training.trainer import build_trainer

logger = logging.getLogger(__name__)


def run(config: Config) -> StageResult:
    """Train, or go on where a killed training stopped, or say that it has finished.

    Raises:
        DataError: If there are no keypoints, or a label of val is not in train.
        ConfigError: If the run folder holds a training with other settings.
    """
    folder = run_dir(config)
    last = folder / "checkpoints" / "last.ckpt"
    resumed = checkpoint.load(last) if last.exists() else None
    if resumed is not None:
        _refuse_changed_settings(config, resumed[checkpoint.KEY]["config"], folder)
    corpus = prepared(config)
    clips, without = {}, {}
    for split in ("train", "val"):
        clips[split], without[split] = with_keypoints(corpus, split, extractor_name(config))
    vocabulary = Vocabulary.from_clips(clips["train"])
    if resumed is None or not _finished(resumed, config.trainer):
        write_config(config)
        atomic.write_json(folder / "provenance.json", provenance(config.seed))
        _train(config, corpus, clips, vocabulary, last if resumed else None)
    else:
        logger.info("%s: this training has finished; nothing to do.", folder)
    chosen = checkpoint.read_checkpoint(folder / "checkpoints" / f"{config.trainer.select.value}.ckpt")
    summary = {
        "train clips": f"{len(clips['train'])} of {len(clips['train']) + len(without['train'])}",
        "val clips": f"{len(clips['val'])} of {len(clips['val']) + len(without['val'])}",
        "glosses": len(vocabulary.glosses),
        "categories": len(vocabulary.categories),
        "parameters": sum(weight.numel() for weight in chosen.weights.values()),
        "epochs": checkpoint.read_checkpoint(last).epoch,
        "selected checkpoint": chosen.path,
        "selected epoch": chosen.epoch,
        **{name: chosen.metrics[name] for name in sorted(chosen.metrics) if name.startswith("val_")},
    }
    return StageResult(objective=chosen.metrics[config.trainer.monitor], summary=summary)


def _train(
    config: Config, corpus: PreparedCorpus, clips: dict[str, list[Clip]], vocabulary: Vocabulary, resume: Path | None
) -> None:
    if config.trainer.num_threads is not None:
        torch.set_num_threads(config.trainer.num_threads)
    seed_everything(config.seed)
    module, loaders = assemble(config, corpus, clips, vocabulary)
    loggers = [build(node)(run_dir(config)) for node in config.logger.values()]
    trainer = build_trainer(config.trainer, run_dir(config), loggers)
    trainer.fit(module, loaders["train"], loaders["val"], ckpt_path=resume, weights_only=True)


def assemble(
    config: Config, corpus: PreparedCorpus, clips: dict[str, list[Clip]], vocabulary: Vocabulary
) -> tuple[SignClassifier, dict[str, DataLoader]]:
    """Build what is trained, and a loader for each split of ``clips``.

    Raises:
        DataError: If keypoints are damaged, or a label is not in ``vocabulary``.
        ConfigError: If a category head is asked for and no clip has a category.
    """
    extractor = extractor_name(config)
    num_categories = len(vocabulary.categories) if config.loss.category_weight > 0 else 0
    if config.loss.category_weight > 0 and not num_categories:
        raise ConfigError(
            f"loss.category_weight={config.loss.category_weight}, but no train clip of {corpus.folder.name} has a "
            "category. Use loss.category_weight=0, or add a category column and run run=prepare again."
        )
    augmentations = [build(node) for node in config.augment.values()]
    loaders, input_dim = {}, 0
    for split, own in clips.items():
        train: dict[str, Any] = {"augmentations": augmentations, "seed": config.seed} if split == "train" else {}
        dataset = build_dataset(corpus, own, vocabulary, config.modality, extractor=extractor, **train)
        input_dim = dataset.preprocessor.input_dim
        loaders[split] = build_loader(
            dataset,
            batch_size=config.trainer.batch_size,
            seed=config.seed,
            shuffle=split == "train",
            bucketing=config.trainer.bucketing,
            num_workers=config.trainer.num_workers,
        )
    network = build(
        config.model, input_dim=input_dim, num_glosses=len(vocabulary.glosses), num_categories=num_categories
    )
    record = {
        "config": plain(config),
        "glosses": list(vocabulary.glosses),
        "categories": list(vocabulary.categories) if num_categories else [],
        "input_dim": input_dim,
        "extraction": read_extraction(corpus.keypoints_dir(extractor)),
        "train_clips": [clip.clip_id for clip in clips["train"]],
    }
    loss = GlossCategoryLoss(**plain(config.loss))
    build_optimizer, build_scheduler = build(config.optim), build(config.scheduler)
    return SignClassifier(network, loss, build_optimizer, build_scheduler, record, seed=config.seed), loaders


def _finished(content: dict[str, Any], settings: TrainerConfig) -> bool:
    """Whether a last checkpoint is a training's end: its budget is used, or it had stopped early."""
    if content["epoch"] + 1 >= settings.max_epochs:
        return True
    states = [state for name, state in content["callbacks"].items() if name.startswith("EarlyStopping")]
    return settings.early_stopping.enabled and any(s["wait_count"] >= s["patience"] for s in states)


def _refuse_changed_settings(config: Config, stored: dict[str, Any], folder: Path) -> None:
    """A folder given by hand may hold a training with other settings; naming them beats mixing them."""
    now, before = (_flat({**identity.settings_of(c), "seed": c["seed"]}) for c in (plain(config), stored))
    changed = [
        f"{key}: {before.get(key)} then, {now.get(key)} now"
        for key in sorted(now.keys() | before.keys())
        if now.get(key) != before.get(key)
    ]
    if changed:
        listed = "\n  - ".join(changed)
        raise ConfigError(
            f"{folder} holds a training with other settings:\n  - {listed}\n"
            "Use another paths.run_dir, or give the settings of then."
        )


def _flat(node: Any, prefix: str = "") -> dict[str, str]:
    if isinstance(node, dict) and node:
        return {k: v for name, value in node.items() for k, v in _flat(value, f"{prefix}{name}.").items()}
    return {prefix.rstrip("."): json.dumps(node)}
