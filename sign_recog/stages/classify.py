"""Train a recogniser of isolated signs: learn from train, select on val, never look at test."""

import json
import logging
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

from sign_recog.config import Config, identity
from sign_recog.data.datamodule import build_dataset, build_loader, with_inputs
from sign_recog.data.vocabulary import Vocabulary
from sign_recog.errors import ConfigError, DataError, Stopped
from sign_recog.stages import StageResult
from sign_recog.stages.build import build, build_reader
from sign_recog.stages.run_folder import extractor_name, plain, prepared, read_extraction, run_dir, write_config
from sign_recog.storage import checkpoint
from sign_recog.storage.corpus import PreparedCorpus
from sign_recog.storage.manifest import Clip
from sign_recog.training.budget import Budget
from sign_recog.training.class_frequency import class_counts, set_bias_prior
from sign_recog.training.freeze import Freeze, freeze_parts
from sign_recog.training.losses import SignLoss
from sign_recog.training.module import SignClassifier
from sign_recog.training.precision import compile_network
from sign_recog.training.reproducibility import git_commit, record_end, record_start, seed_everything
from sign_recog.training.trainer import build_trainer, fit
from sign_recog.training.transfer import load_weights, print_outcomes

logger = logging.getLogger(__name__)


def run(config: Config) -> StageResult:
    """Train, or go on where a killed training stopped, or say that it has finished.

    Raises:
        DataError: If nothing was extracted, or a label of val is not in train.
        ConfigError: If the run folder holds a training with other settings, or the metric to go by is not measured.
        CheckpointError: If its last.ckpt is none of this program's.
    """
    folder = run_dir(config)
    last = folder / "checkpoints" / "last.ckpt"
    resumed = checkpoint.load(last) if last.exists() else None
    before = None if resumed is None else checkpoint.own_part(resumed, last)
    if before is not None:
        _refuse_changed_settings(config, before["config"], folder)
    corpus = prepared(config)
    clips, without, reader = {}, {}, build_reader(config.modality)
    for split in ("train", "val"):
        clips[split], without[split] = with_inputs(corpus, split, reader, extractor_name(config))
    if config.trainer.train_on_val:
        logger.warning("The val clips are trained on (trainer.train_on_val): val_ metrics are those of seen clips.")
        clips["train"], without["train"] = clips["train"] + clips["val"], without["train"] + without["val"]
    _refuse_unmeasured(config, clips["val"])
    vocabulary = Vocabulary.from_clips(clips["train"])
    if before is not None:
        _refuse_changed_clips(clips["train"], before["train_clips"], folder)
        _refuse_changed_labels(vocabulary, before, folder)
    if resumed is None or not _finished(resumed, config, len(clips["train"])):
        write_config(config)
        record_start(folder / "provenance.json", config.seed)
        _train(config, corpus, clips, vocabulary, last if resumed else None)
        record_end(folder / "provenance.json")
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
        "steps": checkpoint.read_checkpoint(last).step,
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
    if config.transfer.checkpoint is not None and resume is None:
        _transfer(config, module.network, vocabulary)
    if config.trainer.compile:
        compile_network(module.network, config.trainer)
    folder = run_dir(config)
    loggers = [build(node)(folder) for node in config.logger.values()]
    for one in loggers:
        one.log_hyperparams({**plain(config), "git_commit": git_commit()})
    frozen = [Freeze(module.network, config.transfer)] if config.transfer.freeze_parts else []
    trainer = build_trainer(config.trainer, folder, loggers, num_clips=len(clips["train"]), callbacks=frozen)
    try:
        fit(trainer, module, loaders["train"], loaders["val"], resume=resume)
    except SystemExit as error:  # Lightning's answer to Ctrl-C and to SIGTERM
        last = folder / "checkpoints" / "last.ckpt"
        kept = f"{last} holds epoch {checkpoint.read_checkpoint(last).epoch}" if last.exists() else "No epoch was over"
        raise Stopped(f"Training was stopped. {kept}; the same command goes on from there.") from error


def _transfer(config: Config, network: torch.nn.Module, vocabulary: Vocabulary) -> None:
    source = checkpoint.read_checkpoint(Path(config.transfer.checkpoint or ""))
    outcomes = load_weights(
        network,
        source,
        glosses=vocabulary.glosses,
        categories=vocabulary.categories,
        languages=vocabulary.languages,
        extend_head=config.transfer.extend_head,
    )
    print_outcomes(outcomes, source.path)


