"""Finding the settings classes of a package: one module an option, one class in it."""

import importlib
import pkgutil
from collections.abc import Iterable


def schemas_in(package: str, path: Iterable[str], base: type) -> dict[str, type]:
    """Module name -> the subclass of ``base`` that the module defines; modules without one are left out."""
    found = {}
    for info in pkgutil.iter_modules(path):
        module = importlib.import_module(f"{package}.{info.name}")
        for node in vars(module).values():
            own = isinstance(node, type) and issubclass(node, base) and node is not base
            if own and node.__module__ == module.__name__:
                found[info.name] = node
    return found
