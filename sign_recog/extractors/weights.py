"""Weights of frozen networks: from a file that is wholly theirs, or none."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sign_recog.errors import CheckpointError
from sign_recog.storage import checkpoint

if TYPE_CHECKING:
    from torch import Tensor, nn

_MOST_NAMES = 8  # of weights, in an error


def load_weights(network: "nn.Module", path: Path, head: tuple[str, ...]) -> None:
    """Load a state dict whose names and shapes are ``network``'s; those that begin with one of ``head`` are left out.

    Raises:
        CheckpointError: If it is damaged, no state dict, or weights are missing, unknown or of other shapes.
    """
    import torch

    content = checkpoint.load(path)
    if not isinstance(content, dict) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise CheckpointError(f"{path}: is no state dict, a mapping of names to tensors. Save network.state_dict().")
    given = {name: value for name, value in content.items() if not name.startswith(head)}
    own = network.state_dict()
    # Batch norm's counter of batches is for training alone; old files lack it.
    missing = [n for n in own if n not in given and not n.endswith("num_batches_tracked")]
    other = [
        f"{n} {tuple(given[n].shape)} instead of {tuple(own[n].shape)}"
        for n in own
        if n in given and given[n].shape != own[n].shape
    ]
    found = {"missing": missing, "unexpected": [n for n in given if n not in own], "of another shape": other}
    if any(found.values()):
        listed = "; ".join(f"{len(names)} {kind}: {_some(names)}" for kind, names in found.items() if names)
        raise CheckpointError(f"{path}: its weights are of another network: {listed}. Give a file of this network's.")
    network.load_state_dict(given, strict=False)


def _some(names: list[str]) -> str:
    return ", ".join(names[:_MOST_NAMES]) + (" ..." if len(names) > _MOST_NAMES else "")


def content_hash(path: Path) -> str:
    """A hash (BLAKE2b, 128 bits) of all of a file: ``"blake2b-8c1f..."``."""
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return f"blake2b-{digest.hexdigest()}"


def tensors_hash(weights: Mapping[str, "Tensor"]) -> str:
    """The same of weights that lie in no file of their own: of names, shapes and values, whatever their order."""
    import torch

    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in sorted(weights.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return f"blake2b-{digest.hexdigest()}"