def assemble(
    config: Config, corpus: PreparedCorpus, clips: dict[str, list[Clip]], vocabulary: Vocabulary
) -> tuple[SignClassifier, dict[str, DataLoader]]:
    """Build what is trained, and a loader for each split of ``clips``.

    Raises:
        DataError: If a file is damaged, or a label is not in ``vocabulary``.
        ConfigError: If a category head is asked for and no clip has a category, or a part to freeze is unknown.
    """
    extractor = extractor_name(config)
    num_categories = len(vocabulary.categories) if config.loss.category_weight > 0 else 0
    if config.loss.category_weight > 0 and not num_categories:
        raise ConfigError(
            f"loss.category_weight={config.loss.category_weight}, but no train clip of {config.data.name} has a "
            "category. Use loss.category_weight=0, or add a category column and run run=prepare again."
        )
    reader = build_reader(config.modality)
    augmentations = [build(node) for node in config.augment.values()]
    loaders, input_dim = {}, 0
    for split, own in clips.items():
        train: dict[str, Any] = {"augmentations": augmentations} if split == "train" else {}
        steps: dict[str, Any] = (
            {"accumulate": config.trainer.accumulate, "steps_per_round": config.trainer.eval_every_steps}
            if split == "train"
            else {}
        )
        dataset = build_dataset(
            corpus, own, vocabulary, reader, extractor=extractor, train=split == "train", seed=config.seed, **train
        )
        input_dim = dataset.sequences.input_dim
        loaders[split] = build_loader(
            dataset,
            batch_size=config.trainer.batch_size,
            seed=config.seed,
            shuffle=split == "train",
            bucketing=config.trainer.bucketing,
            num_workers=config.trainer.num_workers,
            **steps,
        )
    network = build(
        config.model,
        input_dim=input_dim,
        num_glosses=len(vocabulary.glosses),
        num_categories=num_categories,
        num_languages=len(vocabulary.languages),
    )
    record = {
        "config": plain(config),
        "glosses": list(vocabulary.glosses),
        "categories": list(vocabulary.categories) if num_categories else [],
        "languages": list(vocabulary.languages),
        "input_dim": input_dim,
        "extraction": read_extraction(reader.folder(corpus, extractor)),
        "train_clips": [clip.clip_id for clip in clips["train"]],
    }
    counts = class_counts(vocabulary, clips["train"], with_categories=num_categories > 0)
    if config.loss.bias_prior:
        set_bias_prior(network.heads.output_layers(), counts)
    freeze_parts(network, config.transfer.freeze_parts, "transfer.freeze_parts")
    given = {"gloss_weight": config.loss.gloss_weight, "category_weight": config.loss.category_weight}
    loss = SignLoss(config.loss, build(config.loss.weighting, **given), counts=counts, network=network)
    build_optimizer, build_scheduler = build(config.optim), build(config.scheduler)
    return SignClassifier(network, loss, build_optimizer, build_scheduler, record, seed=config.seed), loaders


def _finished(content: dict[str, Any], config: Config, num_clips: int) -> bool:
    """Whether a last checkpoint is a training's end: its budget is used, or it had stopped early."""
    if content["global_step"] >= Budget.of(config.trainer, num_clips).total_steps:
        return True
    states = [state for name, state in content["callbacks"].items() if name.startswith("EarlyStopping")]
    return config.trainer.early_stopping.enabled and any(s["wait_count"] >= s["patience"] for s in states)


def _refuse_changed_clips(clips: list[Clip], before: list[str], folder: Path) -> None:
    """A training that went on with other clips would be neither the old one nor a new one."""
    differ = sorted({clip.clip_id for clip in clips} ^ set(before))
    if differ:
        raise DataError(
            f"{folder} holds a training on {len(before)} train clips; now there are {len(clips)}, and {len(differ)} "
            f"are in only one of the two ({', '.join(differ[:3])}{', ...' if len(differ) > 3 else ''}). "
            "Use another paths.run_dir, or delete this folder to train anew."
        )


def _refuse_changed_labels(vocabulary: Vocabulary, before: dict[str, Any], folder: Path) -> None:
    """The rows of the output layers belong to names; under other names they would go on as if nothing had changed."""
    for kind in ("glosses", "categories", "languages"):
        now = list(getattr(vocabulary, kind))
        if before[kind] and now != before[kind]:
            differ = sorted(set(now) ^ set(before[kind]))
            raise DataError(
                f"{folder} holds a training with other {kind}: {len(before[kind])} then, {len(now)} now, and "
                f"{', '.join(differ[:3])}{', ...' if len(differ) > 3 else ''} are in only one of the two. "
                "Use another paths.run_dir, or delete this folder to train anew."
            )


def _refuse_unmeasured(config: Config, val: list[Clip]) -> None:
    """Without a category in val there is no val_category_acc to go by."""
    stop = config.trainer.early_stopping
    keys = {"trainer.monitor": config.trainer.monitor}
    keys |= {"trainer.early_stopping.metric": stop.metric} if stop.enabled else {}
    wrong = [key for key, metric in keys.items() if metric == "val_category_acc"]
    if wrong and not any(clip.category for clip in val):
        raise ConfigError(
            f"{wrong[0]}=val_category_acc, but no val clip of {config.data.name} has a category. Use val_gloss_acc."
        )


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
