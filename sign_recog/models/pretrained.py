"""Weights of image and video networks, from files that their users have or from where their libraries publish them."""

import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sign_recog.errors import CheckpointError
from sign_recog.types import DOWNLOAD

MOST_NAMED = 5  # keys in a message
WRAPPERS = ("state_dict", "model_state", "model")  # of Lightning, PySlowFast and Hiera, and timm
FOLDER_FILES = ("model.safetensors", "pytorch_model.bin")  # of a folder as transformers saves it


def from_address(address: str) -> Mapping[str, Any]:
    """Fetch a file of weights once, into the folder of torch.hub (TORCH_HOME)."""
    return torch.hub.load_state_dict_from_url(
        address, map_location="cpu", progress=False, weights_only=True, check_hash=True
    )


@dataclass(frozen=True)
class Published:
    """Weights that a network's library publishes.

    Attributes:
        address: Where, for messages and the log.
        fetch: From the address to a state dict; keeps what it has fetched.
    """

    address: str
    fetch: Callable[[str], Mapping[str, Any]] = from_address


def start_from(
    network: nn.Module,
    weights: str | None,
    *,
    without: tuple[str, ...],
    published: Published | None = None,
    positions: Mapping[str, int] | None = None,
    rename: Callable[[Mapping[str, Tensor]], dict[str, Tensor]] | None = None,
) -> str | None:
    """Fill ``network`` as the setting ``weights`` says, and return where from; None = it keeps its random weights.

    Args:
        weights: Path of a file, ``download``, or None.
        without, positions, rename: As :func:`load_weights`.
        published: What ``weights=download`` stands for; None = nothing is published.

    Raises:
        CheckpointError: If the weights cannot be had, or do not fit.
    """
    if weights is None:
        return None
    path, content = weights, None
    if weights == DOWNLOAD:
        path, content = fetch_published(network, published)
    stretched = load_weights(network, path, without=without, positions=positions, rename=rename, content=content)
    return f"{path} ({stretched} position tables stretched to these clips)" if stretched else path


def load_weights(
    network: nn.Module,
    path: str,
    *,
    without: tuple[str, ...],
    positions: Mapping[str, int] | None = None,
    rename: Callable[[Mapping[str, Tensor]], dict[str, Tensor]] | None = None,
    content: Mapping[str, Tensor] | None = None,
) -> int:
    """Fill ``network`` from a state dict in ``path``; every weight must be there and fit.

    Args:
        without: Beginnings of names that are left out: of the classifier in the file, which ``network`` has not.
        positions: Ends of names of position tables -> on how many axes their positions lie (1: over frames or
            distances, 2: a square of pixels); a table of another length is interpolated to the network's.
        rename: Changes names before they are compared.
        content: The state dict itself, where it does not lie in a file.

    Returns:
        How many position tables were stretched.

    Raises:
        CheckpointError: If the file is missing, is no state dict, or does not fit; the keys are named.
    """
    given = dict(_read(path) if content is None else content)
    given = rename(given) if rename is not None else given
    given = {k: v for k, v in given.items() if not k.startswith(without)}
    own = network.state_dict()
    stretched = 0
    for end, axes in (positions or {}).items():
        for name in [k for k in own if k.endswith(end) and k in given and given[k].shape != own[k].shape]:
            fitted = stretch(given[name], own[name].shape, axes)
            if fitted is not None:
                given[name], stretched = fitted, stretched + 1
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
    return stretched


def stretch(table: Tensor, shape: torch.Size, axes: int) -> Tensor | None:
    """Interpolate the rows of a position table, linearly and with the ends in the middle of their rows.

    Shapes:
        table: (..., P, D), leading axes of 1. Returns ``shape``; None if no interpolation leads there: another D, or
        with 2 axes a P that is no square.
    """
    if table.ndim != len(shape) or table.shape[-1] != shape[-1] or table.shape[:-2] != shape[:-2]:
        return None
    sides = [round(n ** (1 / axes)) for n in (table.shape[-2], shape[-2])]
    if [side**axes for side in sides] != [table.shape[-2], shape[-2]]:
        return None
    columns = table.reshape(-1, table.shape[-1]).float().T
    grid = columns.reshape(1, -1, *[sides[0]] * axes)
    resized = nn.functional.interpolate(grid, size=[sides[1]] * axes, mode="linear" if axes == 1 else "bilinear")
    return resized.flatten(2)[0].T.reshape(shape).to(table.dtype)


def fetch_published(network: nn.Module, published: Published | None) -> tuple[str, Mapping[str, Tensor]]:
    """Where the weights come from that ``weights=download`` stands for, and the weights.

    Raises:
        CheckpointError: If none are published, or they cannot be had.
    """
    if published is None:
        raise CheckpointError(
            f"weights=download: nobody publishes weights of {type(network).__name__} as it is set here in a form that "
            "can be fetched. Give weights=FILE, or null for random weights."
        )
    try:
        content = published.fetch(published.address)
    except CheckpointError:
        raise
    except Exception as error:  # of urllib, http, ssl, the hubs: they have no common base
        first = (str(error) or type(error).__name__).splitlines()[0]
        raise CheckpointError(
            f"weights=download: {published.address} cannot be had ({first}). Fetch it where there is a network and "
            "give weights=FILE, or null for random weights."
        ) from error
    return published.address, _state_dict(content, published.address)


def _read(path: str) -> Mapping[str, Any]:
    if Path(path).is_dir():
        inside = [str(Path(path) / name) for name in FOLDER_FILES if (Path(path) / name).exists()]
        if not inside:
            raise CheckpointError(f"{path}: holds none of {', '.join(FOLDER_FILES)}. Give a file of weights.")
        path = inside[0]
    try:
        if path.endswith(".safetensors"):
            from safetensors.torch import load_file

            content = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{path}: no such file of weights. Check the path, or give null for random weights."
        ) from error
    except pickle.UnpicklingError as error:  # torch's own words advise to run what is in the file
        raise CheckpointError(
            f"{path}: cannot be read as weights: it is no file of torch.save, or holds more than tensors. "
            "Save network.state_dict() and nothing else."
        ) from error
    except Exception as error:  # those of torch, zip and safetensors have no common base
        first = (str(error) or type(error).__name__).splitlines()[0]
        raise CheckpointError(f"{path}: cannot be read as weights ({first}). Give a file of torch.save.") from error
    return _state_dict(content, path)


def _state_dict(content: Any, path: str) -> Mapping[str, Tensor]:
    """The state dict in what a file holds: itself, or under one of the names that published files have for it."""
    if isinstance(content, Mapping):
        content = next((content[key] for key in WRAPPERS if isinstance(content.get(key), Mapping)), content)
    if not isinstance(content, Mapping) or not all(isinstance(v, torch.Tensor) for v in content.values()):
        raise CheckpointError(
            f"{path}: is no state dict (a mapping from names to tensors), nor has it one under "
            f"{', '.join(WRAPPERS)}. Save network.state_dict() and nothing else."
        )
    if content and all(k.startswith("module.") for k in content):  # as DataParallel saves
        return {k.removeprefix("module."): v for k, v in content.items()}
    return content


def _named(keys: list[str]) -> str:
    more = f" and {len(keys) - MOST_NAMED} more" if len(keys) > MOST_NAMED else ""
    return ", ".join(keys[:MOST_NAMED]) + more
