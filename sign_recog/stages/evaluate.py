"""Score a checkpoint on a split; the only stage that opens test."""

import logging
from pathlib import Path
from typing import Any

import numpy as np

from sign_recog.config import Config, identity
from sign_recog.data.datamodule import build_dataset, build_loader, with_inputs
from sign_recog.errors import CheckpointError, DataError
from sign_recog.evaluation import plots
from sign_recog.evaluation.classification import score, score_groups
from sign_recog.evaluation.predictions import (
    Predictions,
    confusion,
    confusion_of,
    pick_examples,
    write_predictions,
)
from sign_recog.stages import StageResult
from sign_recog.stages.recognizer import Recognizer, load_recognizer
from sign_recog.stages.run_folder import checkpoint_path, corpus_dir, read_extraction, result_dir, stored_extractor
from sign_recog.storage import atomic
from sign_recog.storage.checkpoint import Checkpoint, read_checkpoint
from sign_recog.storage.corpus import PreparedCorpus, manifest_dir, open_corpus
from sign_recog.storage.manifest import COLUMNS, Clip
from sign_recog.training.reproducibility import clips_hash, provenance

logger = logging.getLogger(__name__)


def run(config: Config) -> StageResult:
    """Write metrics.json, predictions.csv, predictions.npz and the confusion matrix beside the checkpoint's run.

    Raises:
        CheckpointError: If there is no checkpoint, or its files were extracted in another way.
        DataError: If a label is unknown to the checkpoint, or a clip was trained on.
    """
    import torch

    if config.trainer.num_threads is not None:
        torch.set_num_threads(config.trainer.num_threads)
    settings = config.run
    path = checkpoint_path(config, settings.checkpoint)
    trained = read_checkpoint(path)
    recognizer = load_recognizer(trained, config.trainer)
    corpus = open_corpus(_corpus_folder(config, trained))
    extractor = stored_extractor(trained.config)
    _refuse_other_extraction(trained, recognizer.reader.folder(corpus, extractor))
    clips, without = with_inputs(corpus, settings.split, recognizer.reader, extractor)
    _refuse_trained_clips(trained, clips, settings.split)
    predictions = _predict(recognizer, corpus, clips, extractor, config)
    metrics = _metrics(config, trained, corpus, clips, without, predictions)
    scores = metrics["scores"]
    folder = result_dir(config, path, None, _result_name(settings.split, corpus, trained))
    write_predictions(folder / "predictions.csv", predictions)
    atomic.write_bytes(folder / "confusion_matrix.png", plots.confusion_matrix(confusion(predictions), trained.glosses))
    if (categories := predictions.labelled_categories) is not None:
        image = plots.confusion_matrix(confusion_of(*categories), trained.categories)
        atomic.write_bytes(folder / "confusion_matrix_category.png", image)
    atomic.write_json(folder / "metrics.json", metrics)
    shown = ("top1_per_instance", "top5_per_instance", "top10_per_instance", "top1_per_class", "macro_f1", "loss")
    summary = {
        "checkpoint": f"{path} (epoch {trained.epoch})",
        f"{settings.split} clips": f"{len(clips)} of {len(clips) + len(without)}",
        **{name: scores[name] for name in shown},
        "95 % interval of top-1": "{:.3f} to {:.3f}".format(*scores["top1_per_instance_ci95"]),
        "results": folder,
    }
    return StageResult(objective=scores["top1_per_instance"], summary=summary)


def _result_name(split: str, corpus: PreparedCorpus, trained: Checkpoint) -> str:
    """Test scores lie in the run's folder itself; those of another corpus, or another division, never replace them."""
    data = trained.config["data"]
    own = manifest_dir(Path(data["name"]), data)
    if (corpus.root.name, corpus.folder.name) == (data["name"], own.name):
        return "" if split == "test" else split
    return f"on_{corpus.root.name}/{split}"


def _corpus_folder(config: Config, trained: Checkpoint) -> Path:
    if config.run.corpus is not None:
        return Path(config.run.corpus)
    if config.run.checkpoint is not None:  # the corpus it was trained on, whatever data= says
        data = trained.config["data"]
        return manifest_dir(Path(config.paths.data_root) / data["name"], data)
    return corpus_dir(config)


def _predict(
    recognizer: Recognizer, corpus: PreparedCorpus, clips: list[Clip], extractor: str, config: Config
) -> Predictions:
    vocabulary = recognizer.vocabulary
    dataset = build_dataset(corpus, clips, vocabulary, recognizer.reader, extractor=extractor, train=False)
    if dataset.sequences.input_dim != recognizer.checkpoint.input_dim:
        raise CheckpointError(
            f"{recognizer.checkpoint.path} reads {recognizer.checkpoint.input_dim} values a frame, and the files in "
            f"{recognizer.reader.folder(corpus, extractor)} hold {dataset.sequences.input_dim}. Extract them as the "
            "training's were."
        )
    loader = build_loader(
        dataset, batch_size=config.trainer.batch_size, seed=0, shuffle=False, bucketing=False, num_workers=0
    )
    logits = recognizer.logits(loader)
    return Predictions(
        clip_ids=[clip.clip_id for clip in clips],
        signers=[clip.signer for clip in clips],
        glosses=list(vocabulary.glosses),
        gloss_logits=logits["gloss_logits"],
        gloss_targets=np.array(dataset.labels.glosses),
        categories=list(vocabulary.categories),
        category_logits=logits.get("category_logits"),
        category_targets=np.array(dataset.labels.categories),
        groups=groups_of(clips, config.run.group_by),
    )


