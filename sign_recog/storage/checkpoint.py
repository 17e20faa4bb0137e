"""Reading checkpoints: weights, and all that is needed to use them without the command that made them."""

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sign_recog.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 2
KEY = "sign_recog"  # of our part in Lightning's checkpoint


@dataclass(frozen=True)
class Checkpoint:
    """A trained recogniser on disk.

    Attributes:
        weights: The network's state.
        config: The whole configuration it was trained with, as plain values.
        glosses, categories: Its vocabulary, in the order of the logits.
        languages: Its languages, in the order of the embedding; empty where there is only one.
        input_dim: D of the sequences it reads.
        extraction: Settings of the extraction what it reads came from; None where they were given.
        train_clips: Clips it was trained on.
        epoch: The one its last step belongs to, from 1; completed, unless evaluations come within epochs.
        step: Optimiser steps so far.
        metrics: Validation metrics at that step.
    """

    path: Path
    weights: dict[str, "Tensor"]
    config: dict[str, Any]
    glosses: list[str]
    categories: list[str]
    languages: list[str]
    input_dim: int
    extraction: dict[str, Any] | None
    train_clips: list[str]
    epoch: int
    step: int
    metrics: dict[str, float]


def read_checkpoint(path: Path) -> Checkpoint:
    """Load ``path`` onto the CPU, executing nothing it holds.

    Raises:
        CheckpointError: If it is missing, damaged, or not one of ours.
    """
    content = load(path)
    own = own_part(content, path)
    prefix = "network."
    weights = {k.removeprefix(prefix): v for k, v in content["state_dict"].items() if k.startswith(prefix)}
    fields = {name: value for name, value in own.items() if name != "format"}
    return Checkpoint(path=path, weights=weights, **fields)


def own_part(content: dict[str, Any], path: Path) -> dict[str, Any]:
    """What this project wrote into a checkpoint's ``content``: the fields of :class:`Checkpoint` but path and weights.

    Raises:
        CheckpointError: If it is not one of ours, or of another format.
    """
    own = content.get(KEY)
    if not isinstance(own, dict) or own.get("format") != FORMAT:
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
            f"{path}: no such checkpoint. Train first with run=classify, or check the path."
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
