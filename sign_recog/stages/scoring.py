"""A checkpoint's answers for the clips of a split, and how far they are from what training reported."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from sign_recog.config import Config
from sign_recog.config.loss import ClassWeights
from sign_recog.data.datamodule import build_dataset, build_loader
from sign_recog.data.datasets import ClipDataset
from sign_recog.data.views import ShuffledFrames, ViewDataset, mean_of_views
from sign_recog.data.vocabulary import NO_CATEGORY
from sign_recog.errors import CheckpointError
from sign_recog.evaluation.predictions import Predictions
from sign_recog.stages.recognizer import Recognizer
from sign_recog.storage.checkpoint import Checkpoint
from sign_recog.storage.corpus import PreparedCorpus
from sign_recog.storage.manifest import COLUMNS, Clip
from sign_recog.training.class_frequency import class_counts, class_weights
from sign_recog.training.losses import ClassLoss
from sign_recog.training.weighting import weighted_sum

logger = logging.getLogger(__name__)

USUAL_GROUPS = ("signer", "language", "occluded")  # columns for run.group_by=null

# By how much a figure may differ from the training's. Other batches or another machine round otherwise, and in mixed
# precision a number has 8 bits.
ROUNDING = {"32-true": 1e-3, "bf16-mixed": 1e-2, "16-mixed": 1e-2}


@dataclass(frozen=True)
class Scorer:
    """What is the same for all sets of clips that a command scores."""

    config: Config
    recognizer: Recognizer
    corpus: PreparedCorpus
    extractor: str

    def open(self, clips: list[Clip]) -> ClipDataset:
        """The network inputs of ``clips``, with their labels.

        Raises:
            CheckpointError: If the files hold another number of values than the network reads.
        """
        recognizer = self.recognizer
        dataset = build_dataset(
            self.corpus, clips, recognizer.vocabulary, recognizer.reader, extractor=self.extractor, train=False
        )
        expected, found = recognizer.checkpoint.input_dim, dataset.sequences.input_dim
        if found != expected:
            raise CheckpointError(
                f"{recognizer.checkpoint.path} reads {expected} values a frame, and the files in "
                f"{recognizer.reader.folder(self.corpus, self.extractor)} hold {found}. Extract them as the "
                "training's were."
            )
        return dataset

    def predict(self, dataset: ClipDataset, clips: list[Clip], order: np.ndarray | None = None) -> Predictions:
        """The answers for ``clips``, whose inputs ``dataset`` holds.

        Args:
            order: Of the frames, see :class:`sign_recog.data.views.ShuffledFrames`; None = as they are.

        Raises:
            ConfigError: If several views are asked for and the modality has none.
        """
        views, vocabulary = self.config.evaluation.views, self.recognizer.vocabulary
        shown, batch_size = dataset, self.config.trainer.batch_size
        if order is not None:
            sequences = ShuffledFrames(dataset.sequences, order)
            shown = ClipDataset(sequences, dataset.reader, dataset.clip_ids, dataset.labels, train=False)
        if views.num_views > 1:
            shown = ViewDataset(shown, views.num_clips, views.num_crops)
            batch_size = max(1, batch_size // views.num_views)
        loader = build_loader(
            shown, batch_size=batch_size, seed=0, shuffle=False, bucketing=False,
            num_workers=self.config.trainer.num_workers,
        )  # fmt: skip
        logits = {k: mean_of_views(v, views.num_views) for k, v in self.recognizer.logits(loader).items()}
        return Predictions(
            clip_ids=[clip.clip_id for clip in clips],
            signers=[clip.signer for clip in clips],
            glosses=list(vocabulary.glosses),
            gloss_logits=logits["gloss_logits"],
            gloss_targets=np.array(dataset.labels.glosses),
            categories=list(vocabulary.categories),
            category_logits=logits.get("category_logits"),
            category_targets=np.array(dataset.labels.categories),
            groups=groups_of(clips, self.config.run.group_by),
        )


def groups_of(clips: list[Clip], columns: Sequence[str] | None) -> dict[str, list[str]]:
    """Column of the manifest (None = ``USUAL_GROUPS``) -> its value for each clip; one that no clip has is left out."""
    chosen = USUAL_GROUPS if columns is None else columns
    found = {name: [_cell(clip, name) for clip in clips] for name in chosen}
    return {name: values for name, values in found.items() if any(values)}


def say_unknown(clips: list[Clip], columns: Sequence[str] | None) -> None:
    """Name the ``columns`` asked for that no clip has: they are left out of the groups."""
    if unknown := set(columns or ()) - groups_of(clips, columns).keys():
        logger.info("run.group_by: no clip has %s in the manifest, so it is left out.", ", ".join(sorted(unknown)))


def _cell(clip: Clip, column: str) -> str:
    return str(getattr(clip, column)) if column in COLUMNS else clip.extra.get(column, "")


def compare_with_training(scorer: Scorer, predictions: Predictions) -> dict[str, Any]:
    """What training said of val when it wrote the checkpoint, and what is measured now; a warning if they differ.

    Returns:
        ``val_reported`` and ``val_measured``, both ``val_loss`` and ``val_gloss_acc``; ``val_difference``, the
        larger of their distances, and ``val_agrees``. ``val_loss`` is the training's own loss, with its smoothing
        and weights, and not the cross-entropy that is scored.
    """
    trained = scorer.recognizer.checkpoint
    measured = _training_figures(scorer, predictions)
    reported = {name: trained.metrics[name] for name in measured if name in trained.metrics}
    differences = {name: abs(measured[name] - value) for name, value in reported.items()}
    difference = max(differences.values(), default=None)
    allowed = ROUNDING[trained.config["trainer"]["precision"]]
    by_one_clip = 1.5 / len(predictions.clip_ids)  # rounding may turn the answer for a clip between two glosses
    limits = {name: max(allowed, by_one_clip) if name.endswith("_acc") else allowed for name in differences}
    agrees = all(differences[name] <= limits[name] for name in differences) if differences else None
    text = ", ".join(f"{name} {value:.6f} then, {measured[name]:.6f} now" for name, value in reported.items())
    if agrees is False:
        logger.warning(
            "%s: val is scored otherwise than in training (%s). Rounding explains %g at most; have the clips, their "
            "files or the preprocessing changed since?", trained.path, text, allowed,
        )  # fmt: skip
    elif agrees:
        logger.info("val as training measured it: %s.", text)
    return {"val_reported": reported, "val_measured": measured, "val_difference": difference, "val_agrees": agrees}


def _training_figures(scorer: Scorer, predictions: Predictions) -> dict[str, float]:
    """``val_loss`` and ``val_gloss_acc`` as :class:`sign_recog.training.module.SignClassifier` measures them."""
    trained, total = scorer.recognizer.checkpoint, 0.0
    settings = trained.config["loss"]
    given = {"gloss": settings["gloss_weight"], "category": settings["category_weight"]}
    losses = _losses(scorer, trained)
    for rows in _batches(len(predictions.clip_ids), trained.config["trainer"]["batch_size"]):
        found = {}
        for task, loss in losses.items():
            labels = torch.from_numpy(np.asarray(getattr(predictions, f"{task}_targets"))[rows])
            if bool((labels != NO_CATEGORY).any()):
                found[task] = loss(torch.from_numpy(getattr(predictions, f"{task}_logits")[rows]), labels)
        total += float(weighted_sum(found, given)) * (rows.stop - rows.start)
    return {
        "val_loss": total / len(predictions.clip_ids),
        "val_gloss_acc": float(np.mean(predictions.predicted == predictions.gloss_targets)),
    }


def _losses(scorer: Scorer, trained: Checkpoint) -> dict[str, ClassLoss]:
    settings, learnt = trained.config["loss"], set(trained.train_clips)
    clips = [clip for clip in scorer.corpus.clips if clip.clip_id in learnt]
    counts = class_counts(scorer.recognizer.vocabulary, clips, with_categories=bool(trained.categories))
    kind = ClassWeights(settings["class_weights"])
    return {
        task: ClassLoss(
            label_smoothing=settings["label_smoothing"],
            focal_gamma=settings["focal_gamma"],
            weights=class_weights(own, kind),
        )
        for task, own in counts.items()
    }


def _batches(num_clips: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, num_clips)) for start in range(0, num_clips, size))
