"""Train a translator from sequences to sentences: learn from train, select on val, never look at test."""

import csv
import io
import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn
from torch.utils.data import DataLoader

from sign_recog.config import Config
from sign_recog.data.sentence_batches import SentenceBatchSampler
from sign_recog.data.sentence_clips import Dropped
from sign_recog.data.sentences import SentenceDataset, build_sentence_loader, open_sentences
from sign_recog.errors import ConfigError, DataError
from sign_recog.stages import StageResult
from sign_recog.stages.build import build, build_reader
from sign_recog.stages.run_folder import extractor_name, plain, prepared, read_extraction, run_dir
from sign_recog.stages.tokenizer import open_trained
from sign_recog.stages.training import (
    Memory,
    fit_module,
    look_back,
    record_trained,
    refuse_changed_clips,
    train_to_end,
)
from sign_recog.stages.transfer_translator import load_translator_weights, refuse_other_tokenizer
from sign_recog.storage import atomic, checkpoint
from sign_recog.text import Tokenizer, read_tokenizer
from sign_recog.training.budget import Budget, sampler_of
from sign_recog.training.callbacks import TRANSLATION_COLUMNS
from sign_recog.training.freeze import freeze_parts
from sign_recog.training.processes import rank_zero_first, use_threads
from sign_recog.training.reproducibility import clips_hash, seed_everything
from sign_recog.training.transfer import print_outcomes
from sign_recog.training.translation import Translator

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Material:
    """What a training reads; every process gets the same.

    Attributes:
        sets: ``train`` and ``val``.
        dropped: Of each, what is not read.
        tokenizer, source_tokenizer: States; of the sentences, and of glosses that are read.
    """

    sets: dict[str, SentenceDataset]
    dropped: dict[str, Dropped]
    tokenizer: dict[str, Any]
    source_tokenizer: dict[str, Any] | None
    input_dim: int | None
    extraction: dict[str, Any] | None


def run(config: Config) -> StageResult:
    """Train, or go on where a killed training stopped, or say that it has finished.

    ``dropped.tsv`` in the run folder lists the clips of train and val that are not read, with the reason.

    Raises:
        DataError: If a clip cannot be read, or nothing is left to read.
        ConfigError: If the run folder holds a training with other settings, or settings do not suit the network.
        CheckpointError: If the checkpoint to go on from is damaged, of another tokenizer, or none of this program's.
    """
    folder = run_dir(config)
    begun = look_back(config, checkpoint.TRANSLATION)
    material = read_material(config)
    train = material.sets["train"]
    if begun.own is not None:
        refuse_changed_clips(train.clip_ids, begun.own["train_clips"], folder)
        refuse_other_tokenizer(material.tokenizer, begun.own["tokenizer"], str(folder))
    _write_dropped(folder / "dropped.tsv", material.dropped)
    loaders = _loaders(config, material)
    budget = _budget(config, loaders)
    work = partial(_train_share, config, material, begun.path)
    train_to_end(config, begun, budget, work)
    chosen = checkpoint.read_translation(folder / "checkpoints" / f"{config.trainer.select.value}.ckpt")
    objective, told = record_trained(config, chosen)
    summary = {
        **{f"{split} clips": f"{len(own)} of {len(own) + len(material.dropped[split].clips)}"
           for split, own in material.sets.items()},
        "train clips cut to max_source_length": material.dropped["train"].cut_sources,
        "train sentences cut to max_target_length": material.dropped["train"].cut_targets,
        "batches an epoch": _sampler(loaders["train"]).batches_per_epoch,
        "tokenizer entries": read_tokenizer(material.tokenizer).vocab_size,
    }  # fmt: skip
    return StageResult(objective=objective, summary=summary | told)


def read_material(config: Config) -> Material:
    """Open what the training reads; files are packed here, once for all processes.

    Raises:
        DataError: If a clip cannot be read, or nothing is left to read.
    """
    corpus, reader = prepared(config), build_reader(config.modality)
    extractor, tokenizer = extractor_name(config), open_trained(config, corpus)
    clips = {split: corpus.of_split(split) for split in ("train", "val")}
    if config.trainer.train_on_val:
        logger.warning("The val clips are trained on (trainer.train_on_val): val_ metrics are those of seen clips.")
        clips["train"] = clips["train"] + clips["val"]
    sets: dict[str, SentenceDataset] = {}
    dropped: dict[str, Dropped] = {}
    input_dim: int | None = None
    for split, own in clips.items():
        train = split == "train"
        augmentations = [build(node) for node in config.augment.values()] if train else []
        sets[split], dropped[split] = open_sentences(
            corpus, split, reader, tokenizer, config.translation,
            extractor=extractor, train=train, clips=own, augmentations=augmentations, seed=config.seed,
            input_dim=input_dim,
        )  # fmt: skip
        _say_dropped(split, dropped[split])
        if reader.folder(corpus, extractor) is not None:
            own_dim = sets[split].copies[0].input_dim
            if input_dim not in (None, own_dim):
                raise DataError(
                    f"{corpus.folder / 'manifest.tsv'}: files of {split} have {own_dim} values a frame, and those of "
                    f"train {input_dim}. Extract all in the same way."
                )
            input_dim = own_dim
    source = getattr(reader, "vocabulary", None)
    return Material(
        sets,
        dropped,
        tokenizer.state(),
        None if source is None else source.state(),
        sets["train"].copies[0].input_dim if source is None else None,
        read_extraction(reader.folder(corpus, extractor)),
    )


