"""The optimiser over the parts of a network."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from torch import nn
from torch.optim import Optimizer

from sign_recog.errors import ConfigError
from sign_recog.training.parts import find_part


def build_optimizer(
    network: nn.Module,
    undecayed: Iterable[nn.Parameter] = (),
    *,
    algorithm: Callable[..., Optimizer],
    lr: float,
    weight_decay: float,
    groups: Mapping[str, Mapping[str, Any]],
) -> Optimizer:
    """Return ``algorithm`` over the network's parameters, frozen ones included, which it leaves while they are.

    A parameter follows the settings of the innermost part of ``groups`` that it is in, or else the general ones.
    Biases, norms and other vectors are not decayed, whatever ``weight_decay`` says.

    Args:
        undecayed: Parameters outside the network, trained with ``lr`` and without decay.
        algorithm: Parameter groups, ``lr``, ``weight_decay`` -> optimiser.
        groups: Part of the network -> settings of its own: ``lr``, ``weight_decay``, or the algorithm's.

    Raises:
        ConfigError: If the network lacks a part, a part's setting is none of the algorithm's, or a value does not
            suit it.
    """
    for part in groups:
        find_part(network, part, f"optim.groups.{part}")
    members: dict[str, list[nn.Parameter]] = {"": [], **{part: [] for part in groups}}
    for name, parameter in network.named_parameters():
        inside = [part for part in groups if name.startswith(f"{part}.")]
        members[max(inside, key=len, default="")].append(parameter)
    if _fused_is_open(algorithm) and all(p.device.type == "cpu" for p in network.parameters()):
        algorithm = partial(algorithm, fused=True)  # AdamW's step in a seventh of the time, docs/benchmarks.md
    found: list[dict[str, Any]] = []
    for part, parameters in members.items():
        own = dict(groups.get(part, {}))
        found.append({"params": [p for p in parameters if p.ndim > 1], **own})
        vectors = [p for p in parameters if p.ndim <= 1]
        found.append({"params": vectors, **own, "weight_decay": 0.0})
    found.append({"params": list(undecayed), "weight_decay": 0.0})
    try:
        optimizer = algorithm([group for group in found if group["params"]], lr=lr, weight_decay=weight_decay)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"optim: {error}. Correct the setting that it names.") from error
    for part, settings in groups.items():
        unknown = sorted(set(settings) - set(optimizer.defaults))
        if unknown:
            raise ConfigError(
                f"optim.groups.{part}.{unknown[0]}: {type(optimizer).__name__} has no such setting. "
                f"It has {', '.join(sorted(optimizer.defaults))}."
            )
    return optimizer


def _fused_is_open(algorithm: Callable[..., Optimizer]) -> bool:
    """Whether the settings leave it to us if the step is one kernel."""
    return isinstance(algorithm, partial) and algorithm.keywords.get("fused", False) is None
