"""The schema offers no setting that nothing reads."""

import ast
import dataclasses
import importlib
import inspect
import pkgutil
import re

from conftest import ROOT

from sign_recog import config
from sign_recog.cli import CONF_DIR
from sign_recog.config.runs.pipeline import PipelineRun
from sign_recog.config.weightings import WeightingConfig


def schemas() -> list[type]:
    found = {}
    for module in pkgutil.walk_packages(config.__path__, "sign_recog.config."):
        for name, one in inspect.getmembers(importlib.import_module(module.name), dataclasses.is_dataclass):
            if inspect.isclass(one) and one.__module__.startswith("sign_recog.config"):
                found[name] = one
    return list(found.values())


def names_read() -> set[str]:
    """Every attribute that is read elsewhere than in a check of the settings, and every key that conf/ refers to."""
    found = set()
    for path in (ROOT / "sign_recog").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        checks = [node for node in functions if node.name in ("problems", "contradictions")]
        checked = {id(node) for check in checks for node in ast.walk(check)}
        found |= {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and id(n) not in checked}
    for path in CONF_DIR.rglob("*.yaml"):
        for reference in re.findall(r"\$\{([\w.]+)\}", path.read_text(encoding="utf-8")):
            found |= set(reference.split("."))
    return found


def test_s0_every_setting_is_read():
    """S0 had flags for augmentation, 2D landmarks and another table that nothing read."""
    read = names_read() | {"local", "local_parallel", "slurm"}  # ${launcher.${launcher.cluster}}
    classes = schemas()
    assert len(classes) > 25
    for schema in classes:
        names = {field.name for field in dataclasses.fields(schema)}
        if "_partial_" in names or issubclass(schema, WeightingConfig):
            continue  # called with its settings by name, which fails for one that it does not take
        if schema is PipelineRun:
            names = {"steps"}  # the others are the steps' own sections
        assert names <= read, f"{schema.__name__}: nothing reads {names - read}"
