"""From a composed DictConfig to a checked Config."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sign_recog.config.schema import Config
from sign_recog.errors import ConfigError


def validate(cfg: DictConfig) -> Config:
    """Resolve, type and check ``cfg``; report every problem at once.

    Raises:
        ConfigError: If a value is missing, or any section's ``problems()`` is not empty.
    """
    missing = list(_missing(OmegaConf.to_container(cfg, resolve=False)))
    if missing:
        raise config_error([f"{key} has no value. Give {key}=VALUE." for key in missing])
    try:
        config = cast(Config, OmegaConf.to_object(cfg))
    except OmegaConfBaseException as error:
        raise ConfigError(f"{error}") from error
    found = problems(config)
    if found:
        raise config_error(found)
    return config


def _missing(node: Any, prefix: str = "") -> Iterator[str]:
    """Keys without a value; OmegaConf.missing_keys fails where another key refers to one of them."""
    for name, value in node.items():
        if isinstance(value, dict):
            yield from _missing(value, f"{prefix}{name}.")
        elif value == "???":
            yield f"{prefix}{name}"


def config_error(found: list[str]) -> ConfigError:
    """One error that lists all problems."""
    return ConfigError("\n  - ".join(["The configuration has problems:", *found]))


def problems(config: Config) -> list[str]:
    """All contradictions: within each section, and between sections."""
    sections = [getattr(config, f.name) for f in fields(config)]
    found = [p for s in sections if is_dataclass(s) and hasattr(s, "problems") for p in s.problems()]
    found += config.problems()
    if not config.run.reads_modality:
        sections.remove(config.modality)
    return found + [p for s in sections if hasattr(s, "contradictions") for p in s.contradictions(config)]
