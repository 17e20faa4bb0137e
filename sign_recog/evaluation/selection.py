"""Choosing runs by part of their configuration: ``where='model=s3d,optim.lr>1e-4'``.

A condition compares one key of the flattened configuration with one value; nothing is ever evaluated as code. The bare
name of a group means the option that was chosen for it.
"""

import difflib
import glob
import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sign_recog.errors import ConfigError, DataError
from sign_recog.evaluation.runs import RunResult, find_runs
from sign_recog.storage.run_record import is_set_aside

_ORDERS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}
_CONDITION = re.compile(r"\s*(?P<key>[\w./@-]+)\s*(?P<sign>!=|>=|<=|=|>|<)\s*(?P<value>.*?)\s*", re.DOTALL)


@dataclass(frozen=True)
class Condition:
    """``key`` ``sign`` ``value``; the sign is one of = != > < >= <=."""

    key: str
    sign: str
    value: str

    def __str__(self) -> str:
        return f"{self.key}{self.sign}{self.value}"

    def holds(self, run: RunResult) -> bool:
        """Whether ``run`` fulfils it. A run that lacks the key fulfils only ``!=``."""
        if self.sign in _ORDERS:
            number: Any = run.config.get(self.key)
            return _is_number(number) and _ORDERS[self.sign](float(number), float(self.value))
        return self._equal(run) is (self.sign == "=")

    def _equal(self, run: RunResult) -> bool:
        if self.key in run.config:
            return _same(run.config[self.key], self.value)
        if self.key in run.choices:
            return run.choices[self.key] == self.value
        return self.value in _guessed_choices(run, self.key)


def parse_conditions(text: str) -> list[Condition]:
    """Split ``text`` at the commas outside brackets, and each part into key, sign and value.

    >>> [str(c) for c in parse_conditions("model=s3d, optim.lr>1e-4, data.glosses=[a,b]")]
    ['model=s3d', 'optim.lr>1e-4', 'data.glosses=[a,b]']

    Raises:
        ConfigError: If a part is no condition, or > and < are given something that is no number.
    """
    found = []
    for part in re.split(r",(?![^\[]*\])", text):
        match = _CONDITION.fullmatch(part)
        if match is None or not match["value"]:
            raise ConfigError(
                f"where={text!r}: {part.strip()!r} is no condition. Write KEY=VALUE, KEY!=VALUE, KEY>NUMBER or "
                "KEY<NUMBER, several of them separated by commas."
            )
        condition = Condition(match["key"], match["sign"], match["value"].strip("'\""))
        if condition.sign in _ORDERS and _number(condition.value) is None:
            raise ConfigError(f"where={text!r}: {condition.value!r} in {condition} is no number. Use = or != for text.")
        found.append(condition)
    return found


def select(runs: Sequence[RunResult], where: str | None) -> list[RunResult]:
    """The runs that fulfil every condition of ``where``; None = all.

    Raises:
        ConfigError: If ``where`` is not understood, or names a key that no run has.
        DataError: If no run fulfils it.
    """
    conditions = parse_conditions(where) if where else []
    for condition in conditions:
        _refuse_unknown_key(condition, runs)
    found = [run for run in runs if all(condition.holds(run) for condition in conditions)]
    if not found:
        raise DataError(f"where={where!r}: none of {len(runs)} runs fulfils it. {_values_there(conditions, runs)}")
    return found


def runs_of_glob(pattern: str) -> list[Path]:
    """The run folders in, or below, what ``pattern`` matches; ``**`` stands for any number of folders.

    Raises:
        DataError: If there is none.
    """
    above = re.sub(r"(/\*\*)+/?$", "", pattern)  # what ** would match below a folder is looked for there anyway
    matched = map(Path, glob.iglob(above, recursive=True))  # noqa: PTH207 - Path.glob takes no absolute pattern
    folders = {path for path in matched if path.is_dir() and not is_set_aside(path)}
    tops = [path for path in folders if folders.isdisjoint(path.parents)]  # find_runs looks into the others
    runs = sorted({run for path in tops for run in find_runs(path)})
    if not runs:
        raise DataError(f"runs={pattern!r}: there is no run in what this matches. Use a folder, or runs='outputs/**'.")
    return runs


def fixed_part(pattern: str) -> Path:
    """The folder before a glob's first wildcard.

    >>> str(fixed_part("outputs/mine/**")), str(fixed_part("outputs/mine"))
    ('outputs/mine', 'outputs/mine')
    """
    parts = Path(pattern).parts
    fixed = next((i for i, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    return Path(*parts[:fixed])


def _refuse_unknown_key(condition: Condition, runs: Sequence[RunResult]) -> None:
    keys = {key for run in runs for key in run.config}
    known = keys | {key for run in runs for key in run.choices} | {key.partition(".")[0] for key in keys if "." in key}
    if condition.key in known and (condition.sign in ("=", "!=") or condition.key in keys):
        return
    if condition.key in known:
        raise ConfigError(f"where: {condition}: the option of a group is no number. Use {condition.key}=NAME.")
    last = condition.key.rpartition(".")[2]
    near = sorted(key for key in keys if key.rpartition(".")[2] == last) or difflib.get_close_matches(
        condition.key, sorted(known), n=3, cutoff=0.6
    )
    remedy = f"Did you mean {' or '.join(near[:3])}?" if near else "config.yaml in a run's folder shows all keys."
    raise ConfigError(f"where: {condition}: none of {len(runs)} runs has a setting {condition.key}. {remedy}")


def _values_there(conditions: Iterable[Condition], runs: Sequence[RunResult]) -> str:
    """What the conditions' keys are in the runs, for those that no run fulfils by themselves."""
    sentences = []
    for condition in conditions:
        if any(condition.holds(run) for run in runs):
            continue
        values = {
            str(run.config[condition.key])
            if condition.key in run.config
            else run.choices.get(condition.key) or " or ".join(sorted(_guessed_choices(run, condition.key)))
            for run in runs
        } - {""}
        shown = sorted(values)
        sentences.append(f"{condition.key} is {', '.join(shown[:6])}{', ...' if len(shown) > 6 else ''} in them.")
    return " ".join(sentences) or "Each condition alone is fulfilled by some."


def _guessed_choices(run: RunResult, group: str) -> set[str]:
    """What an option may have been called in a run that did not record it: its module, class or name."""
    section = group.replace("/", ".")
    target = run.config.get(f"{section}._target_") or run.config.get(f"{section}.corpus._target_") or ""
    parts = str(target).split(".")
    return ({str(run.config.get(f"{section}.name", ""))} | {p for p in parts[-2:]} | {parts[-1].lower()}) - {""}


def _same(found: Any, text: str) -> bool:
    """Whether a value of the configuration is what ``text`` says; numbers are compared as numbers."""
    if isinstance(found, bool) or found is None:
        return text.lower() == {True: "true", False: "false", None: "null"}[found]
    if _is_number(found):
        return _number(text) == float(found)
    if isinstance(found, list):
        parts = [part.strip().strip("'\"") for part in text.removeprefix("[").removesuffix("]").split(",")]
        parts = [] if parts == [""] else parts
        return len(parts) == len(found) and all(_same(one, part) for one, part in zip(found, parts, strict=True))
    return str(found) == text


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
