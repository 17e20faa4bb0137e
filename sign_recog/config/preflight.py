"""Check a command line before Hydra runs it: every problem of every job, at once, in under a second.

Hydra itself stops at the first bad key, and meets a sweep's bad value only when that job's turn comes.
"""

import dataclasses
import difflib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, UnionNode, open_dict
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from sign_recog.config.schema import Config
from sign_recog.config.shorthand import expand
from sign_recog.config.validate import config_error, validate
from sign_recog.errors import ConfigError

MOST_JOBS = 64  # of a sweep, checked beforehand; the rest is checked as each job starts


@dataclass
class Job:
    """One job of a command.

    Attributes:
        settings: Those in which the command's jobs differ, "key=value".
        config: None where ``problems`` keep it from being composed.
        swept_by_file: Whether a file of conf/sweep is what makes several jobs; that is a multirun by itself.
        from_file: What that file sets for this job, "key=value".
    """

    settings: list[str]
    config: Config | None = None
    problems: list[str] = field(default_factory=list)
    swept_by_file: bool = False
    from_file: list[str] = field(default_factory=list)


def check_command(overrides: list[str], conf_dir: Path) -> None:
    """Compose and validate every job that ``overrides`` describe.

    Raises:
        ConfigError: Listing unknown groups, options and keys, wrong types, and contradictions.
    """
    found = [problem for job in jobs_of(overrides, conf_dir, most=MOST_JOBS) for problem in job.problems]
    if found:
        raise config_error(list(dict.fromkeys(found)))


def jobs_of(overrides: list[str], conf_dir: Path, *, most: int | None = None) -> Iterator[Job]:
    """Compose every job that ``overrides`` describe, with what is wrong with it; ``most`` for each choice of options.

    Raises:
        ConfigError: If the command cannot be split into jobs: its syntax is wrong, or an option does not exist.
    """
    try:
        parsed = OverridesParser.create().parse_overrides(expand(overrides, conf_dir))
        parsed = [o for o in parsed if not _is_hydra(o)]
    except HydraException as error:
        raise ConfigError(
            f"{error}\nWrite settings as key=value; quote what the shell or Hydra would split."
        ) from error
    groups = [o for o in parsed if (conf_dir / o.key_or_group).is_dir()]
    values = [o for o in parsed if o not in groups]
    found = [problem for o in groups for problem in _unknown_options(o, conf_dir)]
    if found:
        raise config_error(list(dict.fromkeys(found)))
    with initialize_config_dir(str(conf_dir), version_base="1.3"):
        for choice in itertools.islice(_combinations(groups), most):
            yield from _jobs_of_group_choice(choice, values, most)


def _is_hydra(override: Override) -> bool:
    return override.key_or_group.split(".")[0].split("/")[0] == "hydra"


def _unknown_options(override: Override, conf_dir: Path) -> list[str]:
    folder = conf_dir / override.key_or_group
    known = sorted(path.stem for path in folder.glob("*.yaml"))
    found = []
    for value in _alternatives(override):
        for name in value if isinstance(value, list) else [value]:
            if str(name) not in known and not (name is None and override.is_delete()):
                remedy = _close(str(name), known) or f"Known: {', '.join(known) or 'none'}."
                found.append(f"{override.key_or_group}={name}: there is no such option. {remedy}")
    return found


def _close(name: str, known: list[str]) -> str:
    matches = difflib.get_close_matches(name, known, n=2, cutoff=0.6)
    return f"Did you mean {' or '.join(matches)}?" if matches else ""


def _alternatives(override: Override) -> list[Any]:
    return list(override.sweep_iterator()) if override.is_sweep_override() else [override.value()]


def _combinations(overrides: list[Override]) -> Iterator[list[tuple[Override, Any]]]:
    """Every combination of the overrides' values, as a sweep would run them."""
    for combination in itertools.product(*(_alternatives(o) for o in overrides)):
        yield list(zip(overrides, combination, strict=True))


def _jobs_of_group_choice(
    choice: list[tuple[Override, Any]], values: list[Override], most: int | None
) -> Iterator[Job]:
    chosen = [_group_override(o, value) for o, value in choice]
    differing = [text for text, (o, _) in zip(chosen, choice, strict=True) if o.is_sweep_override()]
    try:
        base = compose("config", chosen, return_hydra_config=True)
    except (HydraException, OmegaConfBaseException) as error:
        yield Job(differing, problems=[f"{error}"])
        return
    swept = _swept_by_option(base, values)
    twice = [
        f"{o.input_line}: a sweep of {o.key_or_group} was chosen with +sweep=. Leave one of the two out."
        for o in values
        if o.key_or_group in {other.key_or_group for other in swept}
    ]
    values = [*values, *swept]
    with open_dict(base):
        del base["hydra"]
    for combination in itertools.islice(_combinations(values), most):
        own = [f"{o.key_or_group}={value}" for o, value in combination if o.is_sweep_override()]
        job, cfg = Job([*differing, *own], problems=list(twice), swept_by_file=bool(swept)), base.copy()
        job.from_file = [f"{o.key_or_group}={value}" for o, value in combination if o in swept]
        job.problems += [p for o, value in combination for p in _set(cfg, o, value)]
        try:
            job.config = validate(cfg)
        except ConfigError as error:
            job.problems += str(error).split("\n  - ")[1:] or [str(error)]
        except OmegaConfBaseException as error:
            job.problems.append(_first_line(error))
        yield job


