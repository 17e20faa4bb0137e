"""Weights of image and video networks, read from files that torchvision's users have."""

import pickle
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from sign_recog.errors import CheckpointError

MOST_NAMED = 5  # keys in a message


def load_weights(network: nn.Module, path: str, *, without: tuple[str, ...]) -> None:
    """Fill ``network`` from a state dict in ``path``; every weight must be there and fit.

    Args:
        without: Beginnings of names that are left out: of the classifier in the file, which ``network`` has not.

    Raises:
        CheckpointError: If the file is missing, is no state dict, or does not fit; the keys are named.
    """
    given = {k: v for k, v in _read(path).items() if not k.startswith(without)}
    own = network.state_dict()
    # batch-norm layers of old files do not count their batches
    missing = [k for k in own if k not in given and not k.endswith("num_batches_tracked")]
    problems = {
        "missing": missing,
        "unknown": [k for k in given if k not in own],
        "of another shape": [
            f"{k} {tuple(given[k].shape)}, not {tuple(v.shape)}"
            for k, v in own.items()
            if k in given and given[k].shape != v.shape
        ],
    }
    found = [f"{kind}: {_named(keys)}" for kind, keys in problems.items() if keys]
    if found:
        raise CheckpointError(
            f"{path}: these weights do not fit {type(network).__name__} ({'; '.join(found)}). "
            "Give the state dict of that network, or null for random weights."
        )
    network.load_state_dict(given, strict=False)


def _read(path: str) -> Mapping[str, Any]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{path}: no such file of weights. Check the path, or give null for random weights."
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, pickle.UnpicklingError) as error:
        first = (str(error) or type(error).__name__).splitlines()[0]
        raise CheckpointError(f"{path}: cannot be read as weights ({first}). Give a file of torch.save.") from error
    if not isinstance(content, Mapping) or not all(isinstance(v, torch.Tensor) for v in content.values()):
        raise CheckpointError(
            f"{path}: is no state dict (a mapping from names to tensors). Save network.state_dict() and nothing else."
        )
    return content


def _named(keys: list[str]) -> str:
    more = f" and {len(keys) - MOST_NAMED} more" if len(keys) > MOST_NAMED else ""
    return ", ".join(keys[:MOST_NAMED]) + more
