"""Parts of a network by name: modules, nested names with dots, as ``network.get_submodule`` takes them."""

from torch import nn

from sign_recog.errors import ConfigError


def find_part(network: nn.Module, name: str, key: str) -> nn.Module:
    """The module called ``name``.

    Args:
        key: The setting that names the part, for the message.

    Raises:
        ConfigError: If there is none with parameters; the message lists the parts.
    """
    part = dict(network.named_modules()).get(name) if name else None
    if part is None or not any(True for _ in part.parameters()):
        raise ConfigError(
            f"{key}: the network {type(network).__name__} has no part {name!r} with weights. "
            f"Its parts: {', '.join(part_names(network))}."
        )
    return part


def part_names(network: nn.Module) -> list[str]:
    """The modules that have parameters, in the order of construction; those nested deeper than twice are left out."""
    names = [n for n, module in network.named_modules() if n and any(True for _ in module.parameters())]
    return [name for name in names if name.count(".") < 2]
