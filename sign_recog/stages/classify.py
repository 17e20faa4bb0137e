"""Train a recogniser of isolated signs: learn from train, select on val, never look at test."""

import logging
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

from sign_recog.config import Config
from sign_recog.data.datamodule import build_dataset, build_loader, with_inputs
from sign_recog.data.vocabulary import Vocabulary
from sign_recog.errors import ConfigError, DataError
from sign_recog.stages import StageResult
from sign_recog.stages.build import build, build_reader
from sign_recog.stages.run_folder import extractor_name, plain, prepared, read_extraction, run_dir
from sign_recog.stages.training import (
    Memory,
    fit_module,
    look_back,
    record_trained,
    refuse_changed_clips,
    shares_batches,
    train_to_end,
)
from sign_recog.storage import checkpoint
from sign_recog.storage.corpus import PreparedCorpus
from sign_recog.storage.manifest import Clip
from sign_recog.training.budget import Budget
from sign_recog.training.callbacks import COLUMNS
from sign_recog.training.class_frequency import class_counts, set_bias_prior
from sign_recog.training.freeze import freeze_parts
from sign_recog.training.losses import SignLoss
from sign_recog.training.module import SignClassifier
from sign_recog.training.processes import rank_zero_first, use_threads
from sign_recog.training.reproducibility import seed_everything
from sign_recog.training.transfer import load_weights, print_outcomes

logger = logging.getLogger(__name__)


def run(config: Config) -> StageResult:
    """Train, or go on where a killed training stopped, or say that it has finished.

    Raises:
        DataError: If nothing was extracted, or a label of val is not in train.
        ConfigError: If the run folder holds a training with other settings, or the metric to go by is not measured.
        CheckpointError: If the checkpoint to go on from is damaged, or none of this program's.
    """
    folder = run_dir(config)
    begun = look_back(config, checkpoint.RECOGNITION)
    corpus = prepared(config)
    clips, without, reader = {}, {}, build_reader(config.modality)
    for split in ("train", "val"):
        clips[split], without[split] = with_inputs(corpus, split, reader, extractor_name(config))
    if config.trainer.train_on_val:
        logger.warning("The val clips are trained on (trainer.train_on_val): val_ metrics are those of seen clips.")
        clips["train"], without["train"] = clips["train"] + clips["val"], without["train"] + without["val"]
    _refuse_unmeasured(config, clips["val"])
    vocabulary = Vocabulary.from_clips(clips["train"])
    if begun.own is not None:
        refuse_changed_clips([clip.clip_id for clip in clips["train"]], begun.own["train_clips"], folder)
        _refuse_changed_labels(vocabulary, begun.own, folder)
    work = partial(_train_share, config, corpus, clips, vocabulary, begun.path)
    check = partial(_refuse_shared_labels, config, clips)
    train_to_end(config, begun, Budget.of(config.trainer, len(clips["train"])), work, check=check)
    chosen = checkpoint.read_checkpoint(folder / "checkpoints" / f"{config.trainer.select.value}.ckpt")
    objective, told = record_trained(config, chosen)
    summary = {
        "train clips": f"{len(clips['train'])} of {len(clips['train']) + len(without['train'])}",
        "val clips": f"{len(clips['val'])} of {len(clips['val']) + len(without['val'])}",
        "glosses": len(vocabulary.glosses),
        "categories": len(vocabulary.categories),
    }
    return StageResult(objective=objective, summary=summary | told)


def _train_share(
    config: Config, corpus: PreparedCorpus, clips: dict[str, list[Clip]], vocabulary: Vocabulary, resume: Path | None
) -> Memory:
    """What each process of a training does."""
    use_threads(config.trainer.num_threads)
    seed_everything(config.seed)
    with rank_zero_first():
        module, loaders = assemble(config, corpus, clips, vocabulary)
    if config.transfer.checkpoint is not None and resume is None:
        _transfer(config, module.network, vocabulary)
    budget = Budget.of(config.trainer, len(clips["train"]))
    return fit_module(config, module, module.network, loaders, budget, columns=COLUMNS, resume=resume)


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
    if hasattr(network, "pretrained"):
        logger.info("backbone: %s", f"weights from {network.pretrained}" if network.pretrained else "random weights")
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


def _refuse_shared_labels(config: Config, clips: dict[str, list[Clip]]) -> None:
    """A category loss is a mean over the labelled clips, of which the processes of a training have unequal numbers."""
    without = [clip.clip_id for own in clips.values() for clip in own if not clip.category]
    if config.loss.category_weight > 0 and without and shares_batches(config):
        raise ConfigError(
            f"trainer.devices={config.trainer.devices} cannot share a category loss in which some clips do not count: "
            f"{len(without)} clips have no category ({without[0]}, ...). Use trainer.devices=1, or "
            "loss.category_weight=0."
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
