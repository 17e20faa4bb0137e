"""Train a recogniser of isolated signs: learn from train, select on val, never look at test."""

import logging
from functools import partial
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
from sign_recog.stages.earlier import read_training, record_run, resume_point
from sign_recog.stages.run_folder import extractor_name, plain, prepared, read_extraction, run_dir, write_config
from sign_recog.storage import checkpoint
from sign_recog.storage.corpus import PreparedCorpus
from sign_recog.storage.manifest import Clip
from sign_recog.storage.meeting import num_nodes
from sign_recog.storage.run_record import read_record
from sign_recog.training.budget import Budget
from sign_recog.training.class_frequency import class_counts, set_bias_prior
from sign_recog.training.freeze import Freeze, freeze_parts
from sign_recog.training.losses import SignLoss
from sign_recog.training.module import SignClassifier
from sign_recog.training.precision import check_accelerator, compile_network, num_devices, on_cuda
from sign_recog.training.processes import rank_zero_first, run_in_processes, use_threads
from sign_recog.training.reproducibility import git_commit, peak_memory, record_end, record_start, seed_everything
from sign_recog.training.trainer import build_trainer, fit
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
    selected = folder / "checkpoints" / f"{config.trainer.select.value}.ckpt"
    point = resume_point(folder)
    resumed = None if point is None else checkpoint.load(point)
    before = None if point is None or resumed is None else checkpoint.own_part(resumed, point)
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
    # run=clean may have removed last.ckpt of a training that is over.
    over = selected.exists() and read_training(folder).trained
    if resumed is None or not (over or _finished(resumed, config, len(clips["train"]))):
        if before is not None and point is not None and point.name != "last.ckpt":
            logger.warning("last.ckpt is missing, so training goes on from %s, epoch %d.", point, before["epoch"])
        write_config(config)
        record_run(config)
        record_start(folder / "provenance.json", config.seed)
        memory = _train(config, corpus, clips, vocabulary, point)
        record_end(folder / "provenance.json", memory)
    else:
        logger.info("%s: this training has finished; nothing to do.", folder)
    chosen = checkpoint.read_checkpoint(selected)
    objective = chosen.metrics[config.trainer.monitor]
    epochs, steps = _length(folder, chosen)
    record_run(config, trained=True, epochs=epochs, steps=steps, objective=objective)
    summary = {
        "train clips": f"{len(clips['train'])} of {len(clips['train']) + len(without['train'])}",
        "val clips": f"{len(clips['val'])} of {len(clips['val']) + len(without['val'])}",
        "glosses": len(vocabulary.glosses),
        "categories": len(vocabulary.categories),
        "parameters": sum(weight.numel() for weight in chosen.weights.values()),
        "epochs": epochs,
        "steps": steps,
        "selected checkpoint": chosen.path,
        "selected epoch": chosen.epoch,
        **{name: chosen.metrics[name] for name in sorted(chosen.metrics) if name.startswith("val_")},
    }
    return StageResult(objective=objective, summary=summary)


def _length(folder: Path, chosen: checkpoint.Checkpoint) -> tuple[int, int]:
    """Epochs and steps of a training that is over."""
    last, record = folder / "checkpoints" / "last.ckpt", read_record(folder)
    if last.exists() or record is None or record.epochs is None or record.steps is None:
        final = checkpoint.read_checkpoint(last) if last.exists() else chosen
        return final.epoch, final.step
    return record.epochs, record.steps


def _train(
    config: Config, corpus: PreparedCorpus, clips: dict[str, list[Clip]], vocabulary: Vocabulary, resume: Path | None
) -> list[dict[str, int | None]]:
    """Train here, or in a process for each device; return the most memory each process has used."""
    check_accelerator(config.trainer)
    size = num_devices(config.trainer)
    if size * num_nodes() > 1:
        _refuse_shared_labels(config, clips)
    work = partial(_train_share, config, corpus, clips, vocabulary, resume)
    try:
        if size * num_nodes() > config.trainer.batch_size:
            raise ConfigError(
                f"{num_nodes()} nodes with {size} devices each share every batch, and trainer.batch_size="
                f"{config.trainer.batch_size} clips are too few for them. Use larger batches, or fewer devices."
            )
        return [work()] if size * num_nodes() == 1 else run_in_processes(work, size, cuda=on_cuda(config.trainer))
    except SystemExit as error:  # the answer to Ctrl-C and to SIGTERM, Lightning's too
        last = run_dir(config) / "checkpoints" / "last.ckpt"
        kept = f"{last} holds epoch {checkpoint.read_checkpoint(last).epoch}" if last.exists() else "No epoch was over"
        raise Stopped(f"Training was stopped. {kept}; the same command goes on from there.") from error


def _train_share(
    config: Config, corpus: PreparedCorpus, clips: dict[str, list[Clip]], vocabulary: Vocabulary, resume: Path | None
) -> dict[str, int | None]:
    """What each process of a training does."""
    use_threads(config.trainer.num_threads)
    seed_everything(config.seed)
    with rank_zero_first():
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
    fit(trainer, module, loaders["train"], loaders["val"], resume=resume)
    return peak_memory()


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


def _refuse_shared_labels(config: Config, clips: dict[str, list[Clip]]) -> None:
    """A category loss is a mean over the labelled clips, of which the processes of a training have unequal numbers."""
    without = [clip.clip_id for own in clips.values() for clip in own if not clip.category]
    if config.loss.category_weight > 0 and without:
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


def _refuse_changed_settings(config: Config, stored: dict[str, Any], folder: Path) -> None:
    """A folder given by hand may hold a training with other settings; naming them beats mixing them."""
    differing = identity.changed_settings(plain(config), stored)
    changed = [f"{key}: {before} then, {now} now" for key, before, now in differing]
    if changed:
        listed = "\n  - ".join(changed)
        raise ConfigError(
            f"{folder} holds a training with other settings:\n  - {listed}\n"
            "Use another paths.run_dir, or give the settings of then."
        )