def groups_of(clips: list[Clip], columns: list[str]) -> dict[str, list[str]]:
    """Column of the manifest -> its value for each clip; a column that no clip has is left out, and named."""
    found = {name: [_cell(clip, name) for clip in clips] for name in columns}
    if without := [name for name, values in found.items() if not any(values)]:
        logger.info("run.group_by: no clip has %s in the manifest, so it is left out.", ", ".join(without))
    return {name: values for name, values in found.items() if any(values)}


def _cell(clip: Clip, column: str) -> str:
    return str(getattr(clip, column)) if column in COLUMNS else clip.extra.get(column, "")


def _metrics(
    config: Config,
    trained: Checkpoint,
    corpus: PreparedCorpus,
    clips: list[Clip],
    without: list[Clip],
    predictions: Predictions,
) -> dict[str, Any]:
    """What metrics.json holds: the scores, and on what they were measured."""
    interval = {"bootstrap_samples": config.run.bootstrap_samples, "seed": config.seed}
    return {
        "split": config.run.split,
        "scores": score(predictions, **interval),
        "groups": score_groups(predictions, **interval),
        "run": {
            "name": trained.config["name"],
            "seed": trained.config["seed"],
            "settings": identity.digest(identity.settings_of(trained.config)),
            "checkpoint": trained.path.name,
            "epoch": trained.epoch,
        },
        "data": {
            "corpus": corpus.info["name"],
            "manifest": str(corpus.folder / "manifest.tsv"),
            "clips": len(clips),
            "clips_not_extracted": [clip.clip_id for clip in without],
            "clips_hash": clips_hash(clip.clip_id for clip in clips),
            "signers": len({clip.signer for clip in clips} - {""}),
            "unseen_signers": _unseen_signers(trained, corpus, clips),
            "split_strategy": corpus.info["settings"]["split"]["strategy"],
        },
        "examples": _examples(predictions),
        "provenance": provenance(trained.config["seed"]),
    }


def _unseen_signers(trained: Checkpoint, corpus: PreparedCorpus, clips: list[Clip]) -> bool | None:
    """Whether no signer of ``clips`` was trained on; None where signers are unknown, or the corpus is another."""
    signer_of = {clip.clip_id: clip.signer for clip in corpus.clips}
    seen = {signer_of.get(clip_id, "") for clip_id in trained.train_clips}
    scored = {clip.signer for clip in clips}
    return None if "" in seen | scored else not seen & scored


def _examples(predictions: Predictions) -> list[dict[str, Any]]:
    """The surest right and wrong answers, for the report's pictures."""
    probabilities, ranks, predicted = predictions.probabilities, predictions.ranks, predictions.predicted
    return [
        {
            "clip_id": predictions.clip_ids[i],
            "signer": predictions.signers[i],
            "gloss": predictions.glosses[predictions.gloss_targets[i]],
            "predicted": predictions.glosses[predicted[i]],
            "probability": float(probabilities[i, predicted[i]]),
            "rank": int(ranks[i]),
        }
        for i in pick_examples(predictions, right=4, wrong=4)
    ]


def _refuse_other_extraction(trained: Checkpoint, folder: Path | None) -> None:
    now = read_extraction(folder)
    if trained.extraction is not None and now is not None and now != trained.extraction:
        keys = sorted(k for k in now.keys() | trained.extraction.keys() if now.get(k) != trained.extraction.get(k))
        raise CheckpointError(
            f"{trained.path} was trained on files made in another way than those in {folder}: "
            f"{', '.join(f'{k} was {trained.extraction.get(k)}, is {now.get(k)}' for k in keys)}. "
            "Extract again with the checkpoint's settings, or train again."
        )


def _refuse_trained_clips(trained: Checkpoint, clips: list[Clip], split: str) -> None:
    both = sorted({clip.clip_id for clip in clips} & set(trained.train_clips))
    if split == "val" and both and trained.config["trainer"].get("train_on_val"):
        raise DataError(
            f"{trained.path} was trained on train and val (trainer.train_on_val), so a score on val would say nothing. "
            "Score it on test."
        )
    if split != "train" and both:
        raise DataError(
            f"{len(both)} clips of {split} were trained on ({', '.join(both[:3])}, ...): the manifest's splits have "
            f"changed since {trained.path} was made. Prepare the corpus with the settings of then, or train again."
        )
