"""From a composed DictConfig to a checked Config."""

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sign_recog.config.schema import Config
from sign_recog.config.targets import unknown_arguments
from sign_recog.errors import ConfigError

MODALITY_SETTING = re.compile(r"\$\{modality\.(\w+)\}")


def validate(cfg: DictConfig) -> Config:
    """Resolve, type and check ``cfg``; report every problem at once.

    Raises:
        ConfigError: If a value is missing, or any section's ``problems()`` is not empty.
    """
    lacking = _lacking(cfg)
    if lacking:
        raise config_error(lacking)
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


def _lacking(cfg: DictConfig) -> list[str]:
    """The problem of a network that reads settings of its modality which this modality has not; perhaps none."""
    settings = OmegaConf.to_container(cfg.model, resolve=False) if OmegaConf.is_dict(cfg.get("model")) else {}
    read = [(key, MODALITY_SETTING.fullmatch(value)) for key, value in _flat(settings, "model") if type(value) is str]
    names = {key: found[1] for key, found in read if found and found[1] not in cfg.modality}
    if not names:
        return []
    listed = " and ".join(f"{key} (modality.{name})" for key, name in names.items())
    return [
        f"The network takes {listed} from the modality, and this one has no such setting: it is a network over frames. "
        "Use modality=rgb, or a network over keypoints or features."
    ]


def _flat(node: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in node.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}.{name}")
        else:
            yield f"{prefix}.{name}", value


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
    groups = ("model", "augment", "extractor", "tokenizer")
    nodes = {"data.corpus": config.data.corpus} | {group: getattr(config, group) for group in groups}
    found += [p for key, node in nodes.items() for p in unknown_arguments(key, node)]
    if not config.run.reads_modality:
        sections.remove(config.modality)
    return found + [p for s in sections if hasattr(s, "contradictions") for p in s.contradictions(config)]