def build_network(
    model: dict[str, Any], tokenizer: Tokenizer, *, input_dim: int | None, source_tokenizer: dict[str, Any] | None
) -> nn.Module:
    """The network that ``model`` describes, for these inputs and this tokenizer."""
    return build(
        model,
        input_dim=input_dim,
        num_source_tokens=None if source_tokenizer is None else read_tokenizer(source_tokenizer).vocab_size,
        vocab_size=tokenizer.vocab_size,
        pad_id=tokenizer.pad_id,
        bos_id=tokenizer.bos_id,
        eos_id=tokenizer.eos_id,
    )


def assemble(config: Config, material: Material) -> Translator:
    """Build what is trained.

    Raises:
        ConfigError: If settings do not suit the network.
    """
    tokenizer = read_tokenizer(material.tokenizer)
    network = build_network(
        config.model, tokenizer, input_dim=material.input_dim, source_tokenizer=material.source_tokenizer
    )
    _refuse_unsuited(config, network)
    if network.pretrained:
        logger.info("network: weights from %s", network.pretrained)
    freeze_parts(network, config.transfer.freeze_parts, "transfer.freeze_parts")
    train_clips = material.sets["train"].clip_ids
    record = {
        "task": checkpoint.TRANSLATION,
        "config": plain(config),
        "input_dim": material.input_dim,
        "source_tokenizer": material.source_tokenizer,
        "tokenizer": material.tokenizer,
        "rebuild": network.rebuild,
        "extraction": material.extraction,
        "train_clips": train_clips,
        "train_clips_hash": clips_hash(train_clips),
    }
    return Translator(
        network,
        tokenizer,
        [clip.text for clip in material.sets["val"].clips],
        config.translation.validation,
        build(config.optim),
        build(config.scheduler),
        record,
        label_smoothing=config.loss.label_smoothing,
        max_target_length=config.translation.max_target_length,
        seed=config.seed,
    )


def _train_share(config: Config, material: Material, resume: Path | None) -> Memory:
    """What each process of a training does."""
    use_threads(config.trainer.num_threads)
    seed_everything(config.seed)
    with rank_zero_first():
        module = assemble(config, material)
    if config.transfer.checkpoint is not None and resume is None:
        _transfer(config, module.network, material)
    loaders = _loaders(config, material)
    return fit_module(
        config, module, module.network, loaders, _budget(config, loaders), columns=TRANSLATION_COLUMNS, resume=resume
    )


def _loaders(config: Config, material: Material) -> dict[str, DataLoader]:
    """A loader for each split; train and val see batches of the same size."""
    steps: dict[str, Any] = {
        "accumulate": config.trainer.accumulate,
        "steps_per_round": config.trainer.eval_every_steps,
    }
    return {
        split: build_sentence_loader(
            own,
            batch_size=config.trainer.batch_size,
            max_tokens=config.translation.max_tokens if split == "train" else None,
            seed=config.seed,
            shuffle=split == "train",
            bucketing=config.trainer.bucketing or split != "train",
            num_workers=config.trainer.num_workers,
            **(steps if split == "train" else {}),
        )
        for split, own in material.sets.items()
    }


def _budget(config: Config, loaders: dict[str, DataLoader]) -> Budget:
    return Budget.of_batches(config.trainer, _sampler(loaders["train"]).batches_per_epoch)


def _sampler(loader: DataLoader) -> SentenceBatchSampler:
    found: Any = sampler_of(loader)
    return found


def _refuse_unsuited(config: Config, network: Any) -> None:
    if config.trainer.precision == "16-mixed" and network.no_fp16:
        raise ConfigError(
            f"trainer.precision=16-mixed: {network.no_fp16}. Use trainer.precision=bf16-mixed or 32-true."
        )
    most = network.max_target_positions
    longest = config.translation.validation.max_length or config.translation.max_target_length
    if most is not None and longest > most:
        raise ConfigError(
            f"translation.max_target_length={longest}: this network has positions for {most} tokens. Lower it."
        )
    if most is not None and config.generation.max_length > most:
        raise ConfigError(
            f"generation.max_length={config.generation.max_length}: this network has positions for {most} tokens, so "
            "run=evaluate would end in an error after the training. Lower it."
        )
    most = network.max_source_positions
    given = config.translation.max_source_length
    if most is not None and (given is None or given > most):
        raise ConfigError(
            f"translation.max_source_length={given}: this network has positions for {most} frames. "
            f"Use translation.max_source_length={most} or less."
        )


def _transfer(config: Config, network: nn.Module, material: Material) -> None:
    source = checkpoint.read_translation(Path(config.transfer.checkpoint or ""))
    outcomes = load_translator_weights(
        network, source, tokenizer=material.tokenizer, source_tokenizer=material.source_tokenizer
    )
    print_outcomes(outcomes, source.path)


def _say_dropped(split: str, dropped: Dropped) -> None:
    if dropped.clips:
        clip_id, reason = dropped.clips[0]
        logger.warning(
            "%d clips of %s are not read, listed in dropped.tsv; the first: %s: %s.", len(dropped.clips), split,
            clip_id, reason,
        )  # fmt: skip
    if dropped.cut_sources:
        logger.warning(
            "%d sequences of %s are cut to translation.max_source_length.", dropped.cut_sources, split
        )  # fmt: skip
    if dropped.cut_targets:
        logger.warning("%d sentences of %s are cut to translation.max_target_length.", dropped.cut_targets, split)


def _write_dropped(path: Path, dropped: dict[str, Dropped]) -> None:
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter="\t", lineterminator="\n")
    writer.writerow(["clip_id", "split", "reason"])
    writer.writerows([clip_id, split, reason] for split, own in dropped.items() for clip_id, reason in own.clips)
    atomic.write_text(path, buffer.getvalue())