def _swept_by_option(base: DictConfig, values: list[Override]) -> list[Override]:
    """What a file of conf/sweep runs over; Hydra reads it from hydra.sweeper.params, once ``values`` are set."""
    cfg = base.copy()
    for override in values:
        if not override.is_sweep_override():
            _set(cfg, override, override.value())
    sweeper: Any = OmegaConf.to_container(cfg.hydra.sweeper, resolve=True)
    params = sweeper.get("params") or {}
    return OverridesParser.create().parse_overrides([f"{key}={value}" for key, value in params.items()])


def _group_override(override: Override, value: Any) -> str:
    prefix = {"ADD": "+", "FORCE_ADD": "++", "DEL": "~"}.get(override.type.name, "")
    if isinstance(value, list):
        value = f"[{','.join(map(str, value))}]"
    return (
        f"{prefix}{override.get_key_element()}" if override.is_delete() else f"{prefix}{override.key_or_group}={value}"
    )


def _set(cfg: DictConfig, override: Override, value: Any) -> list[str]:
    """Set one value in ``cfg``; return what is wrong with it."""
    key = override.key_or_group
    if override.is_delete():
        return _delete(cfg, override)
    if isinstance(value, str):
        value = value.strip("'\"")
    shown = f"{key}={value}"
    try:
        exists = OmegaConf.is_missing(cfg, key) or _has(cfg, key)
        if not exists and not (override.is_add() or override.is_force_add()):
            return [f"{shown}: there is no such key. {_close_key(cfg, key)}"]
        # what refers to a setting without a value, perhaps not yet given, is replaced without looking
        old = OmegaConf.select(cfg, key, throw_on_missing=False, throw_on_resolution_failure=False) if exists else None
        if isinstance(old, DictConfig) and not isinstance(value, dict) and value is not None:
            return [f"{shown}: {key} is a section, not a value. Set one of {', '.join(map(str, old))} in it."]
        wrong = "" if _of_several_types(cfg, key) else _wrong_type(old, value)
        if wrong:
            return [f"{shown} must be {wrong}; the default is {old!r}."]
        if override.is_add() or override.is_force_add():
            with open_dict(cfg):
                OmegaConf.update(cfg, key, value, merge=True)
        else:
            OmegaConf.update(cfg, key, value, merge=True)
    except (ConfigKeyError, ConfigAttributeError):  # with + Hydra adds a key; a typed section has no other keys
        return [f"{shown}: there is no such key. {_close_key(cfg, key)}"]
    except OmegaConfBaseException as error:
        return [f"{shown}: {_first_line(error)}."]
    return []


def _delete(cfg: DictConfig, override: Override) -> list[str]:
    """Delete a key, as Hydra does for ``~key`` and ``~key=value``; return what is wrong with it."""
    key, value = override.key_or_group, override.value()
    shown = str(override.input_line)
    if not _has(cfg, key):
        return [f"{shown}: there is no such key. {_close_key(cfg, key)}"]
    old = OmegaConf.select(cfg, key, throw_on_missing=False, throw_on_resolution_failure=False)
    if value is not None and value != old:
        return [f"{shown}: {key} is {old}, so it is not deleted. Leave out the value."]
    parent, _, name = key.rpartition(".")
    node = OmegaConf.select(cfg, parent) if parent else cfg
    if dataclasses.is_dataclass(OmegaConf.get_type(node)):
        return [f"{shown}: {key} is a setting that cannot be left out. Give it another value."]
    with open_dict(cfg):
        del node[name]
    return []


def _has(cfg: DictConfig, key: str) -> bool:
    parent, _, name = key.rpartition(".")
    node = OmegaConf.select(cfg, parent) if parent else cfg
    return (isinstance(node, DictConfig) and name in node) or (isinstance(node, DictConfig) and _holds_null(node, name))


def _holds_null(node: DictConfig, name: str) -> bool:
    return name in node._content if isinstance(node._content, dict) else False


def _of_several_types(cfg: DictConfig, key: str) -> bool:
    """Whether a key's value may be of another type than its default, as a number or ``auto``."""
    parent, _, name = key.rpartition(".")
    node = OmegaConf.select(cfg, parent) if parent else cfg
    return (
        isinstance(node, DictConfig)
        and isinstance(node._content, dict)
        and isinstance(node._content.get(name), UnionNode)
    )


def _wrong_type(old: Any, new: Any) -> str:
    """What ``new`` should be, judged by the default ``old``; empty if it fits or cannot be judged."""
    if old is None or new is None or (isinstance(new, str) and "${" in new):
        return ""
    kinds = ((bool, bool, "true or false"), (int, int, "a whole number"), (float, (int, float), "a number"))
    for old_kind, new_kind, words in kinds:
        if isinstance(old, old_kind):
            fits = isinstance(new, new_kind) and (old_kind is bool or not isinstance(new, bool))
            return "" if fits else words
    return ""


def _close_key(cfg: DictConfig, key: str) -> str:
    known = list(_flat_keys(OmegaConf.to_container(cfg, resolve=False), ""))
    last = key.rpartition(".")[2]
    same_name = [k for k in known if k.rpartition(".")[2] == last]
    remedy = f"Did you mean {' or '.join(same_name[:2])}?" if same_name else _close(key, known)
    return remedy or "`python run.py --cfg job` prints all keys."


def _flat_keys(node: Any, prefix: str) -> Iterator[str]:
    for name, value in node.items():
        yield f"{prefix}{name}"
        if isinstance(value, dict):
            yield from _flat_keys(value, f"{prefix}{name}.")


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".")
