"""Settings that the class or function of a ``_target_`` does not take, found without importing it.

Networks, augmentations and readers have no schema of their own; their signature says which settings there are. It is
read from the source file, since an import would load torch before the command is known to be right.
"""

import ast
import difflib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).parents[1]


def unknown_arguments(key: str, node: Any) -> Iterator[str]:
    """A sentence for every setting below ``node`` that its ``_target_`` does not take; ``key`` is the node's own."""
    if isinstance(node, list | tuple):
        for number, inner in enumerate(node):
            yield from unknown_arguments(f"{key}.{number}", inner)
    if not isinstance(node, dict):
        return
    known = parameters(str(node.get("_target_", "")))
    for name, inner in node.items():
        if known is not None and not str(name).startswith("_") and name not in known:
            near = difflib.get_close_matches(str(name), known, n=2, cutoff=0.6)
            remedy = f"Did you mean {' or '.join(f'{key}.{one}' for one in near)}?" if near else "Leave it out."
            yield f"{key}.{name}={inner}: {node['_target_']} has no such setting. {remedy}"
        yield from unknown_arguments(f"{key}.{name}", inner)


@cache
def parameters(target: str) -> tuple[str, ...] | None:
    """Names of the arguments of this project's class or function; None where they are not known, or any is taken."""
    package, *modules, name = target.split(".") if target.count(".") >= 2 else ("", "")
    folder = _PACKAGE.joinpath(*modules)
    path = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    if package != _PACKAGE.name or not path.is_file():
        return None
    return _signature(ast.parse(path.read_text(encoding="utf-8")).body, name)


def _signature(body: list[ast.stmt], name: str) -> tuple[str, ...] | None:
    for node in body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return _arguments(node.args)
        if isinstance(node, ast.ClassDef) and node.name == name:
            return _of_class(node, body)
        if isinstance(node, ast.ImportFrom) and (own := [a.name for a in node.names if (a.asname or a.name) == name]):
            return parameters(f"{node.module}.{own[0]}")
    return None


def _of_class(node: ast.ClassDef, body: list[ast.stmt]) -> tuple[str, ...] | None:
    for member in node.body:
        if isinstance(member, ast.FunctionDef) and member.name == "__init__":
            found = _arguments(member.args)
            return None if found is None else found[1:]
    bases = [_signature(body, base.id) if isinstance(base, ast.Name) else None for base in node.bases]
    if any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list):
        return (*(name for base in bases for name in base or ()), *_fields(node))  # a base from elsewhere has none
    return bases[0] if len(bases) == 1 else None if bases else ()


def _fields(node: ast.ClassDef) -> list[str]:
    found = [m for m in node.body if isinstance(m, ast.AnnAssign) and isinstance(m.target, ast.Name)]
    return [ast.unparse(member.target) for member in found if "ClassVar" not in ast.unparse(member.annotation)]


def _arguments(arguments: ast.arguments) -> tuple[str, ...] | None:
    if arguments.kwarg is not None:
        return None
    return tuple(a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs))
