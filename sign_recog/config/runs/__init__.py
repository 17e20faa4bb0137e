"""The settings of each stage: the group ``run``. What several stages share stands in the other groups.

One module a stage, named as the stage: its dataclass is the schema ``<stage>_schema`` that the
stage's file in conf/run starts from. A new stage adds a module here, and nothing else changes.
"""

import importlib
import pkgutil

from sign_recog.config.runs.base import RunConfig

__all__ = ["RunConfig", "schemas"]


def schemas() -> dict[str, type[RunConfig]]:
    """Stage name -> the dataclass of its settings."""
    found = {}
    for info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{info.name}")
        for node in vars(module).values():
            if _is_schema(node) and node.__module__ == module.__name__:
                found[info.name] = node
    return found


def _is_schema(node: object) -> bool:
    return isinstance(node, type) and issubclass(node, RunConfig) and node is not RunConfig
