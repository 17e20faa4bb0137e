"""Reading checkpoints: weights, and all that is needed to use them without the command that made them."""

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from sign_recog.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 2
KEY = "sign_recog"  # of our part in Lightning's checkpoint
# What a checkpoint is of; those written before there were translators do not say it.
RECOGNITION, TRANSLATION, POSE = "recognition", "translation", "pose"


@dataclass(frozen=True, kw_only=True)
class TrainedNetwork:
    """What every checkpoint holds.

    Attributes:
        task: What it was trained for.
        weights: The network's state.
        config: The whole configuration it was trained with, as plain values.
        extraction: Settings of the extraction what it reads came from; None where they were given.
        train_clips: Clips it was trained on.
        epoch: The one its last step belongs to, from 1; completed, unless evaluations come within epochs.
        step: Optimiser steps so far.
        metrics: Validation metrics at that step.
    """

    task: ClassVar[str]
    path: Path
    weights: dict[str, "Tensor"]
    config: dict[str, Any]
    extraction: dict[str, Any] | None
    train_clips: list[str]
    epoch: int
    step: int
    metrics: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Checkpoint(TrainedNetwork):
    """A trained recogniser on disk.

    Attributes:
        glosses, categories: Its vocabulary, in the order of the logits.
        languages: Its languages, in the order of the embedding; empty where there is only one.
        input_dim: D of the sequences it reads.
    """

    task = RECOGNITION
    glosses: list[str]
    categories: list[str]
    languages: list[str]
    input_dim: int


@dataclass(frozen=True, kw_only=True)
class TranslationCheckpoint(TrainedNetwork):
    """A trained translator on disk.

    Attributes:
        input_dim: D of the sequences it reads; None where they hold glosses.
        source_tokenizer: State of the vocabulary of glosses (:meth:`sign_recog.text.Tokenizer.state`); None where the
            sequences hold numbers that are measured.
        tokenizer: State of the tokenizer of its sentences.
        rebuild: Settings of the network that are not as in ``config``: sizes that stood in a folder.
        train_clips_hash: Of ``train_clips``, as metrics.json has it.
    """

    task = TRANSLATION
    input_dim: int | None
    source_tokenizer: dict[str, Any] | None
    tokenizer: dict[str, Any]
    rebuild: dict[str, Any]
    train_clips_hash: str


@dataclass(frozen=True, kw_only=True)
class PoseCheckpoint(TrainedNetwork):
    """A trained detector of landmarks on disk; its ``train_clips`` are the ids of the frames it was trained on.

    Attributes:
        landmarks: :meth:`sign_recog.landmarks.named.NamedLandmarks.to_json`.
        height, width: Of the pictures it reads, in pixels.
        context: Neighbouring frames on either side that it reads too.
        pca: Planes that were fitted to the labels it was trained on, as plain values; empty where there were too few.
        train_clips_hash: Of ``train_clips``, as metrics.json has it.
        picture_sizes: Width and height of the training's pictures on the disk, each size once; ``pca`` holds for them.
    """

    task = POSE
    landmarks: dict[str, Any]
    height: int
    width: int
    context: int
    pca: dict[str, Any]
    train_clips_hash: str
    picture_sizes: list[list[int]]


_KINDS: dict[str, type[TrainedNetwork]] = {
    kind.task: kind for kind in (Checkpoint, TranslationCheckpoint, PoseCheckpoint)
}  # fmt: skip
_NAMES = {
    RECOGNITION: ("a recogniser", "run=classify"),
    TRANSLATION: ("a translator", "run=translate"),
    POSE: ("a detector of landmarks", "run=train_pose"),
}
_Kind = TypeVar("_Kind", bound=TrainedNetwork)


def read_trained(path: Path) -> TrainedNetwork:
    """Load ``path`` onto the CPU, executing nothing it holds.

    Raises:
        CheckpointError: If it is missing, damaged, or not one of ours.
    """
    content = load(path)
    own = own_part(content, path)
    prefix = "network."
    weights = {k.removeprefix(prefix): v for k, v in content["state_dict"].items() if k.startswith(prefix)}
    fields = {name: value for name, value in own.items() if name not in ("format", "task")}
    kind: Any = _KINDS[task_of(own)]
    try:
        return kind(path=path, weights=weights, **fields)
    except TypeError as error:
        raise CheckpointError(f"{path}: was made by another version of this program ({error}). Train again.") from error


def task_of(own: dict[str, Any]) -> str:
    """What our part of a checkpoint is of: ``recognition``, ``translation`` or ``pose``."""
    return own.get("task", RECOGNITION)


def read_as(path: Path, kind: type[_Kind]) -> _Kind:
    """:func:`read_trained` of a checkpoint that must be of ``kind``.

    Raises:
        CheckpointError: As there, or if it is of another.
    """
    found = read_trained(path)
    if not isinstance(found, kind):
        (there, _), (needed, training) = _NAMES[found.task], _NAMES[kind.task]
        raise CheckpointError(f"{path}: holds {there}, and {needed} is needed. Train one with {training}.")
    return found


def read_checkpoint(path: Path) -> Checkpoint:
    """:func:`read_as` of a recogniser."""
    return read_as(path, Checkpoint)


def read_translation(path: Path) -> TranslationCheckpoint:
    """:func:`read_as` of a translator."""
    return read_as(path, TranslationCheckpoint)


def read_pose(path: Path) -> PoseCheckpoint:
    """:func:`read_as` of a detector of landmarks."""
    return read_as(path, PoseCheckpoint)


def own_part(content: dict[str, Any], path: Path) -> dict[str, Any]:
    """What this project wrote into a checkpoint's ``content``: the fields of :class:`Checkpoint`, or of another of its
    kind, but path and weights.

    Raises:
        CheckpointError: If it is not one of ours, or of another format.
    """
    own = content.get(KEY)
    if not isinstance(own, dict) or own.get("format") != FORMAT or task_of(own) not in _KINDS:
        found = own.get("format") if isinstance(own, dict) else "none"
        raise CheckpointError(
            f"{path}: is no sign_recog checkpoint of format {FORMAT} (found: {found}). "
            "Give the best.ckpt or last.ckpt of a run folder, or train in another folder."
        )
    return own


def load(path: Path) -> dict[str, Any]:
    """``torch.load`` with ``weights_only`` and a message a user can act on.

    Raises:
        CheckpointError: If the file is missing or damaged.
    """
    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{path}: no such checkpoint. Train first with run=classify, run=translate or run=train_pose, or "
            "check the path."
        ) from error
    except pickle.UnpicklingError as error:  # torch's own words advise to run what is in the file
        raise CheckpointError(
            f"{path}: cannot be read as a checkpoint: it is no file of torch.save, or holds more than plain values. "
            "Give the best.ckpt or last.ckpt of a run folder."
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        first = (str(error) or type(error).__name__).splitlines()[0]
        raise CheckpointError(
            f"{path}: cannot be read as a checkpoint ({first}). Use another, or train again."
        ) from error
