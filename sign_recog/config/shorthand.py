"""Bare keys of the command line: ``runs=...`` for ``run.runs=...``, where the chosen stage has such a setting."""

import dataclasses
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from sign_recog.config import corpora
from sign_recog.config.runs import RunConfig, schemas
from sign_recog.config.schema import Config
from sign_recog.config.training_run import TrainingRun
from sign_recog.errors import ConfigError

_SETTING = re.compile(r"(?P<prefix>\+{0,2})(?P<key>[A-Za-z_][\w.]*)=(?P<value>.*)", re.DOTALL)
_GRAMMAR = re.compile(r"\[|\$\{|null$|\?\?\?$|[a-z_]+\(")  # a list, an interpolation, no value, a function of Hydra's
_WITHOUT_QUOTES = str.maketrans("", "", "'\"")
_STAGE = re.compile(r"^\s*-\s*(?:override\s+/)?run:\s*(\w+)", re.MULTILINE)


def expand(arguments: list[str], conf_dir: Path) -> list[str]:
    """Return ``arguments`` as Hydra takes them.

    A bare key that is neither a key nor a group of the configuration, but a setting of the chosen stage (or, for a
    pipeline, of one of its steps), becomes that setting. What a stage calls verbatim is quoted, so that it may hold
    commas and equals signs; what a corpus calls a list of paths may be joined by commas, which is then no sweep (one is
    ``data.train_dirs=[a],[a,b]``). Everything else stays as it is.

    >>> conf = Path(__file__).parents[2] / "conf"
    >>> expand(["run=report", "runs=outputs/**", "where=model=s3d,optim.lr>1e-4", "seed=1"], conf)
    ['run=report', "run.runs='outputs/**'", "run.where='model=s3d,optim.lr>1e-4'", 'seed=1']
    >>> expand(["data.train_dirs=a/how2sign,b", 'data.train_dirs="c,d"', "data.train_dirs=[e]"], conf)
    ["data.train_dirs=['a/how2sign','b']", "data.train_dirs=['c','d']", 'data.train_dirs=[e]']

    Raises:
        ConfigError: If several steps of the pipeline have the setting.
    """
    known = {field.name for field in dataclasses.fields(Config)}
    stages = [schemas()[name] for name in _stages(arguments, conf_dir) if name in schemas()]
    return [_expanded(argument, stages, known, conf_dir) for argument in arguments]


def _expanded(argument: str, stages: list[type[RunConfig]], known: set[str], conf_dir: Path) -> str:
    match = _SETTING.fullmatch(argument)
    if match is None:
        return argument
    prefix, key, value = match["prefix"], match["key"], match["value"]
    if "." not in key and key not in known and not (conf_dir / key).is_dir():
        places = list(dict.fromkeys(place for stage in stages for place in _places(stage, key)))
        if len(places) > 1:
            raise ConfigError(f"{key}={value}: there are several of that name. Give one of: {', '.join(places)}.")
        key = places[0] if places else key
    if any(_is_verbatim(stage, key) for stage in stages) and value[:1] not in ("'", '"'):
        value = _quoted(value)
    return f"{prefix}{key}={_listed(value) if key in _joined() else value}"


@cache
def _joined() -> frozenset[str]:
    """Keys of lists of paths, of whatever corpus."""
    return frozenset(f"data.{name}" for schema in corpora.schemas().values() for name in schema.joined)


def _listed(value: str) -> str:
    """Paths joined by commas as a list of Hydra's grammar; what is a list, a sweep or nothing already stays."""
    if not value or _GRAMMAR.match(value):
        return value
    return f"[{','.join(_quoted(one.strip()) for one in value.translate(_WITHOUT_QUOTES).split(','))}]"


def _quoted(value: str) -> str:
    """``value`` in the quotes of Hydra's grammar, in which only backslashes before a quote are doubled."""
    inner = re.sub(r"(\\*)'", lambda match: f"{match[1] * 2}\\'", value)
    inner = re.sub(r"(\\+)$", lambda match: match[1] * 2, inner)
    return f"'{inner}'"


def _places(stage: type[RunConfig], name: str) -> Iterator[str]:
    """Where a stage, or if it has none itself its steps, have a setting ``name``."""
    if name in _names(stage):
        yield f"run.{name}"
        return
    trainings = 0
    for step, schema in _steps(stage):
        if name in _names(schema):
            trainings += issubclass(schema, TrainingRun)
            if not (issubclass(schema, TrainingRun) and trainings > 1):  # the others take it from the first
                yield f"run.{step}.{name}"


def _names(stage: type[RunConfig]) -> set[str]:
    return {field.name for field in dataclasses.fields(stage)} - {"_target_"} - {name for name, _ in _steps(stage)}


def _steps(stage: type[RunConfig]) -> list[tuple[str, type[RunConfig]]]:
    found = [(field.name, field.type) for field in dataclasses.fields(stage)]
    return [(name, kind) for name, kind in found if isinstance(kind, type) and issubclass(kind, RunConfig)]


def _is_verbatim(stage: type[RunConfig], key: str) -> bool:
    parts = key.split(".")
    schema = stage if len(parts) == 2 else dict(_steps(stage)).get(parts[1]) if len(parts) == 3 else None
    return parts[0] == "run" and schema is not None and parts[-1] in schema.verbatim


def _stages(arguments: list[str], conf_dir: Path) -> list[str]:
    """The stages a command may run: those it names, else its experiment's, else the default."""
    given = [argument.removeprefix("run=").split(",") for argument in arguments if argument.startswith("run=")]
    if given:
        return given[-1]
    for argument in arguments:
        if argument.startswith("+experiment="):
            path = conf_dir / "experiment" / f"{argument.removeprefix('+experiment=')}.yaml"
            if path.is_file() and (found := _STAGE.search(path.read_text(encoding="utf-8"))):
                return [found[1]]
    found = _STAGE.search((conf_dir / "config.yaml").read_text(encoding="utf-8"))
    return [found[1]] if found else []
